"""The webhook's settings: the address, a test of it, the secret that signs, and how it has been going."""

from datetime import datetime, timedelta

from flask import Blueprint, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from portal import audit, clock, outbox
from portal.company import endpoint as endpoints
from portal.company.endpoint import get_endpoint, state_of
from portal.contacts.syncing import backlog_of
from portal.database.db import db
from portal.deliveries.log import MAX_TESTS_A_MINUTE, attempts_of, count_tests_since, get_delivery
from portal.egress import AddressError, CheckedAddress
from portal.egress.advice import Advice, advise, advise_redirect
from portal.forms import WebhookForm, text_of
from portal.models import Attempt, Endpoint
from portal.rules import reasons
from portal.runtime import runtime
from portal.views import notices
from portal.views.inspector import address_of
from portal.web import access, exchange
from portal.web.redirects import see_other

bp = Blueprint("webhook", __name__, url_prefix="/webhook")


@bp.get("")
@access.admin
def index() -> ResponseReturnValue:
    """The settings; `?test=` shows what came of that test, with the address it went to in the field, and `?inspector=`
    puts the inspector's there.
    """
    endpoint = get_endpoint(db.session, current_user.company_id)
    test = get_delivery(db.session, current_user.company_id, request.args.get("test", ""))
    attempts = attempts_of(db.session, test) if test is not None and test.is_test else []
    token = current_user.company.inspector_token if "inspector" in request.args else None
    shown = attempts[0].url if attempts else address_of(token) if token else endpoint.url
    form = WebhookForm(formdata=None, url=shown)
    return page(form, test=test, attempt=attempts[0] if attempts else None)


@bp.post("")
@access.admin
def save() -> ResponseReturnValue:
    form = WebhookForm()
    checked = check_url(form)
    if checked is None:
        return page(form), 422
    endpoint = get_endpoint(db.session, current_user.company_id)
    if endpoint.url != checked.address.url and request.form.get("waiting") == "cancel":
        count = outbox.cancel_waiting(db.session, endpoint.company_id)
        flash(ngettext("%(num)s entrega cancelada.", "%(num)s entregas canceladas.", count), "info")
    endpoints.set_url(db.session, endpoint, checked, actor=current_user.email, ip=request.remote_addr)
    db.session.commit()
    flash(_("URL salva. As próximas classificações vão para este endereço."), "success")
    for code in warnings_of(checked):
        flash(reasons.explain_address_warning(code), "warning")
    return see_other(url_for(".index"))


@bp.post("/test")
@access.admin
def test() -> ResponseReturnValue:
    """Send the sample to what is in the field, saved or not, the same way as every delivery."""
    form = WebhookForm()
    since = clock.utcnow() - timedelta(minutes=1)
    if count_tests_since(db.session, current_user.company_id, since) >= MAX_TESTS_A_MINUTE:
        flash(_("São no máximo %(max)d testes por minuto. Espere um pouco.", max=MAX_TESTS_A_MINUTE), "warning")
        return page(form), 429
    company_id, actor = current_user.company_id, current_user.email
    checked = check_url(form)
    if checked is None:
        return page(form), 422
    sent = runtime().send_test(company_id=company_id, url=checked.address.url, actor=actor)
    return see_other(url_for(".index", test=sent.webhook_id, _anchor="resultado"))


@bp.post("/remove")
@access.admin
def remove() -> ResponseReturnValue:
    endpoint = get_endpoint(db.session, current_user.company_id)
    count = endpoints.remove_url(db.session, endpoint, actor=current_user.email, ip=request.remote_addr)
    db.session.commit()
    flash(_("URL removida. As classificações continuam sendo salvas, mas nada é enviado."), "success")
    if count:
        flash(ngettext("%(num)s entrega cancelada.", "%(num)s entregas canceladas.", count), "info")
    return see_other(url_for(".index"))


