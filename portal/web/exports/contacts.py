"""The contacts that a filter shows, by name, in a form that an import takes back as it is."""

from zoneinfo import ZoneInfo

from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import read_contacts
from portal.contacts.table import row_of
from portal.database.db import db
from portal.deliveries.opening import crm_addresses_of
from portal.web import csv_file


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
