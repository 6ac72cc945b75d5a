"""What a year is held against: what people were told is done, what the receiver got, and words that must be gone."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from portal.database.db import db
from portal.demo.server import Received
from portal.models import Delivery, DeliveryBody

WORDS = ("quaxforn", "vildebeck", "zuntharel")
"""Each is in all that is known of one person, and nowhere else."""
LONGEST_WORD = 64

Came = dict[str, list[tuple[str, bool]]]
"""Of each delivery the digest of what came, and whether it was accepted, time after time."""


def digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()


class Ledger:
    """What the receiver got, a line a request, in a file that the portal knows nothing of."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def close(self) -> None:
        os.close(self._file)

    def note(self, got: Received) -> None:
        os.write(self._file, f"{got.headers['webhook-id']} {digest(got.body)} {got.answered_status}\n".encode())

    def read(self) -> Came:
        found = defaultdict(list)
        for line in self._path.read_text().splitlines():
            webhook_id, came, status = line.split()
            found[webhook_id].append((came, status == "200"))
        return found


@dataclass
class Notes:
    """What is known of deliveries outside of the database, by their ids."""

    committed: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The digest of what people saw committed, and the day."""
    gone: set[str] = field(default_factory=set)
    """Made after the backup that was put back: the receiver may know them, the database does not."""
    again: set[str] = field(default_factory=set)
    """Delivered since that backup, in which they waited: they come a second time."""
    moved: list[str] = field(default_factory=list)
    """Those that waited over the move."""


@dataclass
class Books:
    """What was found at the end. `faults` is empty when every promise was kept."""

    committed: int = 0
    posts: int = 0
    refused: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    purged: int = 0
    gone_by_restore: int = 0
    held_by_restore: int = 0
    again_after_restore: int = 0
    held_over_move: int = 0
    erased: int = 0
    upgrades: int = 0
    backups: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def check(self, wrong: bool, fault: str) -> None:
        if wrong:
            self.faults.append(fault)


def balance(books: Books, notes: Notes, ledger: Ledger, *, young_from: int) -> None:
    """Hold the database in use against the notes and the ledger. Nothing made after the day `young_from` is purged."""
    came = ledger.read()
    there = _check_rows(books, notes, came)
    _check_came(books, notes, came)
    purged = notes.committed.keys() - there - notes.gone
    books.check(len(purged) != books.purged, f"{len(purged)} are gone, and the purges say {books.purged}")
    young = [each for each in purged if notes.committed[each][1] > young_from]
    books.check(bool(young), f"{len(young)} are gone before their time")
    lost = set(notes.moved) - there
    books.check(bool(lost), f"{len(lost)} that waited over the move are gone")
    books.committed, books.gone_by_restore = len(notes.committed), len(notes.gone)
    books.again_after_restore, books.held_over_move = len(notes.again), len(notes.moved)
    books.sizes["deliveries in PostgreSQL"] = len(there)
    with db.engine.connect() as connection:
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    books.sizes["PostgreSQL"] = int(size)


def _check_rows(books: Books, notes: Notes, came: Came) -> set[str]:
    """Each delivery of the database came as often as it should have. Returns their ids."""
    there = set()
    columns = (Delivery.webhook_id, Delivery.status, Delivery.contact_id, Delivery.trigger, DeliveryBody.content)
    rows = select(*columns).outerjoin(Delivery.stored_body).execution_options(yield_per=1000)
    for webhook_id, status, contact_id, trigger, content in db.session.execute(rows):
        there.add(webhook_id)
        books.statuses[status] += 1
        accepted = sum(was_accepted for _, was_accepted in came.get(webhook_id, ()))
        is_delivered, is_erased = status == "delivered", contact_id is None and trigger != "test"
        is_settled = status in ("delivered", "superseded") or (is_erased and status == "cancelled")
        expected = is_delivered + (is_delivered and webhook_id in notes.again)
        books.check(not is_settled, f"{webhook_id} is {status}")
        books.check(accepted != expected and not is_erased, f"{webhook_id} is {status} and came {accepted} times")
        books.check(is_delivered and not accepted, f"{webhook_id} is called delivered and never came")
        books.check(content is not None and is_erased, f"{webhook_id} is of an erased person, and has its body")
        made, _ = notes.committed.get(webhook_id, ("", 0))
        books.check(not made, f"{webhook_id} is in the database, and nobody made it")
        books.check(content is not None and digest(content) != made, f"{webhook_id} has other bytes now")
    db.session.remove()
    return there


def _check_came(books: Books, notes: Notes, came: Came) -> None:
    """Whatever came was made by somebody, and came with the bytes that were committed."""
    for webhook_id, times in came.items():
        made, _ = notes.committed.get(webhook_id, ("", 0))
        books.posts += len(times)
        books.refused += sum(not accepted for _, accepted in times)
        books.check(not made, f"{webhook_id} came, and nobody made it")
        books.check(any(got != made for got, _ in times), f"{webhook_id} came with other bytes")


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def words_of_files(files: Iterable[Path]) -> set[str]:
    """Which of the words any byte of these files is part of."""
    return {word for path in files for word in _words_in(_blocks_of(path), WORDS)}


def words_in_postgres(words: Collection[str]) -> set[str]:
    """Which of the words any cell holds; binary, texts and bodies are as they were written."""
    with db.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        found = set()
        for table in db.metadata.sorted_tables:
            with driver.cursor().copy(f"COPY {table.name} TO STDOUT (FORMAT binary)") as copy:
                found |= _words_in(map(bytes, copy), words)
    return found


def _words_in(blocks: Iterable[bytes], words: Collection[str]) -> set[str]:
    """In any case, also where two blocks meet."""
    found, end = set(), b""
    for block in blocks:
        end = (end[-LONGEST_WORD:] + block).lower()
        found |= {word for word in words if word.encode() in end}
    return found


def _blocks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            yield block