@bp.post("/pause")
@access.admin
def pause() -> ResponseReturnValue:
    endpoint = get_endpoint(db.session, current_user.company_id)
    endpoints.pause(db.session, endpoint, actor=current_user.email, ip=request.remote_addr)
    db.session.commit()
    flash(_("Envio em pausa. O que for classificado espera aqui, e nada se perde."), "success")
    return see_other(url_for(".index"))


@bp.post("/resume")
@access.admin
def resume() -> ResponseReturnValue:
    """Send again, once a test has shown that somebody is there."""
    company_id, actor = current_user.company_id, current_user.email
    url = get_endpoint(db.session, company_id).url
    if url is None:
        return see_other(url_for(".index"))
    sent = runtime().send_test(company_id=company_id, url=url, actor=actor)
    if sent.outcome.delivered:
        endpoint = get_endpoint(db.session, company_id)
        endpoints.resume(db.session, endpoint, actor=actor, ip=request.remote_addr)
        db.session.commit()
        flash(_("Envio retomado: o que esperava sai agora, o nível alto primeiro."), "success")
        return see_other(url_for(".index"))
    flash(_("O teste não deu certo, por isso o envio continua parado. Veja abaixo o que aconteceu."), "error")
    return see_other(url_for(".index", test=sent.webhook_id, _anchor="resultado"))


@bp.post("/secret")
@access.admin
def show_secret() -> ResponseReturnValue:
    """The key that signs, to be copied into the receiver; a new one when asked. Both are written in the audit log."""
    endpoint, vault = get_endpoint(db.session, current_user.company_id), runtime().vault
    who = {"actor": current_user.email, "ip": request.remote_addr}
    if "rotate" in request.form:
        secret = endpoints.rotate_secret(db.session, endpoint, vault=vault, **who)
    else:
        secret = vault.decrypt(endpoint.secret)
        audit.record(db.session, access.current_actor(), "webhook.secret_shown")
    db.session.commit()
    return page(WebhookForm(formdata=None, url=endpoint.url), secret=secret)


def check_url(form: WebhookForm) -> CheckedAddress | None:
    """The address in the field when it may be used; else None, and the field says why."""
    if not form.validate_on_submit():
        return None
    # Checking asks the name service: no transaction waits for that.
    db.session.rollback()
    try:
        return runtime().egress.check(text_of(form.url))
    except AddressError as error:
        form.url.errors = [reasons.explain_address(error.problem)]
        return None


def warnings_of(checked: CheckedAddress) -> tuple[str, ...]:
    """Codes of what is odd about an address that may be used all the same."""
    return checked.address.warnings + (() if checked.addresses else ("unresolved",))


def advice_about(form: WebhookForm, attempt: Attempt | None) -> tuple[Advice, ...]:
    """What to mind about the address in the field, and about where its test's answer pointed."""
    if form.url.errors:
        return ()
    advice = advise(form.url.data or "")
    if attempt is not None and attempt.reason == "redirect":
        advice += advise_redirect(attempt.url, exchange.header_of(attempt, "location"))
    return advice


def page(form: WebhookForm, *, attempt: Attempt | None = None, **shown: object) -> str:
    endpoint = get_endpoint(db.session, current_user.company_id)
    return render_template(
        "webhook/index.html",
        form=form,
        attempt=attempt,
        advice=advice_about(form, attempt),
        endpoint=endpoint,
        state=state_of(endpoint),
        stuck=backlog_of(db.session, endpoint.company_id).stuck,
        waiting=outbox.waiting_count(db.session, endpoint.company_id),
        old_secret_until=old_secret_until(endpoint),
        exchange=exchange,
        mail=notices.facts_of(endpoint),
        **shown,
    )


def old_secret_until(endpoint: Endpoint) -> datetime | None:
    """Until when the old key signs too; None when it does not any more."""
    until = endpoint.old_secret_until
    return until if until is not None and until > clock.utcnow() else None
