"""Copies of the database beside it that may still hold somebody who was erased since they were made."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shlex import join

from portal.config import Settings
from portal.database.backup import nightly, read_column
from portal.privacy import marks
from portal.working_models import Erasure


@dataclass(frozen=True)
class OldCopies:
    """Files from before an erasure. `passing` are the nightly ones, which go by themselves."""

    staying: list[Path]
    passing: list[Path]

    @property
    def command(self) -> str:
        """What removes those that stay."""
        return join(["rm", *map(str, self.staying)])


def find_old(settings: Settings) -> OldCopies | None:
    """The copies in the instance's folder from before somebody was erased; None when there is none, or nobody was.

    Those of upgrades and restores, whatever the operator laid beside them, and the file that was moved to PostgreSQL.
    """
    erased_at = nightly.written_at(settings.instance / marks.FILE)
    if erased_at is None:
        return None
    known = _known_marks(settings)
    beside = settings.backups.iterdir() if settings.backups.is_dir() else ()
    moved = () if settings.database_url.startswith("sqlite") else settings.instance.glob("portal.db*")
    old = sorted(path for path in (*beside, *moved) if _is_old(path, known, erased_at))
    passing = set() if settings.backup_at is None else set(nightly.find_all(settings.backups).values())
    if not old:
        return None
    return OldCopies([path for path in old if path not in passing], [path for path in old if path in passing])


def _known_marks(settings: Settings) -> Set[str] | None:
    try:
        return marks.read_beside(settings.instance)
    except (OSError, UnicodeDecodeError):
        return None


def _is_old(path: Path, known: Set[str] | None, erased_at: datetime) -> bool:
    """Whether a copy lacks the mark of somebody; by its time, where what it holds cannot be read."""
    written_at = nightly.written_at(path)
    if written_at is None:
        return False
    kept = None if known is None else read_column(path, Erasure.__tablename__, "mark")
    return written_at <= erased_at if known is None or kept is None else not known <= kept
