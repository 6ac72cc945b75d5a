"""Backups: the database in one file, taken while the portal runs, and put back while it does not.

The secret key stays out, so that whoever holds a backup alone reads no webhook secret in it; a restore refuses a file
whose secrets the key in use does not open. What a backup holds waiting may have been sent since, so a restored outbox
is held: every endpoint is paused until an admin resumes it.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from portal.database.backup import postgresql, sqlite
from portal.database.backup.contents import BackupError, Proof
from portal.database.owning import hand_over
from portal.database.schema import refuse_unknown

__all__ = ["BackupError", "back_up", "beside", "read_column", "restore"]


class Tool(Protocol):
    """What each database's module does. All of it raises BackupError."""

    def dump(self, engine: Engine, path: Path) -> None:
        """Write the database to `path`."""

    def read_revision(self, path: Path) -> str:
        """Which version's schema a backup has, once it is sound."""

    def read_column(self, path: Path, table: str, column: str) -> set[str]:
        """The values of a column in a backup of the portal; none where that has no such table."""

    def load(self, engine: Engine, path: Path, *, proof: Proof, keep_at: Path) -> Path | None:
        """Prove a copy of the backup, and put it in the database's place, held. Returns where that is kept, if so."""


def back_up(engine: Engine, path: Path, *, force: bool = False) -> int:
    """Write the database to `path`, whole or not at all, for the owner's eyes only. Returns its size in bytes.

    Raises BackupError when `path` exists and `force` is not given, when it is no backup, or with what stood in the way.
    """
    if path.exists():
        if not force:
            raise BackupError(f"{path} exists already: choose another name, or overwrite it with --force.")
        _check_overwritable(engine, path)
    with beside(path) as fresh:
        _tool(engine).dump(engine, fresh)
        size = fresh.stat().st_size
        _put(fresh, path, force=force)
    return size


def restore(engine: Engine, path: Path, *, proof: Proof, keep_at: Path) -> Path | None:
    """Put a backup in the place of the database, with everything that waits held. Its schema may be an older one.

    A copy is brought to this version and looked at by `proof` first; only then it takes the database's place, whose
    content is kept in the folder `keep_at` (SQLite). Nothing changes unless all of it works. Returns where it is kept.
    Raises BackupError, SchemaError (a newer version made the file) or WrongKey.
    """
    tool = _tool(engine)
    refuse_unknown(tool.read_revision(path))
    engine.dispose()
    return tool.load(engine, path, proof=proof, keep_at=keep_at)


def read_column(path: Path, table: str, column: str) -> set[str] | None:
    """The values of a column in a copy of either database; None when it is not to be read as one of the portal."""
    try:
        with path.open("rb") as file:
            tool = _TOOLS_BY_START.get(file.read(5))
        return tool.read_column(path, table, column) if tool else None
    except (BackupError, OSError):
        return None


def _tool(engine: Engine) -> Tool:
    return sqlite if engine.dialect.name == "sqlite" else postgresql


_TOOLS_BY_START: dict[bytes, Tool] = {b"SQLit": sqlite, b"PGDMP": postgresql}  # how the files of each begin


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A file in the same folder, private from its beginning, and gone at the end with what SQLite wrote beside it.

    Raises BackupError when it cannot be made.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise BackupError(f"{path} cannot be written ({error.strerror}).") from error
    os.close(descriptor)
    hand_over(Path(name))
    try:
        yield Path(name)
    finally:
        for suffix in ("", "-journal"):  # SQLite leaves one on a disk that is full
            Path(name + suffix).unlink(missing_ok=True)


def _check_overwritable(engine: Engine, path: Path) -> None:
    """Raise BackupError for the database itself, and for what is neither a backup nor empty: a key, a device."""
    if engine.dialect.name == "sqlite" and path.samefile(str(engine.url.database)):
        raise BackupError(f"{path} is the database itself: choose another name.")
    if not path.is_file() or not _begins_as_backup(path):
        raise BackupError(f"{path} is no backup, and is not overwritten: choose another name.")


def _begins_as_backup(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(5)
    except OSError as error:
        raise BackupError(f"{path} cannot be read ({error.strerror}).") from error
    return not start or start in _TOOLS_BY_START


def _put(fresh: Path, path: Path, *, force: bool) -> None:
    """Give the finished file its name; without `force` never in the place of another."""
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.replace(fresh, path) if force else os.link(fresh, path)
    except OSError as error:
        raise BackupError(f"{path} cannot be written ({error.strerror}).") from error
