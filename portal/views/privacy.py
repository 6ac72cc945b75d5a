"""Personal data: for how long it is kept, and what went last."""

from flask import flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.database.db import db
from portal.forms.settings import RetentionForm
from portal.privacy import retention
from portal.web import access
from portal.web.redirects import see_other

bp = access.Pages("privacy", __name__, url_prefix="/privacy")


@bp.route("", methods=["GET", "POST"], access="admin")
def index() -> ResponseReturnValue:
    """For how many days data is kept, and what the last purge took away."""
    company = current_user.company
    form = RetentionForm(obj=company)
    if form.validate_on_submit():
        days = {name: value for name, value in form.data.items() if name in retention.PERIODS}
        retention.keep_for(db.session, access.current_actor(), company, days)
        db.session.commit()
        flash(_("Prazos salvos. A próxima limpeza já segue estes prazos."), "success")
        return see_other(url_for(".index"))
    report = retention.last_report(db.session, company.id)
    page = render_template("privacy/index.html", form=form, report=report)
    return page, 422 if form.errors else 200
