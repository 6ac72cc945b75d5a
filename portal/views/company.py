"""The company: its name, and the time zone of its dates."""

from datetime import UTC, datetime
from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import clock
from portal.database.backup import nightly
from portal.database.db import db
from portal.forms.fields import text_of
from portal.forms.settings import CompanyForm
from portal.people import users
from portal.runtime import runtime
from portal.web import access
from portal.web.presentation import show_form
from portal.web.redirects import done

bp = access.Pages("company", __name__, url_prefix="/company")


@bp.route("", methods=["GET", "POST"], access="admin")
def index() -> ResponseReturnValue:
    company = current_user.company
    form = CompanyForm(obj=company)
    if form.validate_on_submit():
        given = {"name": text_of(form.name), "timezone": text_of(form.timezone)}
        if users.change_company(db.session, access.current_actor(), company, **given):
            return done(_("Alterações salvas."), url_for(".index"))
        form.name.errors = [_("Já existe uma empresa com este nome.")]
    return show_form("company/index.html", form, **backup_facts())


def backup_facts() -> dict[str, Any]:
    """When the last backup was made, and since when there has been none for too long."""
    settings, now = runtime().settings, clock.utcnow()
    made_at = nightly.last_made_at(settings.backups)
    overdue = nightly.find_overdue(settings.backups, begun_at=current_user.company.created_at, now=now)
    return {
        "backed_up_at": None if made_at is None else datetime.fromtimestamp(made_at, UTC),
        "no_backup_since": overdue if settings.backup_at is not None else None,
    }
