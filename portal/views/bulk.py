"""Many contacts at once, the ticked ones or all that match the list's filter: another level, owner or campaign."""

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.contacts import assigning, classifying
from portal.contacts.assigning import Target
from portal.contacts.campaigns import campaigns_of
from portal.contacts.listing import contacts_of
from portal.database.db import db
from portal.database.paging import row_number
from portal.i18n import ngettext
from portal.people.users import people_of
from portal.views import undoing
from portal.views.contacts import asked_filter, read_filter_or_say, read_level, read_ticked
from portal.views.jobs import begin_job
from portal.web import access
from portal.web.redirects import back_or, done, see_other, told

bp = access.Pages("bulk", __name__, url_prefix="/contacts")


@bp.post("/classify", access="member")
def classify_ticked() -> ResponseReturnValue:
    """Classify the contacts that were ticked on a page of the list."""
    contact_ids, level = read_ticked(), read_level()
    if not contact_ids:
        flash(_("Nenhum contato foi marcado."), "info")
        return back_or(url_for("contacts.index"))
    results = classifying.classify_many(db.session, access.current_actor(), contact_ids, level)
    undoing.offer(results, level)
    if count := sum(result.classified for result in results):
        words = ngettext("%(num)s contato classificado.", "%(num)s contatos classificados.", count)
        return done(words, url_for("contacts.index"))
    return done(_("Nada mudou: os contatos marcados já estavam neste nível."), url_for("contacts.index"), "info")


@bp.get("/classify/all", access="member")
def confirm_level() -> ResponseReturnValue:
    """How many contacts match the filter of the address, and which level they are to have."""
    company_id = current_user.company_id
    return render_template(
        "bulk/confirm_level.html",
        matching=classifying.look(db.session, company_id, read_filter_or_say()),
        asked=asked_filter(),
    )


@bp.post("/classify/all", access="member")
def classify() -> ResponseReturnValue:
    """Classify the contacts that were counted, as a task."""
    newest_id = request.form.get("newest_id", 0, type=row_number)
    actor = access.current_actor()
    task = classifying.start(db.session, actor, read_filter_or_say(), read_level(), newest_id=newest_id)
    return begin_job(task, instead=url_for(".confirm_level", **asked_filter()))


@bp.post("/assign/ticked", access="member")
def assign_ticked() -> ResponseReturnValue:
    """The contacts that were ticked on a page of the list."""
    if contact_ids := read_ticked():
        return see_other(url_for(".confirm_target", contact=contact_ids))
    return told(_("Nenhum contato foi marcado."), "info", url_for("contacts.index"))


@bp.get("/assign", access="member")
def confirm_target() -> ResponseReturnValue:
    """How many contacts the address names or its filter matches, and whom to give them to."""
    company_id = current_user.company_id
    named = read_ticked()
    ours = [contact.id for contact in contacts_of(db.session, company_id, named)]
    matching = None if named else classifying.look(db.session, company_id, read_filter_or_say())
    return render_template(
        "bulk/confirm_target.html",
        ticked=ours,
        count=matching.count if matching else len(ours),
        newest_id=matching.newest_id if matching else 0,
        asked=asked_filter(),
        campaigns=campaigns_of(db.session, company_id),
        people=people_of(db.session, company_id),
    )


@bp.post("/assign", access="member")
def assign() -> ResponseReturnValue:
    """Move the contacts that were counted, as a task."""
    actor, wanted = access.current_actor(), read_filter_or_say()
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
    return begin_job(task, instead=url_for(".confirm_target", **asked_filter()))
