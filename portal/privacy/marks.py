"""Marks of the people and companies that were erased, which stay erased when an older backup is put back.

A mark is a keyed hash of a contact's company, number and time of creation, or of a company's number and time. The
database keeps them, and each instance folder has a copy for the day when the database cannot be read any more.

They tell, too, which copies of the database may still hold somebody who was erased since.
"""

import logging
import os
from collections.abc import Collection, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shlex import join

from sqlalchemy import Engine, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from portal.config import Settings
from portal.database.backup import nightly, read_column
from portal.database.db import reading
from portal.database.owning import hand_over
from portal.database.troubles import message_of
from portal.models import Company, Contact
from portal.vault import Vault
from portal.working_models import Erasure

COMPANY = "company"
FILE = "erasures"  # the copy in the instance folder: a mark a line

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """The marks that were found, whether there was any list of them, and what kept the database's from being read."""

    marks: Set[str]
    is_listed: bool
    trouble: str | None = None


def remember(session: Session, contact: Contact, vault: Vault) -> None:
    """Mark a contact, and those that were merged into it, as erased."""
    known = [each for each in contact.merged or [] if "created_at" in each]  # an older version did not keep that
    merged = [(each["id"], datetime.fromisoformat(each["created_at"])) for each in known]
    made = [(contact.id, contact.created_at), *merged]
    add(session, {_mark(vault, contact.company_id, number, created_at) for number, created_at in made})


def remember_company(session: Session, company: Company, vault: Vault) -> None:
    """Mark a company as erased."""
    add(session, {_mark(vault, COMPANY, company.id, company.created_at)})


def find_marked_companies(session: Session, marks: Set[str], vault: Vault) -> list[int]:
    """The numbers of the companies that were erased once."""
    rows = session.execute(select(Company.id, Company.created_at)).all()
    return [number for number, created_at in rows if _mark(vault, COMPANY, number, created_at) in marks]


def add(session: Session, marks: Collection[str]) -> None:
    """Keep these marks, too."""
    known = set(session.scalars(select(Erasure.mark)))
    session.add_all(Erasure(mark=mark) for mark in marks if mark not in known)


def find_marked(session: Session, marks: Set[str], vault: Vault) -> Iterator[Contact]:
    """The contacts that were erased once. The session may end its transaction between two of them."""
    rows = session.execute(select(Contact.id, Contact.company_id, Contact.created_at)).all() if marks else ()
    for number, company_id, created_at in rows:
        if _mark(vault, company_id, number, created_at) in marks and (contact := session.get(Contact, number)):
            yield contact


def read_known(engine: Engine, instance: Path) -> Known:
    """Every mark of the database and of the instance folder; neither has to be there, or whole."""
    beside, kept, trouble = read_beside(instance), None, None
    try:
        kept = _read_database(engine)
    except DBAPIError as error:
        trouble = message_of(error)
    found = [marks for marks in (beside, kept) if marks is not None]
    return Known(set().union(*found), bool(found), trouble)


def keep_beside(engine: Engine, instance: Path) -> None:
    """Bring the copy in the instance folder up to date; where it cannot be written, the log says so."""
    fresh = instance / f".{FILE}.{os.getpid()}"
    try:
        kept = read_beside(instance) or set()
        wanted = kept | (_read_database(engine) or set())
        if wanted == kept:
            return
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{mark}\n" for mark in sorted(wanted))
            file.flush()
            os.fsync(file.fileno())
        hand_over(fresh)
        fresh.replace(instance / FILE)
    except (OSError, UnicodeDecodeError) as error:
        words = "Who was erased is known to the database alone: %s cannot be written (%s)."
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        logger.warning(words, instance / FILE, why, extra={"action": "erasures_unwritten"})


def read_beside(instance: Path) -> set[str] | None:
    """The marks in the instance folder; None where none were written. Raises OSError and UnicodeDecodeError."""
    try:
        return set((instance / FILE).read_text().split())
    except FileNotFoundError:
        return None


def _read_database(engine: Engine) -> set[str] | None:
    """None where the database is not there, or an older version's."""
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        return None
    with reading(), Session(engine) as session:
        is_listed = inspect(session.connection()).has_table(Erasure.__tablename__)
        return set(session.scalars(select(Erasure.mark))) if is_listed else None


def _mark(vault: Vault, owner: int | str, number: int, created_at: datetime) -> str:
    """Of a contact, by its company's number; or of a company."""
    return vault.mark(f"{owner}:{number}:{created_at.isoformat()}")


@dataclass(frozen=True)
class OldCopies:
    """Files from before an erasure. `passing` are the nightly ones, which go by themselves."""

    staying: list[Path]
    passing: list[Path]

    @property
    def command(self) -> str:
        """What removes those that stay."""
        return join(["rm", *map(str, self.staying)])


def find_old_copies(settings: Settings) -> OldCopies | None:
    """The copies in the instance's folder from before somebody was erased; None when there is none, or nobody was.

    Those of upgrades and restores, whatever the operator laid beside them, and the file that was moved to PostgreSQL.
    """
    erased_at = nightly.written_at(settings.instance / FILE)
    if erased_at is None:
        return None
    known = None
    with suppress(OSError, UnicodeDecodeError):
        known = read_beside(settings.instance)
    beside = settings.backups.iterdir() if settings.backups.is_dir() else ()
    moved = () if settings.database_url.startswith("sqlite") else settings.instance.glob("portal.db*")
    old = sorted(path for path in (*beside, *moved) if _is_old(path, known, erased_at))
    passing = set() if settings.backup_at is None else set(nightly.find_all(settings.backups).values())
    if not old:
        return None
    return OldCopies([path for path in old if path not in passing], [path for path in old if path in passing])


def _is_old(path: Path, known: Set[str] | None, erased_at: datetime) -> bool:
    """Whether a copy lacks the mark of somebody; by its time, where what it holds cannot be read."""
    written_at = nightly.written_at(path)
    if written_at is None:
        return False
    kept = None if known is None else read_column(path, Erasure.__tablename__, "mark")
    return written_at <= erased_at if known is None or kept is None else not known <= kept
