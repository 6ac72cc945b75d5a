"""Personal data: for how long it is kept, and what went last."""

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.database.db import db
from portal.forms.fields import said
from portal.forms.settings import RetentionForm
from portal.privacy import retention
from portal.web import access
from portal.web.presentation import show_form
from portal.web.redirects import done

bp = access.Pages("privacy", __name__, url_prefix="/privacy")


@bp.route("", methods=["GET", "POST"], access="admin")
def index() -> ResponseReturnValue:
    """For how many days data is kept, and what the last purge took away."""
    company = current_user.company
    form, saved = RetentionForm(obj=company), {name: getattr(company, name) for name in retention.PERIODS}
    form.open_with(saved)
    if form.validate_on_submit() and form.agrees_with(saved):
        retention.keep_for(db.session, access.current_actor(), company, said(form))
        return done(_("Prazos salvos. A próxima limpeza já segue estes prazos."), url_for(".index"))
    report = retention.last_report(db.session, company.id)
    return show_form("privacy/index.html", form, report=report)
