"""What the CRM accepted with words of an error: how many contacts, why, and that somebody looked there."""

from datetime import UTC, datetime

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext
from flask_login import current_user

from portal import clock
from portal.contacts import doubts, notes
from portal.database.db import db
from portal.deliveries.log import last_attempts
from portal.rules.verdict import WARNINGS
from portal.web import access
from portal.web.redirects import done

bp = access.Pages("warnings", __name__, url_prefix="/warnings")


@bp.get("", access="member")
def index() -> ResponseReturnValue:
    found = doubts.doubts_of(db.session, current_user.company_id)
    return render_template(
        "warnings/index.html",
        doubts=found,
        examples=last_attempts(db.session, [doubt.delivery_id for doubt in found]),
        notes=notes.notes_of(db.session, current_user.company_id),
        note_length=notes.MAX_NOTE,
        now=clock.utcnow(),
    )


@bp.post("", access="admin")
def settle() -> ResponseReturnValue:
    """Settle all of a kind that were there when the page was."""
    warning, seen_at = request.form.get("warning"), read_moment(request.form.get("seen_at", ""))
    if warning not in WARNINGS:
        abort(400)
    count = doubts.settle(db.session, access.current_actor(), warning=warning, seen_at=seen_at)
    return done(ngettext("%(num)s contato conferido.", "%(num)s contatos conferidos.", count), url_for(".index"))


def read_moment(text: str) -> datetime:
    """A moment that the page itself wrote."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else abort(400)
    except (ValueError, OverflowError):
        abort(400)
