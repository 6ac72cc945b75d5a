"""Pages that say what went wrong, that nothing is lost, and where to go on."""

import logging
import secrets

from flask import Flask, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound, SecurityError

from portal.contacts.classifying import ContactGone
from portal.database.db import db
from portal.database.troubles import message_of, name_trouble
from portal.vault import SecretError

RETRY_AFTER_SECONDS = 10

logger = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Show a page of ours for every error of a page."""
    for code in (400, 403, 404, 405, 413, 429):
        app.register_error_handler(code, show_error)
    app.register_error_handler(CSRFError, show_csrf_error)
    app.register_error_handler(ContactGone, show_gone)
    app.register_error_handler(DBAPIError, show_trouble)
    app.register_error_handler(SecretError, show_unreadable)
    app.register_error_handler(InternalServerError, show_failure)


def show_error(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, SecurityError):
        # Under a foreign host name no address of ours can be written, so there is no page.
        return gettext("O portal não atende por este nome. Veja PORTAL_TRUSTED_HOSTS na documentação."), 400
    code = error.code or 500
    return render_template("error.html", kind=code, code=code), code


def show_csrf_error(error: CSRFError) -> ResponseReturnValue:
    return render_template("error.html", kind="csrf", code=400), 400


def show_gone(_error: ContactGone) -> ResponseReturnValue:
    """The contact was erased while the request was under way: nothing of it was written."""
    db.session.rollback()
    return show_error(NotFound())


def show_trouble(error: DBAPIError) -> ResponseReturnValue:
    """The database is locked, full, damaged or away: nothing was written, and the page says by which cause."""
    db.session.rollback()
    trouble = name_trouble(error)
    if trouble is None:
        raise error
    g.database_in_trouble = True
    logger.error("The database refused: %s", message_of(error), extra={"action": trouble.code, "path": request.path})
    page = render_template("error.html", kind="trouble", trouble=trouble, code=503)
    return page, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}


def show_unreadable(error: SecretError) -> ResponseReturnValue:
    """A stored secret cannot be opened: people can mend that, and the page says how."""
    db.session.rollback()
    logger.error("%s", error, extra={"action": "secret_unreadable", "path": request.path})
    return render_template("error.html", kind="secret", code=409), 409


def show_failure(error: InternalServerError) -> ResponseReturnValue:
    error_id = secrets.token_hex(4)
    logger.error(
        "A request failed.",
        extra={"action": "request_failed", "error_id": error_id, "path": request.path},
        exc_info=error.original_exception,
    )
    return render_template("error.html", kind=500, code=500, error_id=error_id), 500
