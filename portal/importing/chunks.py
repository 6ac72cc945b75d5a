"""The rows of a file in chunks, each saved in one transaction, with what became of its rows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from portal import clock
from portal.audit import Actor
from portal.contacts.alike import Alike
from portal.contacts.items import ContactItem, InvalidContact
from portal.contacts.saved import Saved
from portal.contacts.saving import save_batch
from portal.database.driver import Statement
from portal.database.inserting import insert_into
from portal.database.rows import given, rows_of, within
from portal.database.tables import Key
from portal.importing.cells import Note
from portal.importing.encoding import Blocks
from portal.importing.findings import Finding, bad_row, store_findings, warning
from portal.importing.layout import read_rows
from portal.importing.missing import Comparison, link
from portal.importing.order import Order
from portal.importing.outcomes import Outcome, count_outcomes, said_of, sort_outcomes, store_outcomes
from portal.importing.reading import Record, without_nuls
from portal.importing.rows import RowReader
from portal.models import User
from portal.tasks.store import Done

CHUNK_ROWS = 400
CHUNK_CHARACTERS = 1_000_000
HELD_SECONDS = 0.25  # how long a chunk should hold SQLite's one write lock, for which a person's click waits
FEWEST_ROWS = 20

_is_named = (link.c.task_id == given("task", Key), within(link.c.contact_id, select(rows_of("named", id=Key).c.id)))
LINKED = Statement(select(link.c.contact_id).where(*_is_named), plans_anew=True)
LINK = insert_into(link)
_given = {column.name: given(column.name, column.type) for column in link.c}
TOUCH = Statement(
    update(link)
    .where(link.c.task_id == _given["task_id"], link.c.contact_id == _given["contact_id"])
    .values(saved_at=_given["saved_at"])
)


class ReadRow(NamedTuple):
    """A row of the file: the contact if it holds one, what is wrong or doubtful, and the row itself."""

    item: ContactItem | None
    findings: Sequence[Finding]
    record: Record


class Pace:
    """How many rows a chunk has: fewer where the machine is busy, and others wait for SQLite the longer."""

    def __init__(self) -> None:
        self.rows = CHUNK_ROWS

    def follow(self, rows: int, seconds: float) -> None:
        """Take from how long some rows took how many the next chunk has."""
        self.rows = min(CHUNK_ROWS, max(FEWEST_ROWS, int(rows * HELD_SECONDS / max(seconds, 1e-6))))


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of the file, read and not yet saved."""

    order: Order
    actor: Actor
    task_id: int
    rows: Sequence[ReadRow]
    alike: Alike
    pace: Pace | None

    @property
    def items(self) -> list[ContactItem]:
        return [row.item for row in self.rows if row.item is not None]

    def __call__(self, session: Session) -> Done:
        """Save the rows, in the caller's transaction."""
        begun = clock.monotonic()
        done = self._done(session)
        if self.pace and session.connection().dialect.name == "sqlite":
            self.pace.follow(len(self.rows), clock.monotonic() - begun)
        return done

    def _done(self, session: Session) -> Done:
        results = self._save(session, self.items)
        findings = [finding for row in self.rows for finding in row.findings]
        outcomes: list[Outcome] = []
        counts: Counter[str] = Counter()
        good = ((item, record) for item, _, record in self.rows if item is not None)
        for (item, record), result in zip(good, results, strict=True):
            if result.error is not None:
                findings.append(bad_row(record, result.error))
                continue
            if result.lost_messages:
                said = (str(result.lost_messages),)
                findings.append(Finding(record.line, "messages", "thread_full", said, is_warning=True))
            for name, each in result.otherwise.items():
                note = Note(f"contact.{name}", "told_before", None, said_of(each), item.told_line)
                findings.append(warning(record, note, ()))
            if result.is_former:
                said = (item.facts.get("name") or "",)
                findings.append(Finding(record.line, "contact", "merged_away", said, is_warning=True))
            outcomes.append(Outcome.of(record, item, result))
            counts.update(classified=result.classified, sent=result.sent)
        keep_links(session, self.task_id, results)
        counts.update("warned" if finding.is_warning else "bad" for finding in findings)
        findings.sort(key=lambda finding: finding.line)
        lists = sort_outcomes(outcomes)
        kept = store_outcomes(lists) | ({"finding": store_findings(findings)} if findings else {})
        return Done(moved=len(self.rows), counts=+(counts + count_outcomes(lists)), kept=kept)

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
            rules=self.order.rules,
            alike=self.alike,
        )


def cut_into_chunks(
    blocks: Blocks,
    order: Order,
    reader: RowReader,
    *,
    actor: Actor,
    task_id: int,
    position: int = 0,
    pace: Pace | None = None,
) -> Iterator[Rows | Comparison]:
    """The file in chunks, but for the first `position` rows; reading happens between their transactions.

    Without a `pace` they are the same ones every time. The last chunk compares it with the same file of an earlier day.
    One that ends while nothing comes may be empty.
    """
    chunk: list[ReadRow] = []
    size = passed = waiting = 0
    for record in read_rows(blocks, order.layout):
        is_idle = record is None and len(chunk) == waiting
        if record is None:
            waiting = len(chunk)
        else:
            row = read_row(reader, record)  # what is alike further down is numbered from the first row on
            passed += 1
            if passed > position:
                chunk.append(row)
                size += sum(map(len, record.cells))
        if is_idle or len(chunk) == (pace.rows if pace else CHUNK_ROWS) or size > CHUNK_CHARACTERS:
            yield Rows(order, actor, task_id, chunk, reader.alike, pace)
            chunk, size, waiting = [], 0, 0
    if chunk:
        yield Rows(order, actor, task_id, chunk, reader.alike, pace)
    yield Comparison(order, actor.company_id, task_id)


def read_row(reader: RowReader, record: Record) -> ReadRow:
    """What a row says."""
    clean = without_nuls(record)
    found = [] if clean is record else [Finding(record.line, "", "nuls_removed", (), is_warning=True)]
    if record.goes_on:
        found.append(warning(record, Note("", "row_joined", None, "", record.goes_on), ()))
    try:
        reading = reader.read(clean)
    except InvalidContact as error:
        return ReadRow(None, [bad_row(clean, error)], record)
    found += (warning(clean, note, reader.header) for note in reading.notes)
    return ReadRow(reading.item, found, record)


def keep_links(session: Session, task_id: int, results: Sequence[Saved]) -> None:
    """Remember which contacts the file named, which of them it created, and when it last wrote to each."""
    named: dict[int, tuple[bool, datetime | None]] = {}
    for result in results:
        if result.contact_id is not None:
            is_created, saved_at = named.get(result.contact_id, (result.created, None))
            named[result.contact_id] = (is_created, result.saved_at or saved_at)
    connection = session.connection()
    known = {row.contact_id for row in LINKED.all(connection, task=task_id, named=[(key,) for key in named])}
    rows = {
        key: {"task_id": task_id, "contact_id": key, "is_created": is_created, "saved_at": saved_at}
        for key, (is_created, saved_at) in named.items()
    }
    LINK.run_many(connection, [row for key, row in rows.items() if key not in known])
    TOUCH.run_many(connection, [row for key, row in rows.items() if key in known and row["saved_at"] is not None])
