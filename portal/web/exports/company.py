"""What a company takes along: its lists as CSV files, for one ZIP. What was sent and answered is not in it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, select
from sqlalchemy.orm import QueryableAttribute

from portal.audit import AuditFilter
from portal.company.endpoint import get_endpoint
from portal.contacts.filtering import ContactFilter
from portal.contacts.table import titles_of
from portal.database.db import db
from portal.deliveries.filtering import DeliveryFilter
from portal.forms.people import ROLE_WORDS
from portal.models import Attempt, Campaign, Classification, Contact, Delivery, User
from portal.web import csv_file
from portal.web.csv_file import Batch, Reader, time_text
from portal.web.exports import audit, contacts, deliveries
from portal.working_models import CauseNote

ATTEMPT_COLUMNS = (
    _l("Código da entrega"),
    _l("Tentativa"),
    _l("Quando"),
    _l("Duração (ms)"),
    _l("URL"),
    _l("HTTP"),
    _l("Código do resultado"),
    _l("Aviso"),
)
CLASSIFICATION_COLUMNS = (_l("Número do contato"), _l("Quando"), _l("Nível anterior"), _l("Nível"), _l("Quem"))
CAMPAIGN_COLUMNS = (_l("Nome"), _l("Descrição"))
PERSON_COLUMNS = (_l("Nome"), _l("E-mail"), _l("Papel"), _l("Desde"), _l("Desativada em"))
NOTE_COLUMNS = (_l("Código do resultado"), _l("Nota"), _l("Quem"), _l("Quando"))


def files_of(app: Flask, company_id: int, zone: ZoneInfo, *, locale: str) -> Iterator[tuple[str, Iterator[str]]]:
    """The company's lists as CSV, each with its name, in this language."""
    with app.app_context(), force_locale(locale):
        has_link = get_endpoint(db.session, company_id).link_template is not None
        db.session.rollback()
        read_contacts = contacts.reader_of(company_id, ContactFilter(), zone, with_link=has_link)
        lists: list[tuple[str, Any, Reader[Any]]] = [
            (_("contatos"), titles_of(locale, with_link=has_link), read_contacts),
            (_("classificacoes"), CLASSIFICATION_COLUMNS, classifications_of(company_id, zone)),
            (_("campanhas"), CAMPAIGN_COLUMNS, campaigns_of(company_id)),
            (_("pessoas"), PERSON_COLUMNS, people_of(company_id, zone)),
            (_("entregas"), deliveries.COLUMNS, deliveries.reader_of(company_id, DeliveryFilter(), zone)),
            (_("tentativas"), ATTEMPT_COLUMNS, attempts_of(company_id, zone)),
            (_("notas"), NOTE_COLUMNS, notes_of(company_id, zone)),
            (_("auditoria"), audit.COLUMNS, audit.reader_of(company_id, AuditFilter(), zone)),
        ]
    for name, columns, read in lists:
        yield f"{name}.csv", csv_file.write_lines(app, columns, read, locale=locale)


def attempts_of(company_id: int, zone: ZoneInfo) -> Reader[int]:
    """The tries of each delivery, oldest first."""
    facts = (Attempt.number, Attempt.started_at, Attempt.duration_ms, Attempt.url)
    query = select(Delivery.webhook_id, *facts, Attempt.status_code, Attempt.reason, Attempt.warning)
    query = query.join_from(Attempt, Delivery).order_by(Attempt.delivery_id, Attempt.id)
    return _hanging_on(Delivery, company_id, query, Attempt.delivery_id, zone)


def classifications_of(company_id: int, zone: ZoneInfo) -> Reader[int]:
    """The history of each contact's level."""
    levels = (Classification.old_level, Classification.new_level)
    query = select(Classification.contact_id, Classification.created_at, *levels, Classification.actor)
    query = query.order_by(Classification.contact_id, Classification.id)
    return _hanging_on(Contact, company_id, query, Classification.contact_id, zone)


def campaigns_of(company_id: int) -> Reader[None]:
    """The company's campaigns, with their descriptions."""
    query = select(Campaign.name, Campaign.description).where(Campaign.company_id == company_id).order_by(Campaign.id)
    return lambda _after: ([[name, words or ""] for name, words in db.session.execute(query)], None)


def people_of(company_id: int, zone: ZoneInfo) -> Reader[None]:
    """The company's people, also those who only own contacts."""

    def read(_after: None) -> Batch[None]:
        people = db.session.scalars(select(User).where(User.company_id == company_id).order_by(User.id))
        facts = ((each, str(ROLE_WORDS.get(each.role or "", ""))) for each in people)
        return [
            _cells((each.name, each.email, role, each.created_at, each.disabled_at), zone) for each, role in facts
        ], None

    return read


def notes_of(company_id: int, zone: ZoneInfo) -> Reader[None]:
    """What was written about causes."""
    query = select(CauseNote.cause, CauseNote.text, CauseNote.actor, CauseNote.written_at)
    query = query.where(CauseNote.company_id == company_id).order_by(CauseNote.cause)
    return lambda _after: ([_cells(row, zone) for row in db.session.execute(query)], None)


def _hanging_on(
    kind: type[Contact] | type[Delivery],
    company_id: int,
    query: "Select[*tuple[Any, ...]]",
    key: QueryableAttribute[int],
    zone: ZoneInfo,
) -> Reader[int]:
    """Reads what hangs on the company's contacts or deliveries, for so many of these at a time."""

    def read(after: int | None) -> Batch[int]:
        of_company = select(kind.id).where(kind.company_id == company_id, kind.id > (after or 0))
        numbers = db.session.scalars(of_company.order_by(kind.id).limit(csv_file.BATCH)).all()
        rows = [_cells(row, zone) for row in db.session.execute(query.where(key.in_(numbers)))]
        return rows, numbers[-1] if len(numbers) == csv_file.BATCH else None

    return read


def _cells(row: Iterable[Any], zone: ZoneInfo) -> list[str]:
    """Facts as texts, times in the company's zone."""
    return [time_text(fact, zone) if isinstance(fact, datetime) else "" if fact is None else str(fact) for fact in row]
