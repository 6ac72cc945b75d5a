"""What the CRM does not know: why, in groups by cause with one note a group, and bringing it in sync.

What arrived with a warning has a page of its own, where somebody who looked into the CRM settles it.
"""

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import clock
from portal.company.endpoint import state_of
from portal.contacts import completing, doubts, notes, syncing
from portal.database.db import db
from portal.database.paging import row_number
from portal.deliveries.log import last_attempts
from portal.forms.contacts import NoteForm
from portal.i18n import ngettext
from portal.rules.verdict import WARNINGS
from portal.views.contacts import asked_filter, read_filter_or_say
from portal.views.jobs import begin_job
from portal.web import access
from portal.web.asked import read_moment
from portal.web.presentation import company_endpoint
from portal.web.redirects import back_or, done

bp = access.Pages("sync", __name__)


@bp.get("/sync", access="admin")
def confirm() -> ResponseReturnValue:
    """What would be sent, before anything is."""
    return render_template(
        "sync/confirm.html",
        by_level=syncing.count_out_of_sync(db.session, current_user.company_id),
        backlog=syncing.backlog_of(db.session, current_user.company_id),
        state=state_of(company_endpoint()),
    )


@bp.post("/sync", access="admin")
def start() -> ResponseReturnValue:
    """Begin; who asks twice is shown what was begun."""
    return begin_job(syncing.start(db.session, access.current_actor()), instead=url_for(".confirm"))


@bp.get("/sync/contacts", access="admin")
def confirm_current() -> ResponseReturnValue:
    """How many of the contacts that match the filter of the address would be sent, and why the others are not."""
    company_id = current_user.company_id
    return render_template(
        "sync/confirm_current.html",
        matching=completing.look(db.session, company_id, read_filter_or_say()),
        asked=asked_filter(),
        state=state_of(company_endpoint()),
    )


@bp.post("/sync/contacts", access="admin")
def start_current() -> ResponseReturnValue:
    """Send the current data of what was counted there, as a task."""
    newest_id = request.form.get("newest_id", 0, type=row_number)
    task = completing.start(db.session, access.current_actor(), read_filter_or_say(), newest_id=newest_id)
    return begin_job(task, instead=url_for(".confirm_current", **asked_filter()))


@bp.get("/causes", access="member")
def causes() -> ResponseReturnValue:
    company_id = current_user.company_id
    stuck, doubtful = syncing.causes_of(db.session, company_id), doubts.doubts_of(db.session, company_id)
    backlog = syncing.backlog_of(db.session, company_id)
    named = [*(cause.delivery_id for cause in stuck), *(doubt.delivery_id for doubt in doubtful)]
    return render_template(
        "sync/causes.html",
        causes=stuck,
        doubts=doubtful,
        examples=last_attempts(db.session, named),
        notes=notes.notes_of(db.session, company_id),
        note_length=notes.MAX_NOTE,
        backlog=backlog,
        unexplained=backlog.beside(stuck),
        look_back=syncing.LOOK_BACK,
        endpoint=company_endpoint(),
        now=clock.utcnow(),
    )


@bp.post("/causes", access="admin")
def write_note() -> ResponseReturnValue:
    """Write the note about one cause, or take it away."""
    cause, form = request.form.get("cause"), NoteForm()
    if cause not in notes.CAUSES:
        abort(400)
    if form.validate_on_submit():
        notes.write_note(db.session, access.current_actor(), cause, form.text.data or "")
        return done(_("Nota salva.") if form.text.data else _("Nota apagada."), url_for(".causes"))
    flash(" ".join(map(str, form.text.errors)), "error")
    return back_or(url_for(".causes"))


@bp.get("/warnings", access="member")
def warnings() -> ResponseReturnValue:
    """What the CRM accepted with words of an error: how many contacts, and why."""
    found = doubts.doubts_of(db.session, current_user.company_id)
    return render_template(
        "sync/warnings.html",
        doubts=found,
        examples=last_attempts(db.session, [doubt.delivery_id for doubt in found]),
        notes=notes.notes_of(db.session, current_user.company_id),
        note_length=notes.MAX_NOTE,
        now=clock.utcnow(),
    )


@bp.post("/warnings", access="admin")
def settle() -> ResponseReturnValue:
    """Settle all of a kind that were there when the page was."""
    warning, seen_at = request.form.get("warning"), read_moment(request.form.get("seen_at", ""))
    if warning not in WARNINGS or seen_at is None:
        abort(400)
    count = doubts.settle(db.session, access.current_actor(), warning=warning, seen_at=seen_at)
    return done(ngettext("%(num)s contato conferido.", "%(num)s contatos conferidos.", count), url_for(".warnings"))
