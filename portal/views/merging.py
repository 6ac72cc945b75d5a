"""Merging two contacts that are one person: which look alike, what merging would do, and doing it."""

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from portal import outbox
from portal.contacts import merging
from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import page_contacts
from portal.database.db import db
from portal.database.paging import row_number
from portal.views.contacts import get_contact_or_404
from portal.web import access
from portal.web.redirects import see_other

MOST_FOUND = 10

bp = access.Pages("merging", __name__, url_prefix="/contacts")


@bp.get("/doubles", access="admin")
def doubles() -> ResponseReturnValue:
    """The contacts that look alike, in groups."""
    return render_template("merging/doubles.html", groups=merging.find_doubles(db.session, current_user.company_id))


@bp.get("/<int:contact_id>/merge", access="admin")
def confirm(contact_id: int) -> ResponseReturnValue:
    """What merging would do, before it is done; first, whom to merge the contact with."""
    contact = get_contact_or_404(contact_id)
    other_id = request.args.get("other", type=row_number)
    if other_id is None or other_id == contact_id:
        return choose(contact_id)
    other = get_contact_or_404(other_id)
    return render_template(
        "merging/confirm.html",
        contact=contact,
        other=other,
        filled=merging.blanks_of(contact, other),
        lost=merging.join(contact, other)[1],
        waiting=outbox.waiting_count_of(db.session, other.id),
    )


def choose(contact_id: int) -> ResponseReturnValue:
    contact, search = get_contact_or_404(contact_id), request.args.get("search", "").strip()
    found = page_contacts(db.session, contact.company_id, ContactFilter(search=search), limit=MOST_FOUND + 1).items
    others = [each for each in found if each.id != contact_id][:MOST_FOUND] if search else []
    alike = merging.find_doubles_of(db.session, contact)
    return render_template("merging/choose.html", contact=contact, alike=alike, search=search, others=others)


@bp.post("/<int:contact_id>/merge", access="admin")
def merge(contact_id: int) -> ResponseReturnValue:
    contact = get_contact_or_404(contact_id)
    other = get_contact_or_404(request.form.get("other", 0, type=row_number))
    lost = merging.merge(db.session, access.current_actor(), contact.id, other.id)
    db.session.commit()
    flash(_("Os dois contatos agora são um. Nada foi enviado."), "success")
    if lost:
        flash(
            ngettext(
                "A conversa dos dois passa de 2.000 mensagens: a mais antiga não coube.",
                "A conversa dos dois passa de 2.000 mensagens: as %(num)s mais antigas não couberam.",
                lost,
            ),
            "warning",
        )
    return see_other(url_for("contacts.show", contact_id=contact_id))
