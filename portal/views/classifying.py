"""Classifying many contacts: the ticked ones at once, and all that match the list's filter as a task."""

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from portal.company.endpoint import is_configured
from portal.contacts import classifying
from portal.database.db import db
from portal.database.paging import row_number
from portal.views import undoing
from portal.views.contacts import asked_filter, read_filter, read_level, read_ticked
from portal.views.jobs import begin_job
from portal.web import access
from portal.web.redirects import back_or

bp = access.Pages("classifying", __name__, url_prefix="/contacts/classify")


@bp.post("", access="member")
def ticked() -> ResponseReturnValue:
    """Classify the contacts that were ticked on a page of the list."""
    contact_ids, level = read_ticked(), read_level()
    if not contact_ids:
        flash(_("Nenhum contato foi marcado."), "info")
        return back_or(url_for("contacts.index"))
    results = classifying.classify_many(db.session, access.current_actor(), contact_ids, level)
    db.session.commit()
    undoing.offer(results, level)
    tell(sum(result.classified for result in results))
    return back_or(url_for("contacts.index"))


@bp.get("/all", access="member")
def confirm() -> ResponseReturnValue:
    """How many contacts match the filter of the address, and which level they are to have."""
    company_id = current_user.company_id
    return render_template(
        "classifying/confirm.html",
        matching=classifying.look(db.session, company_id, read_filter()),
        asked=asked_filter(),
        is_configured=is_configured(db.session, company_id),
    )


@bp.post("/all", access="member")
def start() -> ResponseReturnValue:
    """Classify what was counted there, as a task."""
    newest_id = request.form.get("newest_id", 0, type=row_number)
    actor = access.current_actor()
    task = classifying.start(db.session, actor, read_filter(), read_level(), newest_id=newest_id)
    return begin_job(task, instead=url_for(".confirm", **asked_filter()))


def tell(count: int) -> None:
    if count:
        flash(ngettext("%(num)s contato classificado.", "%(num)s contatos classificados.", count), "success")
    else:
        flash(_("Nada mudou: os contatos marcados já estavam neste nível."), "info")
