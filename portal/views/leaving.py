"""A company leaves: its data as files, and closing it."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from flask import Blueprint, Flask, Response, flash, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, logout_user
from sqlalchemy import select

from portal import audit, clock
from portal.audit import AuditFilter
from portal.contacts.filtering import ContactFilter
from portal.contacts.table import titles_of
from portal.database.db import db
from portal.deliveries.filtering import DeliveryFilter
from portal.forms import CloseForm, text_of
from portal.models import Attempt, Company, Delivery
from portal.privacy import closing, erasing
from portal.runtime import runtime
from portal.views import audit as audit_views
from portal.views import contact_export, delivery_export
from portal.web import access, csv_file, sessions
from portal.web.csv_file import Batch, time_text
from portal.web.link_mail import this_app
from portal.web.redirects import see_other
from portal.web.zip_file import write_zip

ATTEMPT_COLUMNS = (
    _l("Código da entrega"),
    _l("Tentativa"),
    _l("Quando"),
    _l("Duração (ms)"),
    _l("URL"),
    _l("HTTP"),
    _l("Código do resultado"),
    _l("Aviso"),
)

bp = Blueprint("leaving", __name__, url_prefix="/company")


@bp.get("/data.zip")
@access.admin
def download() -> ResponseReturnValue:
    """All of the company's lists in one file."""
    company_id, zone, locale = current_user.company_id, ZoneInfo(current_user.company.timezone), str(get_locale())
    audit.note(db.session, access.current_actor(), "company.exported")
    name = _("dados")
    named = f"{name}-{clock.utcnow().astimezone(zone):%Y-%m-%d}.zip"
    pieces = write_zip(files_of(this_app(), company_id, zone, locale=locale))
    return Response(
        pieces, mimetype="application/zip", headers={"Content-Disposition": f'attachment; filename="{named}"'}
    )


@bp.route("/close", methods=["GET", "POST"])
@access.admin
def close() -> ResponseReturnValue:
    """Say what would go; then, for who types the company's name and the password, close it for good."""
    form, company = CloseForm(), current_user.company
    if form.validate_on_submit() and is_meant(form, company):
        actor, held = access.current_actor(), runtime()
        closing.close(db.session, db.session.get_one(Company, actor.company_id), actor, vault=held.vault)
        db.session.commit()
        erasing.finish(db.engine, held.settings.instance)
        logout_user()
        session.clear()
        flash(_("A empresa foi encerrada. Nada mais é enviado, e todos os dados estão sendo apagados."), "success")
        return see_other(url_for("auth.log_in"))
    holdings = closing.holdings_of(db.session, current_user.company_id)
    page = render_template("company/close.html", form=form, company=current_user.company, holdings=holdings)
    return page, 422 if form.errors else 200


def is_meant(form: CloseForm, company: Company) -> bool:
    """Whether the form names this company, and its password is right; its fields say what is not."""
    if text_of(form.name) != company.name:
        form.name.errors = [_("O nome da empresa não confere.")]
    elif not sessions.is_confirmed(form.current):
        form.current.errors = [sessions.why_refused()]
    return not form.errors


def files_of(app: Flask, company_id: int, zone: ZoneInfo, *, locale: str) -> Iterator[tuple[str, Iterator[str]]]:
    """The company's contacts, deliveries, attempts and audit log as CSV, each with its name, in this language."""
    with app.app_context(), force_locale(locale):
        names = [f"{name}.csv" for name in (_("contatos"), _("entregas"), _("tentativas"), _("auditoria"))]
    contacts = titles_of(locale), contact_export.reader_of(company_id, ContactFilter(), zone)
    deliveries = delivery_export.COLUMNS, delivery_export.reader_of(company_id, DeliveryFilter(), zone)
    attempts = ATTEMPT_COLUMNS, lambda after: read_attempts(company_id, zone, after)
    entries = audit_views.COLUMNS, audit_views.reader_of(company_id, AuditFilter(), zone)
    for name, (columns, read) in zip(names, (contacts, deliveries, attempts, entries), strict=True):
        yield name, csv_file.write_lines(app, columns, read, locale=locale)  # type: ignore[arg-type]


def read_attempts(company_id: int, zone: ZoneInfo, after: int | None) -> Batch[int]:
    """The tries of the next deliveries after that one, oldest first."""
    query = select(Delivery.id).where(Delivery.company_id == company_id, Delivery.id > (after or 0))
    numbers = db.session.scalars(query.order_by(Delivery.id).limit(csv_file.BATCH)).all()
    made = select(Attempt, Delivery.webhook_id).join(Delivery).where(Attempt.delivery_id.in_(numbers))
    rows = [
        [
            webhook_id,
            str(attempt.number),
            time_text(attempt.started_at, zone),
            str(attempt.duration_ms or ""),
            attempt.url,
            str(attempt.status_code or ""),
            attempt.reason,
            attempt.warning or "",
        ]
        for attempt, webhook_id in db.session.execute(made.order_by(Attempt.delivery_id, Attempt.id))
    ]
    return rows, numbers[-1] if len(numbers) == csv_file.BATCH else None
