"""Why contacts have not arrived, or arrived with a warning: in groups by cause, with one note a group."""

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import clock
from portal.company.endpoint import get_endpoint
from portal.contacts import doubts, notes
from portal.contacts.syncing import LOOK_BACK, backlog_of, causes_of
from portal.database.db import db
from portal.deliveries.log import last_attempts
from portal.forms.contacts import NoteForm
from portal.web import access
from portal.web.redirects import back_or

bp = access.Pages("causes", __name__, url_prefix="/causes")


@bp.get("", access="member")
def index() -> ResponseReturnValue:
    company_id = current_user.company_id
    causes, doubtful = causes_of(db.session, company_id), doubts.doubts_of(db.session, company_id)
    named = [*(cause.delivery_id for cause in causes), *(doubt.delivery_id for doubt in doubtful)]
    return render_template(
        "causes/index.html",
        causes=causes,
        doubts=doubtful,
        examples=last_attempts(db.session, named),
        notes=notes.notes_of(db.session, company_id),
        note_length=notes.MAX_NOTE,
        backlog=backlog_of(db.session, company_id),
        look_back=LOOK_BACK,
        endpoint=get_endpoint(db.session, company_id),
        now=clock.utcnow(),
    )


@bp.post("", access="admin")
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
