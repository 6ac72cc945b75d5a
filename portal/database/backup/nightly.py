"""A backup a day, made by a worker, and what of them is kept: seven days, and the last of each of four weeks before."""

import logging
import re
import shutil
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from portal.database.backup import BackupError, back_up
from portal.database.owning import make_folder
from portal.database.upkeep import size_of

KEPT_DAYS = 7
KEPT_WEEKS = 4
ROOM = 2  # a backup is made while so many times the database's size are free on its disk
PAUSE = timedelta(hours=1)  # after one that could not be made
OVERDUE = timedelta(days=2)

_NAME = re.compile(r"nightly-([0-9]{4}-[0-9]{2}-[0-9]{2})\.(db|dump)")  # only files of this name are ever removed

logger = logging.getLogger(__name__)


class Nightly:
    """Makes a day's backup once its time has come, however late the worker was started."""

    def __init__(self, engine: Engine, folder: Path, at: time) -> None:
        self._engine = engine
        self._folder = folder
        self._at = at
        self._not_before: datetime | None = None

    def turn(self, now: datetime) -> Path | None:
        """Make what is due and remove what is too old. `now` is the machine's local time. Returns what was made."""
        due_at = datetime.combine(now.date(), self._at, now.tzinfo)
        if now < due_at:
            due_at -= timedelta(days=1)
        made_at = last_made_at(self._folder)
        if (made_at is not None and made_at >= due_at) or (self._not_before and now < self._not_before):
            return None
        self._not_before = now + PAUSE
        path = self._folder / f"nightly-{now.date()}.{'db' if self._engine.dialect.name == 'sqlite' else 'dump'}"
        try:
            self._make(path)
        except (BackupError, OSError, SQLAlchemyError) as error:
            logger.error("There is no backup of today: %s", error, extra={"action": "backup_failed"})
            return None
        logger.info("Backed up to %s.", path, extra={"action": "backup_made"})
        return path

    def _make(self, path: Path) -> None:
        make_folder(self._folder)
        size, free = size_of(self._engine) or 0, shutil.disk_usage(self._folder).free
        if free < ROOM * size:
            raise BackupError(f"{free} bytes are free on its disk, and the database has {size}: it was skipped.")
        back_up(self._engine, path, force=True)
        kept = choose_kept(find_all(self._folder))
        for day, file in find_all(self._folder).items():
            if day not in kept:
                file.unlink()


def find_all(folder: Path) -> dict[date, Path]:
    """The nightly backups in the folder, by day."""
    files = folder.iterdir() if folder.is_dir() else ()
    return {date.fromisoformat(named[1]): file for file in files if (named := _NAME.fullmatch(file.name))}


def choose_kept(days: Iterable[date]) -> set[date]:
    """The newest days, and of the weeks before these the last day of each of the newest."""
    newest = sorted(days, reverse=True)
    kept, weeks = set(newest[:KEPT_DAYS]), dict[tuple[int, int], date]()
    for day in newest[KEPT_DAYS:]:
        weeks.setdefault(day.isocalendar()[:2], day)
    return kept | set(list(weeks.values())[:KEPT_WEEKS])


def last_made_at(folder: Path) -> datetime | None:
    """When the newest of them was written; None when there is none."""
    return max(filter(None, map(written_at, find_all(folder).values())), default=None)


def written_at(path: Path) -> datetime | None:
    """When a file was written; None when there is none: a worker may just have removed it."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.is_file() else None
    except FileNotFoundError:
        return None


def find_overdue(folder: Path, *, begun_at: datetime, now: datetime) -> datetime | None:
    """Since when there is none, when that is too long. `begun_at` is when there first was something to back up."""
    last = last_made_at(folder) or begun_at
    return last if now - last > OVERDUE else None
