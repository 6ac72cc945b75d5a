"""Triage: the contacts of a filter one at a time; a level, and the next one comes by itself."""

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.contacts import triage
from portal.contacts.campaigns import campaigns_of
from portal.contacts.classifying import ContactGone
from portal.contacts.listing import COUNT_CAP, HISTORY_CAP, count_contacts, history_of
from portal.contacts.standing import standings_of
from portal.contacts.triage import Overtaken, Turn
from portal.database.db import db
from portal.database.paging import row_number
from portal.people.users import people_of
from portal.views import undoing
from portal.views.contacts import asked_filter, get_contact_or_404, read_filter_or_say, read_level
from portal.web import access
from portal.web.asked import read_moment
from portal.web.redirects import see_other

SHOWN_MESSAGES = 6  # the last ones; those before them open by a click

bp = access.Pages("triage", __name__, url_prefix="/triage")


@bp.get("", access="member")
def index() -> ResponseReturnValue:
    """The first contact that matches, or the first after one that had its turn, or after the one before that."""
    wanted, after_ids = triage.meant(read_filter_or_say()), request.args.getlist("after", type=row_number)
    return page(triage.find_next(db.session, current_user.company_id, wanted, after_ids=after_ids[:2]))


@bp.get("/<int:contact_id>", access="member")
def show(contact_id: int) -> ResponseReturnValue:
    """One contact, even when it matches no more: whoever goes back wants to see it."""
    return page(triage.turn_of(db.session, get_contact_or_404(contact_id), triage.meant(read_filter_or_say())))


@bp.post("/<int:contact_id>", access="member")
def choose(contact_id: int) -> ResponseReturnValue:
    level, seen = read_level(), request.form.get("seen_at", "")
    seen_at = read_moment(seen)
    if seen and seen_at is None:
        abort(400)
    after = [contact_id, *request.form.getlist("previous", type=row_number)]
    following = url_for(".index", after=after, **asked_filter())
    try:
        saved = triage.choose(db.session, access.current_actor(), contact_id, level, seen_at=seen_at)
    except Overtaken as refusal:
        db.session.rollback()
        flash(refusal.sentence, "warning")
        return see_other(url_for(".show", contact_id=contact_id, **asked_filter()))
    except ContactGone:
        db.session.rollback()
        flash(_("Este contato não existe mais: foi apagado, ou unido a outro, enquanto você lia."), "warning")
        return see_other(following)
    db.session.commit()
    undoing.offer([saved], level)
    return see_other(following)


def page(turn: Turn | None) -> str:
    company_id, wanted = current_user.company_id, triage.meant(read_filter_or_say())
    choices = {
        "wanted": wanted,
        "asked": asked_filter(),
        "campaigns": campaigns_of(db.session, company_id),
        "people": people_of(db.session, company_id),
        "count_cap": COUNT_CAP,
    }
    if turn is None:
        return render_template("triage/end.html", skipped=count_contacts(db.session, company_id, wanted), **choices)
    return render_template(
        "triage/show.html",
        turn=turn,
        contact=turn.contact,
        state=standings_of(db.session, [turn.contact])[turn.contact.id].shown,
        history=history_of(db.session, turn.contact),
        history_cap=HISTORY_CAP,
        shown_messages=SHOWN_MESSAGES,
        **choices,
    )
