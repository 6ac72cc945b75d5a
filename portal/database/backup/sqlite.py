"""SQLite: copied by its backup API, which gives one moment of a live database, its log included."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, StaticPool, create_engine

from portal import clock
from portal.database.backup.contents import IN_USE, BackupError, Proof, only_revision, prove_copy
from portal.database.db import engine_options, prepare_engine
from portal.database.owning import hand_over, make_folder
from portal.database.troubles import name_sqlite_trouble

WAIT_SECONDS = 3.0  # how long a restore waits for the last user of the database to let go of it

BEYOND_READING = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)

PLAIN_COPY = "A plain copy of the file of a running portal lacks what is in SQLite's log: use `portal backup`."


def copy_database(source: Path, target: Path) -> None:
    """Copy a live database to a file of one piece; both are SQLite's. Raises sqlite3.Error."""
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target, isolation_level=None)) as copy:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    target.chmod(0o600)


def dump(engine: Engine, path: Path) -> None:
    live = _path_of(engine)
    if not live.exists():
        raise BackupError("There is no database yet: nothing to back up.")
    with _as_backup_errors(live, written=path):
        copy_database(live, path)
        _check(path)


def read_revision(path: Path) -> str:
    with _as_backup_errors(path):
        _check(path)
        with closing(_open_to_read(path)) as file:
            _refuse_foreign(file, path)
            revisions = [revision for (revision,) in file.execute("SELECT version_num FROM alembic_version")]
    return only_revision(revisions, path)


def read_column(path: Path, table: str, column: str) -> set[str]:
    # Immutable, or files of a log would be made beside it.
    with _as_backup_errors(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as file:
        _refuse_foreign(file, path)
        found = file.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
        select = f'SELECT "{column}" FROM "{table}"'  # noqa: S608  # nosec B608 - no names but ours
        return {value for (value,) in file.execute(select)} if found else set()


def load(engine: Engine, path: Path, *, proof: Proof, keep_at: Path) -> Path | None:
    """Returns where the database that was there is kept, if there was one."""
    live = _path_of(engine)
    held = live.with_name(f".{live.name}.restoring")
    try:
        with _as_backup_errors(path, written=held):
            copy_database(path, held)
            url = f"sqlite:///{held}"
            copy = create_engine(url, **engine_options(url))
            prepare_engine(copy)
            prove_copy(copy, path, proof)
            _check(held, name=path)
        with _as_backup_errors(live):
            return _replace(live, held, keep_at)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            held.with_name(held.name + suffix).unlink(missing_ok=True)


def _replace(live: Path, held: Path, keep_at: Path) -> Path | None:
    """Put `held` in the place of the live database. Returns where that is kept, if there was one."""
    kept = None
    if live.exists():
        make_folder(keep_at)
        kept = keep_at / f"before-restore-{clock.utcnow():%Y%m%dT%H%M%SZ}.db"
    try:
        _copy_over(live, held, kept)
    except sqlite3.DatabaseError as error:
        if kept is None or error.sqlite_errorcode & 0xFF not in BEYOND_READING:
            raise
        for suffix in ("-wal", "-shm", ""):  # nobody can work with it any more, nor keep us out
            if (file := live.with_name(live.name + suffix)).exists():
                shutil.move(file, kept.with_name(kept.name + suffix))
        _copy_over(live, held, None)
    live.chmod(0o600)
    return kept


def _copy_over(live: Path, held: Path, kept: Path | None) -> None:
    """Copy `held` over the live database, within one lock that nobody else can have been in."""
    with closing(sqlite3.connect(live, timeout=WAIT_SECONDS, isolation_level=None)) as target:
        _take_alone(target)
        if kept is not None:
            with closing(sqlite3.connect(kept)) as copy:
                target.backup(copy)
            kept.chmod(0o600)
            hand_over(kept)
        with closing(sqlite3.connect(held)) as source:
            source.backup(target)
    if kept is None:  # it was just made
        hand_over(live)


@contextmanager
def open_alone(path: Path) -> Iterator[Connection]:
    """The database for one user: nobody else gets in until the end. Raises BackupError when somebody has it open."""
    with _as_backup_errors(path), closing(sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)) as held:
        _take_alone(held)
        with create_engine("sqlite://", creator=lambda: held, poolclass=StaticPool).connect() as connection:
            yield connection


def _take_alone(target: sqlite3.Connection) -> None:
    """Keep everybody else out until the connection is closed. Only who is alone may leave SQLite's log mode."""
    try:
        target.execute("PRAGMA locking_mode = EXCLUSIVE")
        (mode,) = target.execute("PRAGMA journal_mode = DELETE").fetchone()
        target.execute("BEGIN EXCLUSIVE")
        target.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        raise BackupError(IN_USE) from error
    if mode != "delete":
        raise BackupError(IN_USE)


def _check(path: Path, *, name: Path | None = None) -> None:
    name = name or path
    with closing(_open_to_read(path)) as file:
        problems = [problem for (problem,) in file.execute("PRAGMA integrity_check(3)")]
        astray = file.execute("PRAGMA foreign_key_check").fetchone()
    if problems != ["ok"]:
        raise BackupError(f"{name} is damaged: {problems[0]}.")
    if astray:
        raise BackupError(f"{name} is damaged: a row of {astray[0]} belongs to one of {astray[2]} that is not there.")


def _refuse_foreign(file: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"alembic_version", "endpoint"} <= tables:
        raise BackupError(f"{path} holds no database of the portal. {PLAIN_COPY}")


def _open_to_read(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise BackupError(f"{path} is no file.")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _path_of(engine: Engine) -> Path:
    return Path(str(engine.url.database))


@contextmanager
def _as_backup_errors(path: Path, *, written: Path | None = None) -> Iterator[None]:
    """Inside, what SQLite says of `path` is a BackupError; a full disk is that of the file that is `written`."""
    try:
        yield
    except sqlite3.Error as error:
        if (trouble := name_sqlite_trouble(error)) and trouble.code == "disk_full":
            folder = (written or path).absolute().parent
            raise BackupError(f"The disk of {folder} is full: free some space on it.") from error
        raise BackupError(f"{path} cannot be used. SQLite says: {error}.") from error
