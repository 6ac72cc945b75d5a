"""Giving many contacts another owner or campaign: the ticked ones, and all that match the list's filter, as a task."""

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.contacts import assigning, classifying
from portal.contacts.assigning import Target
from portal.contacts.listing import campaigns_of, contacts_of, people_of
from portal.database.db import db
from portal.database.paging import row_number
from portal.views.contacts import asked_filter, read_filter, read_ticked
from portal.views.jobs import begin_job
from portal.web import access
from portal.web.redirects import see_other

bp = access.Pages("assigning", __name__, url_prefix="/contacts/assign")


@bp.post("/ticked", access="member")
def ticked() -> ResponseReturnValue:
    """The contacts that were ticked on a page of the list."""
    if contact_ids := read_ticked():
        return see_other(url_for(".confirm", contact=contact_ids))
    flash(_("Nenhum contato foi marcado."), "info")
    return see_other(url_for("contacts.index"))


@bp.get("", access="member")
def confirm() -> ResponseReturnValue:
    """How many contacts match the filter of the address, or are named there, and whom to give them to."""
    company_id = current_user.company_id
    named = read_ticked()
    ours = [contact.id for contact in contacts_of(db.session, company_id, named)]
    matching = None if named else classifying.look(db.session, company_id, read_filter())
    return render_template(
        "assigning/confirm.html",
        ticked=ours,
        count=matching.count if matching else len(ours),
        newest_id=matching.newest_id if matching else 0,
        asked=asked_filter(),
        campaigns=campaigns_of(db.session, company_id),
        people=people_of(db.session, company_id),
    )


@bp.post("", access="member")
def start() -> ResponseReturnValue:
    """Begin with what was counted there, as a task."""
    actor, wanted = access.current_actor(), read_filter()
    target = Target(*(request.form.get(name, type=row_number) for name in ("owner", "campaign")))
    ticked = read_ticked()
    try:
        if ticked:
            task = assigning.prepare(db.session, actor, ticked, target)
        else:
            newest_id = request.form.get("newest_id", 0, type=row_number)
            task = assigning.start(db.session, actor, wanted, target, newest_id=newest_id)
    except LookupError:
        abort(400)
    return begin_job(task, instead=url_for(".confirm", **asked_filter()))
