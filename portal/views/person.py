"""One person: the data as a file, erasing it, and merging two contacts that are one person."""

from typing import Any

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user

from portal import clock, outbox
from portal.contacts import merging
from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import page_contacts
from portal.database.db import db
from portal.database.paging import row_number
from portal.i18n import ngettext
from portal.privacy import erasing
from portal.privacy.export import export_contact, export_deliveries
from portal.runtime import runtime, this_app
from portal.views.contacts import get_contact_or_404
from portal.web import access
from portal.web.files import attachment, write_json
from portal.web.redirects import see_other

MOST_FOUND = 10

bp = access.Pages("person", __name__, url_prefix="/contacts")


@bp.get("/<int:contact_id>/erase", access="admin")
def confirm_erase(contact_id: int) -> ResponseReturnValue:
    """Say what erasing would do, before it is done."""
    contact = get_contact_or_404(contact_id)
    return render_template(
        "person/erase.html", contact=contact, waiting=outbox.waiting_count_of(db.session, contact.id)
    )


@bp.post("/<int:contact_id>/erase", access="admin")
def erase(contact_id: int) -> ResponseReturnValue:
    contact, held = get_contact_or_404(contact_id), runtime()
    done = erasing.erase_contact(db.session, contact, access.current_actor(), vault=held.vault)
    db.session.commit()
    erasing.finish(db.engine, held.settings.instance)
    flash(_("Os dados da pessoa foram apagados. No registro fica só a prova do envio, sem os dados."), "success")
    if done.tasks:
        flash(_("Uma importação em andamento trazia esta pessoa, e por isso foi interrompida."), "warning")
    return see_other(url_for("contacts.index"))


@bp.get("/<int:contact_id>/person.json", access="admin")
def download(contact_id: int) -> ResponseReturnValue:
    """Everything that is kept about one person, as a file."""
    contact = get_contact_or_404(contact_id)
    kept = export_contact(db.session, access.current_actor(), contact, now=clock.utcnow())

    def read(after: int | None) -> tuple[list[dict[str, Any]], int | None]:
        return export_deliveries(db.session, contact_id, after=after)

    text = write_json(this_app(), kept, "deliveries", read, locale=str(get_locale()))
    return attachment(text, f"{_('contato')}-{contact_id}.json", "application/json")


@bp.get("/doubles", access="admin")
def doubles() -> ResponseReturnValue:
    """The contacts that look alike, in groups."""
    return render_template("person/doubles.html", groups=merging.find_doubles(db.session, current_user.company_id))


@bp.get("/<int:contact_id>/merge", access="admin")
def confirm_merge(contact_id: int) -> ResponseReturnValue:
    """What merging would do, before it is done; first, whom to merge the contact with."""
    contact = get_contact_or_404(contact_id)
    other_id = request.args.get("other", type=row_number)
    if other_id is None or other_id == contact_id:
        return choose(contact_id)
    other = get_contact_or_404(other_id)
    return render_template(
        "person/confirm_merge.html",
        contact=contact,
        other=other,
        filled=merging.blanks_of(contact, other),
        lost=merging.join(contact, other)[1],
        waiting=outbox.waiting_count_of(db.session, other.id),
    )


def choose(contact_id: int) -> ResponseReturnValue:
    contact = get_contact_or_404(contact_id)
    search = request.args.get("search", contact.name).strip()
    found = page_contacts(db.session, contact.company_id, ContactFilter(search=search), limit=MOST_FOUND + 1).items
    alike = merging.find_doubles_of(db.session, contact)
    others = [each for each in found if each not in (contact, *alike)][:MOST_FOUND] if search else []
    return render_template("person/choose.html", contact=contact, alike=alike, search=search, others=others)


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
                "A conversa dos dois passa de 2.000 mensagens ou 500.000 caracteres: a mais antiga não coube.",
                "A conversa dos dois passa de 2.000 mensagens ou 500.000 caracteres: "
                "as %(num)s mais antigas não couberam.",
                lost,
            ),
            "warning",
        )
    return see_other(url_for("contacts.show", contact_id=contact_id))
