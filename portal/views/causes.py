"""Why contacts have not arrived, or arrived with a warning: in groups by cause, with one note a group.

What arrived with a warning has a page of its own, where somebody who looked into the CRM settles it.
"""

from datetime import UTC, datetime

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from portal import clock
from portal.company.endpoint import get_endpoint
from portal.contacts import doubts, notes
from portal.contacts.syncing import LOOK_BACK, backlog_of, causes_of
from portal.database.db import db
from portal.deliveries.log import last_attempts
from portal.forms.contacts import NoteForm
from portal.rules.verdict import WARNINGS
from portal.web import access
from portal.web.redirects import back_or, done

bp = access.Pages("causes", __name__)


@bp.get("/causes", access="member")
def index() -> ResponseReturnValue:
    company_id = current_user.company_id
    causes, doubtful = causes_of(db.session, company_id), doubts.doubts_of(db.session, company_id)
    backlog = backlog_of(db.session, company_id)
    named = [*(cause.delivery_id for cause in causes), *(doubt.delivery_id for doubt in doubtful)]
    return render_template(
        "causes/index.html",
        causes=causes,
        doubts=doubtful,
        examples=last_attempts(db.session, named),
        notes=notes.notes_of(db.session, company_id),
        note_length=notes.MAX_NOTE,
        backlog=backlog,
        unexplained=backlog.beside(causes),
        look_back=LOOK_BACK,
        endpoint=get_endpoint(db.session, company_id),
        now=clock.utcnow(),
    )


@bp.post("/causes", access="admin")
def write() -> ResponseReturnValue:
    """Write the note about one cause, or take it away."""
    cause, form = request.form.get("cause"), NoteForm()
    if cause not in notes.CAUSES:
        abort(400)
    if form.validate_on_submit():
        notes.write_note(db.session, access.current_actor(), cause, form.text.data or "")
        db.session.commit()
        flash(_("Nota salva.") if form.text.data else _("Nota apagada."), "success")
    else:
        flash(" ".join(map(str, form.text.errors)), "error")
    return back_or(url_for(".index"))


@bp.get("/warnings", access="member")
def warnings() -> ResponseReturnValue:
    """What the CRM accepted with words of an error: how many contacts, and why."""
    found = doubts.doubts_of(db.session, current_user.company_id)
    return render_template(
        "warnings/index.html",
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
    if warning not in WARNINGS:
        abort(400)
    count = doubts.settle(db.session, access.current_actor(), warning=warning, seen_at=seen_at)
    return done(ngettext("%(num)s contato conferido.", "%(num)s contatos conferidos.", count), url_for(".warnings"))


def read_moment(text: str) -> datetime:
    """A moment that the page itself wrote."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else abort(400)
    except (ValueError, OverflowError):
        abort(400)
