"""Errors that people can mend, as one sentence each."""

import errno
import os
import sqlite3

from sqlalchemy.exc import DBAPIError

from portal.config import SettingError
from portal.database.backup import BackupError
from portal.database.paging import InvalidCursor
from portal.database.schema import SchemaError
from portal.database.troubles import Trouble, message_of, name_sqlite_trouble, name_trouble
from portal.vault import SecretError, WrongKey

WRONG_KEY = (
    "The webhook secrets in the database were sealed with another key than the one in use. Put back the secret.key "
    "that belongs to this database, or set PORTAL_SECRET_KEY to it."
)

DAMAGED = (
    "A secret in the database is damaged. Make a new webhook secret, or type the header anew, on the Webhook page; let "
    "an admin turn the second factor off for whom it belongs to."
)

# What an operator does about the database's own trouble, by its code.
MENDS = {
    "database_away": "See that it runs, and that the portal's user may open it and reads and writes its folder.",
    "disk_full": "Free some space on its disk: a portal that runs goes on by itself.",
    "disk_error": "Look at its disk for a defect, a quota, or a limit of a file's size.",
    "database_read_only": "The portal's user has to own the file, its -wal and -shm, and its folder, and may write "
    "them all, on a disk that can be written. PostgreSQL may be a standby, or default_transaction_read_only is on.",
    "database_damaged": "Put a backup in its place: portal restore FILE.",
    "schema_mismatch": "Run portal upgrade, or put a backup of this version in its place.",
    "database_busy": "Another process holds it: try again in a moment.",
}

# What an operator does about a file or folder, by the system's number of the error.
FILE_MENDS = {
    errno.EACCES: "The user that runs the portal has to own it and its folder, and may read, write and enter them.",
    errno.EROFS: "It lies on a disk that can only be read: mount it for writing, or name another place.",
    errno.ENOSPC: MENDS["disk_full"],
    errno.EDQUOT: MENDS["disk_full"],
    errno.EIO: MENDS["disk_error"],
    errno.ENOENT: "Its folder does not exist.",
    errno.ENOTDIR: "A file stands where a folder should be.",
    errno.EISDIR: "A folder stands where a file should be.",
    errno.EEXIST: "Something else stands in its place.",
    errno.ELOOP: "Its links lead nowhere.",
}

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_SPACE = "What is printed or written has no room ({}). What was saved before stays saved."

NO_ROOM = (
    "This machine gives the portal no more memory or threads. Raise the limit: of memory (ulimit -v, MemoryMax), or of "
    "processes and threads (ulimit -u, TasksMax, a container's pids limit)."
)

NO_DRIVER = "PostgreSQL needs its driver: install the portal with the extra `postgres`, or psycopg itself."


NO_TEXT = "What was typed, or stands in a file that was named, holds bytes that are no text in UTF-8."


def explain_error(error: Exception) -> str | None:
    """The sentence for whoever typed the command; None for an error that nobody expected."""
    if isinstance(error, SettingError | SchemaError | BackupError):
        return str(error)
    if isinstance(error, InvalidCursor):
        return "The cursor is not one that a page of this list gave."
    if isinstance(error, SecretError):
        return WRONG_KEY if isinstance(error, WrongKey) else DAMAGED
    if trouble := find_trouble(error):
        said = message_of(error) if isinstance(error, DBAPIError) else error
        return f"The database cannot be used: {said}. {MENDS[trouble.code]}"
    if isinstance(error, OSError):
        return _explain_file(error)
    if isinstance(error, UnicodeError):
        return NO_TEXT
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "start new thread" in str(error)):
        return NO_ROOM
    if isinstance(error, ModuleNotFoundError) and error.name == "psycopg":
        return NO_DRIVER
    return None


def find_trouble(error: BaseException | None) -> Trouble | None:
    """What is wrong with the database, when that is what the error says."""
    if isinstance(error, DBAPIError):
        return name_trouble(error)
    return name_sqlite_trouble(error) if isinstance(error, sqlite3.Error) else None


def _explain_file(error: OSError) -> str | None:
    if error.filename is None:  # of a file that was open already, such as standard output
        return NO_SPACE.format(error.strerror) if error.errno in FULL else None
    number = errno.EACCES if error.errno == errno.EPERM else error.errno
    if number not in FILE_MENDS:
        return None
    return f"{os.fsdecode(error.filename)} cannot be used ({error.strerror}). {FILE_MENDS[number]}"
