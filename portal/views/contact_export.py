"""The contacts as a CSV file: what the list's filter shows, by name, in a form that an import takes back as it is."""

from zoneinfo import ZoneInfo

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user

from portal.company.endpoint import get_endpoint
from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import read_contacts
from portal.contacts.table import row_of, titles_of
from portal.database.db import db
from portal.deliveries.opening import crm_addresses_of
from portal.views.contacts import read_filter
from portal.web import access, csv_file

bp = Blueprint("contact_export", __name__)


@bp.get("/contacts.csv")
@access.member
def download() -> ResponseReturnValue:
    company_id, zone, wanted = current_user.company_id, ZoneInfo(current_user.company.timezone), read_filter()
    has_link = get_endpoint(db.session, company_id).link_template is not None
    titles = titles_of(str(get_locale()), with_link=has_link)
    read = reader_of(company_id, wanted, zone, with_link=has_link)
    return csv_file.download(_("contatos"), titles, read, zone=zone, action="contacts.exported")


def reader_of(
    company_id: int, wanted: ContactFilter, zone: ZoneInfo, *, with_link: bool = False
) -> csv_file.Reader[tuple[str, int]]:
    """What reads the rows of the contacts that match, perhaps with the link of each to the CRM."""

    def read(after: tuple[str, int] | None) -> csv_file.Batch[tuple[str, int]]:
        rows = read_contacts(db.session, company_id, wanted, after=after, limit=csv_file.BATCH, with_messages=True)
        last = (rows[-1].search_name, rows[-1].id) if len(rows) == csv_file.BATCH else None
        cells = [row_of(contact, zone) for contact in rows]
        if with_link:
            links = crm_addresses_of(db.session, company_id, rows)
            cells = [[*row, links.get(contact.id, "")] for row, contact in zip(cells, rows, strict=True)]
        return cells, last

    return read
