"""One person's data: all that is kept as a file, and erasing it."""

import json

from flask import flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal import clock, outbox
from portal.database.db import db
from portal.privacy import erasing
from portal.privacy.export import export_contact
from portal.runtime import runtime
from portal.views.contacts import get_contact_or_404
from portal.web import access
from portal.web.files import attachment
from portal.web.redirects import see_other

bp = access.Pages("person", __name__, url_prefix="/contacts/<int:contact_id>")


@bp.get("/erase", access="admin")
def confirm_erase(contact_id: int) -> ResponseReturnValue:
    """Say what erasing would do, before it is done."""
    contact = get_contact_or_404(contact_id)
    return render_template(
        "contacts/erase.html", contact=contact, waiting=outbox.waiting_count_of(db.session, contact.id)
    )


@bp.post("/erase", access="admin")
def erase(contact_id: int) -> ResponseReturnValue:
    contact, held = get_contact_or_404(contact_id), runtime()
    done = erasing.erase_contact(db.session, contact, access.current_actor(), vault=held.vault)
    db.session.commit()
    erasing.finish(db.engine, held.settings.instance)
    flash(_("Os dados da pessoa foram apagados. No registro fica só a prova do envio, sem os dados."), "success")
    if done.tasks:
        flash(_("Uma importação em andamento trazia esta pessoa, e por isso foi interrompida."), "warning")
    return see_other(url_for("contacts.index"))


@bp.get("/person.json", access="admin")
def download(contact_id: int) -> ResponseReturnValue:
    """Everything that is kept about one person, as a file."""
    contact = get_contact_or_404(contact_id)
    kept = export_contact(db.session, access.current_actor(), contact, now=clock.utcnow())
    text = json.dumps(kept, ensure_ascii=False, indent=2)
    return attachment(text + "\n", f"{_('contato')}-{contact_id}.json", "application/json")
