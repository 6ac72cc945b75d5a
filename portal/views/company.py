"""The company: its name, the time zone of its dates, its data as files, and closing it."""

from zoneinfo import ZoneInfo

from flask import flash, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user, logout_user

from portal import clock
from portal.database.backup import nightly
from portal.database.db import db
from portal.forms.fields import said, text_of
from portal.forms.settings import CloseForm, CompanyForm
from portal.models import Company
from portal.people import users
from portal.privacy import closing, erasing
from portal.privacy.export import note_company_export
from portal.runtime import runtime, this_app
from portal.web import access, sessions
from portal.web.exports import files_of
from portal.web.files import attachment, write_zip
from portal.web.presentation import show_form
from portal.web.redirects import done, see_other

bp = access.Pages("company", __name__, url_prefix="/company")


@bp.route("", methods=["GET", "POST"], access="admin")
def index() -> ResponseReturnValue:
    company = current_user.company
    form, saved = CompanyForm(obj=company), {"name": company.name, "timezone": company.timezone}
    form.open_with(saved)
    if form.validate_on_submit() and form.agrees_with(saved):
        if users.change_company(db.session, access.current_actor(), company, **said(form)):
            return done(_("Alterações salvas."), url_for(".index"))
        form.name.errors = [_("Já existe uma empresa com este nome.")]
    settings, begun_at = runtime().settings, current_user.company.created_at
    overdue = nightly.find_overdue(settings.backups, begun_at=begun_at, now=clock.utcnow())
    return show_form(
        "company/index.html",
        form,
        backed_up_at=nightly.last_made_at(settings.backups),
        no_backup_since=overdue if settings.backup_at is not None else None,
    )


@bp.get("/data.zip", access="admin")
def download() -> ResponseReturnValue:
    """The company's lists in one file."""
    company_id, zone, locale = current_user.company_id, ZoneInfo(current_user.company.timezone), str(get_locale())
    note_company_export(db.session, access.current_actor())
    pieces = write_zip(files_of(this_app(), company_id, zone, locale=locale))
    named = f"{_('dados')}-{clock.utcnow().astimezone(zone):%Y-%m-%d}.zip"
    return attachment(pieces, named, "application/zip")


@bp.route("/close", methods=["GET", "POST"], access="admin")
def close() -> ResponseReturnValue:
    """Say what would go. Close the company for good once somebody types its name and the password."""
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
    return show_form("company/close.html", form, company=current_user.company, holdings=holdings)


def is_meant(form: CloseForm, company: Company) -> bool:
    """Whether the form names this company and holds the right password. Its fields say what is wrong."""
    if text_of(form.name) != company.name:
        form.name.errors = [_("O nome da empresa não confere.")]
        return False
    return sessions.is_confirmed(form.current)
