"""The entries of the audit log that a filter shows, newest first."""

from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l

from portal.audit import AuditFilter, page_entries
from portal.database.db import db
from portal.models import AuditEntry
from portal.web import csv_file
from portal.web.audit_words import action_words
from portal.web.csv_file import time_text

COLUMNS = (_l("Quando"), _l("Quem"), _l("O que fez"), _l("Código"), _l("Sobre o quê"), _l("De onde"), _l("Vezes"))


def reader_of(company_id: int, wanted: AuditFilter, zone: ZoneInfo) -> csv_file.Reader[str]:
    """What reads the rows of the acts that match."""

    def read(cursor: str | None) -> csv_file.Batch[str]:
        page = page_entries(db.session, company_id, wanted, limit=csv_file.BATCH, cursor=cursor)
        return [row_of(entry, zone) for entry in page.items], page.next_cursor

    return read


def row_of(entry: AuditEntry, zone: ZoneInfo) -> list[str]:
    """The cells of one act, its time in the company's zone."""
    return [
        time_text(entry.created_at, zone),
        entry.actor,
        action_words(entry.action),
        entry.action,
        entry.subject or "",
        entry.ip or "",
        str(entry.times),
    ]
