"""Errors that people can mend, as one sentence each."""

from sqlalchemy.exc import DBAPIError

from portal.config import SettingError
from portal.database.backup import BackupError
from portal.database.paging import InvalidCursor
from portal.database.schema import SchemaError
from portal.database.troubles import message_of, name_trouble
from portal.people.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, InvalidAccount
from portal.vault import SecretError, WrongKey

ACCOUNT_PROBLEMS = {
    "taken": "Somebody logs in with this e-mail address already.",
    "not_an_email": "This is no e-mail address.",
    "too_short": f"The password is shorter than {MIN_PASSWORD_LENGTH} characters.",
    "too_long": f"The password is longer than {MAX_PASSWORD_LENGTH} characters.",
    "too_common": "The password is one of the first that somebody would try.",
}

WRONG_KEY = (
    "The webhook secrets in the database were sealed with another key than the one in use. Put back the secret.key "
    "that belongs to this database, or set PORTAL_SECRET_KEY to it."
)

DAMAGED = (
    "A secret in the database is damaged. Make a new webhook secret on the Webhook page, or let an admin turn the "
    "second factor off for whom it belongs to."
)

NO_DRIVER = "PostgreSQL needs its driver: install the portal with the extra `postgres`, or psycopg itself."


def explain_error(error: Exception) -> str | None:
    """The sentence for whoever typed the command; None for an error that nobody expected."""
    if isinstance(error, SettingError | SchemaError | BackupError):
        return str(error)
    if isinstance(error, InvalidAccount):
        return ACCOUNT_PROBLEMS.get(error.problem, str(error))
    if isinstance(error, InvalidCursor):
        return "The cursor is none that a page of this log gave."
    if isinstance(error, SecretError):
        return WRONG_KEY if isinstance(error, WrongKey) else DAMAGED
    if isinstance(error, DBAPIError) and name_trouble(error) is not None:
        return f"The database cannot be used: {message_of(error)}."
    if isinstance(error, ModuleNotFoundError) and error.name == "psycopg":
        return NO_DRIVER
    return None
