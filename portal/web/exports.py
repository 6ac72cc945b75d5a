"""Lists as the rows of CSV files, for the pages' downloads and for the ZIP that a company takes along.

What was sent and answered is in none of them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, select
from sqlalchemy.orm import QueryableAttribute

from portal.audit import AuditFilter, page_entries
from portal.company.endpoint import get_endpoint
from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import read_contacts
from portal.contacts.table import row_of, titles_of
from portal.database.db import db
from portal.database.paging import Page
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.log import page_deliveries
from portal.deliveries.opening import crm_addresses_of
from portal.forms.people import ROLE_WORDS
from portal.models import Attempt, Campaign, Classification, Contact, Delivery, User
from portal.outbox.next_try import next_try_of
from portal.web import files
from portal.web.audit_words import action_words
from portal.web.files import Batch, Reader, time_text
from portal.web.presentation import reason_title
from portal.working_models import CauseNote

Columns = Sequence[tuple[Any, Callable[[Any], Any]]]  # titles, each with what makes a row's cell

STATUS_WORDS = {
    "pending": _l("Aguardando"),
    "sending": _l("Enviando"),
    "delivered": _l("Entregue"),
    "failed": _l("Falhou"),
    "superseded": _l("Substituída"),
    "cancelled": _l("Cancelada"),
}
TRIGGER_WORDS = {"classification": _l("Classificação"), "sync": _l("Sincronização"), "test": _l("Teste")}
DELIVERY_COLUMNS: Columns = (
    (_l("Código da entrega"), lambda each: each.webhook_id),
    (_l("Quando"), lambda each: each.created_at),
    (_l("Estado"), lambda each: STATUS_WORDS[each.status]),
    (_l("Contato"), lambda each: each.contact.name if each.contact else "" if each.is_test else _("Contato apagado")),
    (_l("LinkedIn"), lambda each: each.contact and each.contact.linkedin_public_id),
    (_l("Campanha"), lambda each: each.campaign and each.campaign.name),
    (_l("Responsável"), lambda each: each.owner and each.owner.name),
    (_l("Nível anterior"), lambda each: each.previous_level),
    (_l("Nível"), lambda each: each.interest_level),
    (_l("Origem"), lambda each: TRIGGER_WORDS.get(each.trigger, each.trigger)),
    (_l("Quem"), lambda each: each.actor),
    (_l("Resultado"), lambda each: each.reason and reason_title(each.reason)),
    (_l("Código do resultado"), lambda each: each.reason),
    (_l("Tentativas"), lambda each: each.attempt_count),
    (_l("Entregue em"), lambda each: each.delivered_at),
    (_l("Próxima tentativa"), lambda each: (coming := next_try_of(each)) and coming.at),
)
AUDIT_COLUMNS: Columns = (
    (_l("Quando"), lambda entry: entry.created_at),
    (_l("Quem"), lambda entry: entry.actor),
    (_l("O que fez"), lambda entry: action_words(entry.action)),
    (_l("Código"), lambda entry: entry.action),
    (_l("Sobre o quê"), lambda entry: entry.subject),
    (_l("De onde"), lambda entry: entry.ip),
    (_l("Vezes"), lambda entry: entry.times),
)
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
        read_contacts = contacts_of(company_id, ContactFilter(), zone, with_link=has_link)
        lists: list[tuple[str, Any, Reader[Any]]] = [
            (_("contatos"), titles_of(locale, with_link=has_link), read_contacts),
            (_("classificacoes"), CLASSIFICATION_COLUMNS, classifications_of(company_id, zone)),
            (_("campanhas"), CAMPAIGN_COLUMNS, campaigns_of(company_id)),
            (_("pessoas"), PERSON_COLUMNS, people_of(company_id, zone)),
            (_("entregas"), titles_in(DELIVERY_COLUMNS), deliveries_of(company_id, DeliveryFilter(), zone)),
            (_("tentativas"), ATTEMPT_COLUMNS, attempts_of(company_id, zone)),
            (_("notas"), NOTE_COLUMNS, notes_of(company_id, zone)),
            (_("auditoria"), titles_in(AUDIT_COLUMNS), entries_of(company_id, AuditFilter(), zone)),
        ]
    for name, columns, read in lists:
        yield f"{name}.csv", files.write_lines(app, columns, read, locale=locale)


def titles_in(columns: Columns) -> list[Any]:
    """The header row."""
    return [title for title, _cell in columns]


def contacts_of(company_id: int, wanted: ContactFilter, zone: ZoneInfo, *, with_link: bool) -> Reader[tuple[str, int]]:
    """The contacts that a filter shows, by name, in a form that an import takes back, perhaps with their links."""

    def read(after: tuple[str, int] | None) -> Batch[tuple[str, int]]:
        rows = read_contacts(db.session, company_id, wanted, after=after, limit=files.BATCH, with_messages=True)
        last = (rows[-1].search_name, rows[-1].id) if len(rows) == files.BATCH else None
        links = crm_addresses_of(db.session, company_id, rows) if with_link else {}
        more = [[links.get(contact.id, "")] if with_link else [] for contact in rows]
        return [row_of(contact, zone) + link for contact, link in zip(rows, more, strict=True)], last

    return read


def deliveries_of(company_id: int, wanted: DeliveryFilter, zone: ZoneInfo) -> Reader[str]:
    """The deliveries that a filter shows, newest first."""
    return _paged(partial(page_deliveries, db.session, company_id, wanted), DELIVERY_COLUMNS, zone)


def entries_of(company_id: int, wanted: AuditFilter, zone: ZoneInfo) -> Reader[str]:
    """The entries of the audit log that a filter shows, newest first."""
    return _paged(partial(page_entries, db.session, company_id, wanted), AUDIT_COLUMNS, zone)


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


def _paged(page: Callable[..., Page[Any]], columns: Columns, zone: ZoneInfo) -> Reader[str]:
    """Reads a list page by page; each row has a cell for each of the columns."""

    def read(cursor: str | None) -> Batch[str]:
        found = page(limit=files.BATCH, cursor=cursor)
        rows = [_cells((cell(each) for _title, cell in columns), zone) for each in found.items]
        return rows, found.next_cursor

    return read


def _hanging_on(
    kind: type[Contact] | type[Delivery],
    company_id: int,
    query: "Select[*tuple[Any, ...]]",
    key: QueryableAttribute[int],
    zone: ZoneInfo,
) -> Reader[int]:
    """Reads the rows that belong to contacts or deliveries of the company, for one batch of these at a time."""

    def read(after: int | None) -> Batch[int]:
        of_company = select(kind.id).where(kind.company_id == company_id, kind.id > (after or 0))
        numbers = db.session.scalars(of_company.order_by(kind.id).limit(files.BATCH)).all()
        rows = [_cells(row, zone) for row in db.session.execute(query.where(key.in_(numbers)))]
        return rows, numbers[-1] if len(numbers) == files.BATCH else None

    return read


def _cells(row: Iterable[Any], zone: ZoneInfo) -> list[str]:
    """Facts as texts, times in the company's zone."""
    return [time_text(fact, zone) if isinstance(fact, datetime) else "" if fact is None else str(fact) for fact in row]
