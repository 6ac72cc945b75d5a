"""Importing contacts from files: read as they come, cut into chunks, saved by the same rules as everywhere.

`examine` says what a file is. `prepare` keeps it as a task, and `work` is how a worker does it; the console takes the
chunks by itself. A bad row is kept with its line and the reason, and loses no good one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.contacts.checking import ContactItem, InvalidContact
from portal.contacts.saving import Saved, save_batch
from portal.database.db import reading as read_only
from portal.importing.columns import Column
from portal.importing.encoding import Blocks, FileProblem, open_text
from portal.importing.findings import (
    Finding,
    bad_row,
    blank_findings,
    first_findings,
    read_findings,
    store_findings,
    warning,
)
from portal.importing.layout import Examined, Layout, examine, read_rows
from portal.importing.reading import Record
from portal.importing.rows import RowReader
from portal.importing.spreadsheet import as_text_file
from portal.models import Company, Task, User
from portal.rules.folding import fold
from portal.tasks import slices, store
from portal.tasks.store import Chunk, Done, TaskClaim

__all__ = [
    "KIND",
    "Column",
    "Examined",
    "FileProblem",
    "Finding",
    "Layout",
    "Order",
    "PreviewRow",
    "as_text_file",
    "begin",
    "blank_findings",
    "cut_into_chunks",
    "examine",
    "first_findings",
    "prepare",
    "preview",
    "read_findings",
    "read_text",
    "row_reader",
    "work",
]

KIND = "import"
CHUNK_ROWS = 400
CHUNK_CHARACTERS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody asked to be imported, and how."""

    layout: Layout
    columns: tuple[str | None, ...]
    user_id: int
    """Who owns a contact that names no owner."""
    filename: str = ""
    campaign: str | None = None
    """For rows that name none."""
    is_sending: bool = True
    offers: tuple[str | None, ...] = ()
    """The field that each column might hold after all, where its name alone does not tell."""

    @classmethod
    def of(cls, found: Examined, **choices: Any) -> "Order":
        """The order for a file as it was understood."""
        columns = tuple(each.field for each in found.columns)
        offers = tuple(each.offer for each in found.columns)
        return cls(layout=found.layout, columns=columns, offers=offers, **choices)

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "layout": self.layout.as_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Order":
        tuples = {name: tuple(stored.get(name, ())) for name in ("columns", "offers")}
        tuples["offers"] = tuples["offers"] or (None,) * len(tuples["columns"])
        return cls(**{**stored, **tuples, "layout": Layout.from_json(stored["layout"])})


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One of the first rows as it would be imported, or what is wrong with it."""

    line: int
    cells: Sequence[str]
    item: ContactItem | None
    findings: Sequence[Finding]


def prepare(session: Session, actor: Actor, order: Order, *, total: int, blocks: Blocks) -> Task:
    """Keep a file that was examined, as a draft of a task."""
    row = store.create(session, actor, KIND, total=total, arguments=order.as_json())
    slices.store_input(session, row.id, blocks())
    return row


def begin(session: Session, actor: Actor, order: Order, *, draft: Task | None = None) -> bool:
    """Note that an import begins, and let a worker take its draft, where it has one.

    Returns whether it begins now: a second click finds it begun.
    """
    if draft is not None and not store.start(session, draft):
        return False
    audit.record(session, actor, "contacts.imported", subject=order.filename)
    return True


def work(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    """The chunks of an import that a worker holds, from its position on. Raises FileProblem."""

    def blocks() -> Iterator[bytes]:
        return slices.read_blocks(engine, claim.task_id, "input")

    if next(blocks(), None) is None:
        raise FileProblem("gone")
    order = Order.from_json(claim.arguments)
    with read_only(), Session(engine) as session:
        reader = row_reader(session, claim.company_id, order)
    yield from cut_into_chunks(blocks, order, reader, actor=claim.actor, position=claim.position)


def row_reader(session: Session, company_id: int, order: Order) -> RowReader:
    """What reads the rows of a file for this company."""
    company = session.get_one(Company, company_id)
    people: dict[str, str | None] = {}
    for name, email in session.execute(select(User.name, User.email).where(User.company_id == company_id)):
        people[fold(name)] = None if fold(name) in people else email
    zone = ZoneInfo(company.timezone)
    return RowReader(order.layout, order.columns, zone=zone, campaign=order.campaign, people=people)


def preview(session: Session, company_id: int, order: Order, *, blocks: Blocks, count: int) -> list[PreviewRow]:
    """The first rows as they would be imported."""
    reader = row_reader(session, company_id, order)
    rows = islice(read_rows(blocks, order.layout), count)
    return [PreviewRow(record.line, record.cells, *_read(reader, record)) for record in rows]


def cut_into_chunks(
    blocks: Blocks, order: Order, reader: RowReader, *, actor: Actor, position: int = 0
) -> Iterator[Chunk]:
    """The file in chunks, but for the first `position` rows; reading happens between their transactions."""
    rows = read_rows(blocks, order.layout)
    for record in islice(rows, position):
        _read(reader, record)  # what is alike further down is numbered from the first row on
    while chunk := _take(rows, reader):
        yield _Rows(order, actor, chunk)


def read_text(engine: Engine, row: Task) -> Iterator[str]:
    """The file of an import that has not ended, as text in pieces."""
    layout = Order.from_json(row.arguments).layout
    with open_text(lambda: slices.read_blocks(engine, row.id, "input"), layout.encoding) as text:
        while piece := text.read(CHUNK_CHARACTERS):
            yield piece


_Row = tuple[ContactItem | None, Sequence[Finding], Record]
"""A row of the file: the contact if it holds one, what is wrong or doubtful, and the row itself."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of the file, read and not yet saved."""

    order: Order
    actor: Actor
    rows: Sequence[_Row]

    def __call__(self, session: Session) -> Done:
        """Save the rows, in the caller's transaction."""
        good = [(item, record) for item, _, record in self.rows if item is not None]
        results = self._save(session, [item for item, _ in good])
        findings = [finding for _, found, _ in self.rows for finding in found]
        counts: Counter[str] = Counter()
        for (_, record), result in zip(good, results, strict=True):
            if result.error is not None:
                findings.append(bad_row(record, result.error))
                continue
            counts["created" if result.created else "changed" if _has_changed(result) else "unchanged"] += 1
            counts.update(classified=result.classified, sent=result.sent)
        counts.update("warned" if finding.is_warning else "bad" for finding in findings)
        findings.sort(key=lambda finding: finding.line)
        return Done(moved=len(self.rows), counts=+counts, finding=store_findings(findings) if findings else None)

    def _save(self, session: Session, items: Sequence[ContactItem]) -> list[Saved]:
        """All at once; when the database refuses that, each by itself."""
        if not items:
            return []
        try:
            with session.begin_nested():
                return self._save_together(session, items)
        except (IntegrityError, DataError):
            if len(items) == 1:
                return [Saved(error=InvalidContact("", "not_saved"))]
        return [self._save(session, [item])[0] for item in items]

    def _save_together(self, session: Session, items: Sequence[ContactItem]) -> list[Saved]:
        return save_batch(
            session,
            self.actor,
            items,
            default_owner=session.get_one(User, self.order.user_id),
            is_sending=self.order.is_sending,
        )


def _take(rows: Iterator[Record], reader: RowReader) -> Sequence[_Row]:
    chunk: list[_Row] = []
    size = 0
    for record in rows:
        chunk.append((*_read(reader, record), record))
        size += sum(map(len, record.cells))
        if len(chunk) == CHUNK_ROWS or size > CHUNK_CHARACTERS:
            break
    return chunk


def _read(reader: RowReader, record: Record) -> tuple[ContactItem | None, list[Finding]]:
    try:
        reading = reader.read(record)
    except InvalidContact as error:
        return None, [bad_row(record, error)]
    return reading.item, [warning(record, note, reader.header) for note in reading.notes]


def _has_changed(result: Saved) -> bool:
    return result.changed or result.classified
