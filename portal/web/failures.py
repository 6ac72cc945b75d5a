"""What is done about a failure, whether a page or the API tells of it: nothing stays written, and the log has it."""

import logging
import secrets

from flask import request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import InternalServerError

from portal.database.db import db
from portal.database.troubles import Trouble, message_of, name_trouble
from portal.vault import SecretError

RETRY_AFTER_SECONDS = 10
"""When whoever met the database's trouble may ask again."""

logger = logging.getLogger(__name__)


def note_failure(error: InternalServerError) -> str:
    """A fault of ours: the log has the details, under the id that this returns."""
    db.session.rollback()
    error_id = secrets.token_hex(4)
    logger.error(
        "A request failed.",
        extra={"action": "request_failed", "error_id": error_id, "path": request.path},
        exc_info=error.original_exception,
    )
    return error_id


def note_trouble(error: DBAPIError) -> Trouble:
    """The database is locked, full, damaged or away. Raises the error again when it is none of these."""
    db.session.rollback()
    trouble = name_trouble(error)
    if trouble is None:
        raise error
    logger.error("The database refused: %s", message_of(error), extra={"action": trouble.code, "path": request.path})
    return trouble


def note_unreadable(error: SecretError) -> None:
    """A stored secret cannot be opened: people can mend that."""
    db.session.rollback()
    logger.error("%s", error, extra={"action": "secret_unreadable", "path": request.path})
