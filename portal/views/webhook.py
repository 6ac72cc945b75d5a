"""The webhook's settings: the address, a test of it, the secret that signs, and how it has been going."""

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.company import endpoint, testing
from portal.company.header import FixedHeader
from portal.company.knowledge import was_told
from portal.company.outages import page_outages
from portal.company.refusals import HeaderRefused, NotDelivered, Refusal, TooManyTests
from portal.contacts.syncing import backlog_of
from portal.database.db import db
from portal.deliveries.figures import say_when_it_leaves
from portal.deliveries.log import get_delivery
from portal.egress import AddressError
from portal.egress.advice import Advice, advise
from portal.forms.fields import text_of
from portal.forms.settings import WebhookForm
from portal.i18n import ngettext
from portal.models import Attempt
from portal.rules.credentials import is_masked
from portal.runtime import runtime
from portal.views.inspector import address_of
from portal.web import access
from portal.web.charts import read_health
from portal.web.presentation import company_endpoint
from portal.web.redirects import done, see_other

bp = access.Pages("webhook", __name__, url_prefix="/webhook")


@bp.get("", access="admin")
def index() -> ResponseReturnValue:
    """The settings; `?test=` shows what came of that test, with the address it went to in the field. `?inspector=` puts
    the inspector's there, and `?offered=` the one that the answer to that delivery pointed to.
    """
    test = get_delivery(db.session, current_user.company_id, request.args.get("test", ""))
    attempts = test.attempts if test is not None and test.is_test else []
    token = current_user.company.inspector_token if "inspector" in request.args else None
    form = saved_form()
    if attempts:
        form.url.data = attempts[0].url
        for name, value in attempts[0].request_headers if "header" in request.args else ():
            if is_masked(value):
                form.ask_again(name, value)
    elif token:
        form.url.data = address_of(token)
    elif offered := address_offered_by(request.args.get("offered", "")):
        form.url.data = offered
    return page(form, test=test, attempt=attempts[0] if attempts else None)


@bp.post("", access="admin")
def save() -> ResponseReturnValue:
    form = WebhookForm()
    if not form.validate_on_submit() or not form.agrees_with(saved_now()):
        return page(form), 422
    address = endpoint.set_address(
        db.session,
        runtime(),
        access.current_actor(),
        text_of(form.url),
        header=form.header(),
        cancel_waiting=request.form.get("waiting") == "cancel",
        other_crm="other_crm" in request.form,
    )
    db.session.commit()
    flash_with_cancelled(_("URL salva. As próximas classificações vão para este endereço."), address.cancelled)
    if company_endpoint().state == "paused":
        flash(_("O envio continua em pausa: nada sai até que alguém o retome."), "warning")
    flash_advice(address.url, address.advice)
    return see_other(url_for(".index"))


@bp.post("/test", access="admin")
def test() -> ResponseReturnValue:
    """Send the sample to what is in the field, saved or not, the same way as every delivery."""
    form = WebhookForm()
    if not form.validate_on_submit():
        return page(form), 422
    actor, header = access.current_actor(), form.header()
    sent = testing.send_test(db.session, runtime(), actor, text_of(form.url), header=header)
    flash_advice(text_of(form.url), sent.advice)
    return shown(sent.webhook_id, header="typed" if isinstance(header, FixedHeader) else None)


@bp.post("/remove", access="admin")
def remove() -> ResponseReturnValue:
    count = endpoint.remove_address(db.session, access.current_actor())
    db.session.commit()
    flash_with_cancelled(_("URL removida. As classificações continuam sendo salvas, mas nada é enviado."), count)
    return see_other(url_for(".index"))


@bp.post("/pause", access="admin")
def pause() -> ResponseReturnValue:
    endpoint.pause(db.session, access.current_actor())
    return done(_("Envio em pausa. O que for classificado espera aqui, e nada se perde."), url_for(".index"))


@bp.post("/resume", access="admin")
def resume() -> ResponseReturnValue:
    """Send again, once a test has shown that somebody is there."""
    try:
        testing.resume(db.session, runtime(), access.current_actor())
    except NotDelivered as failed:
        flash(_("O envio continua como estava."), "error")  # the test says why
        return shown(failed.webhook_id)
    return done(f"{testing.RESUMED} {say_when_it_leaves(db.session, current_user.company_id)}", url_for(".index"))


@bp.post("/secret", access="admin")
def show_secret() -> ResponseReturnValue:
    """Show the key that signs, to be copied into the receiver, or make a new one."""
    act = endpoint.rotate_secret if "rotate" in request.form else endpoint.show_secret
    secret = act(db.session, access.current_actor(), vault=runtime().vault)
    db.session.commit()
    return page(saved_form(), secret=secret)


@bp.errorhandler(AddressError)
def explain_address(error: AddressError) -> ResponseReturnValue:
    """The form as it was sent; its field says why the address is refused."""
    form = WebhookForm()
    form.url.errors = [error.sentence]
    return page(form), 422


@bp.errorhandler(Refusal)
def explain_refusal(refusal: Refusal) -> ResponseReturnValue:
    """The page as it is now, with the address that was sent in its field, and why nothing was done."""
    db.session.rollback()
    form = WebhookForm() if "url" in request.form else saved_form()
    if isinstance(refusal, HeaderRefused):
        form[f"header_{refusal.part}"].errors = [refusal.sentence]
        return page(form), 422
    flash(refusal.sentence, "warning")
    return page(form), 429 if isinstance(refusal, TooManyTests) else 409


def saved_form() -> WebhookForm:
    saved = saved_now()
    form = WebhookForm(formdata=None, **saved)
    form.open_with(saved)
    return form


def saved_now() -> dict[str, str | None]:
    """What is saved, by the form's fields."""
    status = endpoint.describe(db.session, current_user.company_id)
    return {"url": status.url, "header_kind": "saved" if status.header_name else "none"}


def address_offered_by(webhook_id: str) -> str | None:
    """The address that the last answer to a delivery pointed to, when it may be the right one."""
    delivery = get_delivery(db.session, current_user.company_id, webhook_id)
    attempts = delivery.attempts if delivery is not None else []
    return runtime().explain(attempts[-1]).offer if attempts else None


def shown(webhook_id: str, *, header: str | None = None) -> ResponseReturnValue:
    """Lead to what came of a test."""
    return see_other(url_for(".index", test=webhook_id, header=header, _anchor="resultado"))


def flash_advice(url: str, given: tuple[Advice, ...]) -> None:
    for advice in given:
        if advice not in advise(url):  # those stand beside the field
            flash(advice.sentence, "warning")


def flash_with_cancelled(words: str, count: int) -> None:
    """Say what was done, and how many deliveries were cancelled for it."""
    cancelled = ngettext("%(num)s entrega cancelada.", "%(num)s entregas canceladas.", count) if count else ""
    flash(f"{words} {cancelled}".rstrip(), "success")


def page(form: WebhookForm, *, attempt: Attempt | None = None, **more: object) -> str:
    company_id = current_user.company_id
    status = endpoint.describe(db.session, company_id)
    if status.header_name:
        form.offer_saved(status.header_name)
    advice = () if form.url.errors else advise(form.url.data or "")
    return render_template(
        "webhook/index.html",
        form=form,
        attempt=attempt,
        advice=advice,
        endpoint=status,
        state=status.state,
        stuck=backlog_of(db.session, company_id).stuck,
        waiting=status.waiting,
        was_told=was_told(db.session, company_id),
        health=read_health(),
        outages=page_outages(db.session, company_id).items,
        old_secret_until=status.old_secret_until,
        **more,
    )
