"""Copies of the database beside it that may still hold somebody who was erased since they were made."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import join

from portal.config import Settings
from portal.database.backup import nightly
from portal.privacy import marks


@dataclass(frozen=True)
class OldCopies:
    """Files from before the last erasure, and when that was. `passing` are the nightly ones, which go by themselves."""

    erased_at: datetime
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
    listed = settings.instance / marks.FILE
    if not listed.exists():
        return None
    erased_at = listed.stat().st_mtime
    beside = settings.backups.iterdir() if settings.backups.is_dir() else ()
    moved = () if settings.database_url.startswith("sqlite") else settings.instance.glob("portal.db*")
    old = sorted(path for path in (*beside, *moved) if path.is_file() and path.stat().st_mtime <= erased_at)
    passing = set() if settings.backup_at is None else set(nightly.find_all(settings.backups).values())
    if not old:
        return None
    staying = [path for path in old if path not in passing]
    return OldCopies(datetime.fromtimestamp(erased_at, UTC), staying, [path for path in old if path in passing])
