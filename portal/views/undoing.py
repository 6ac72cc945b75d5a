"""Undoing a level that was just set: offered on the next page, or by the answer to a click, for ten seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import flash, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import clock
from portal.contacts import undoing
from portal.contacts.listing import contacts_of
from portal.contacts.saved import Saved
from portal.contacts.undoing import OFFERED, Undone
from portal.database.db import db
from portal.database.paging import row_number
from portal.i18n import ngettext
from portal.web import access
from portal.web.asked import read_moment
from portal.web.redirects import back_or

bp = access.Pages("undoing", __name__, url_prefix="/contacts")

MOST = 50


@dataclass(frozen=True)
class Offer:
    """What can be undone: whose level was set, to what, and when."""

    names: Sequence[str]
    contact_ids: Sequence[int]
    level: int | None
    set_at: str
    milliseconds: int  # for how long it is still offered


def offer(results: Sequence[Saved], level: int | None) -> None:
    """Keep in the session what the next answer offers to undo."""
    changed = [result for result in results if result.classified and result.classified_at]
    session.pop("undoable", None)
    if changed and changed[0].classified_at:
        set_at = changed[0].classified_at.isoformat()
        session["undoable"] = [[result.contact_id for result in changed][:MOST], level, set_at]


@bp.app_template_global()
def current_offer() -> Offer | None:
    """What can still be undone, once: the page after next does not offer it again."""
    contact_ids, level, set_at = session.pop("undoable", None) or ((), None, "")
    moment = read_moment(set_at)
    left = OFFERED - (clock.utcnow() - moment) if moment else timedelta(0)
    if left <= timedelta(0):
        return None
    names = [contact.name for contact in contacts_of(db.session, current_user.company_id, contact_ids)]
    return Offer(names, contact_ids, level, set_at, round(left / timedelta(milliseconds=1)))


@bp.post("/undo", access="member")
def undo() -> ResponseReturnValue:
    """Undo it, and say what became of it, and what the CRM keeps."""
    contact_ids = request.form.getlist("contact", type=row_number)[:MOST]
    actor, moment = access.current_actor(), read_moment(request.form.get("set_at", ""))
    done = undoing.undo(db.session, actor, contact_ids, set_at=moment) if moment else Undone()
    db.session.commit()
    tell(done)
    return back_or(url_for("contacts.index"))


def tell(done: Undone) -> None:
    if not done.contact_ids:
        flash(_("Nada foi desfeito: o prazo passou, ou o nível mudou de novo."), "warning")
        return
    count = len(done.contact_ids)
    flash(
        ngettext(
            "Desfeito: %(num)s contato voltou ao que era.", "Desfeito: %(num)s contatos voltaram ao que eram.", count
        ),
        "success",
    )
    if done.told:
        flash(_("O nível já tinha saído, e o CRM é avisado de novo do nível de antes."), "info")
    for level in set(done.kept_by_crm.values()):
        flash(_("O CRM continua com %(level)s: a remoção de um nível não é enviada.", level=level), "warning")
