"""Pages that say what went wrong, that nothing is lost, and where to go on.

What is done about a failure is the same for pages and the API: nothing stays written, and the log has it.
"""

import logging
import secrets
from typing import Any

from flask import Flask, flash, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from markupsafe import escape
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError, NotFound, SecurityError

from portal.company.refusals import Refusal
from portal.contacts.classifying import ContactGone
from portal.database.db import db
from portal.database.paging import InvalidCursor
from portal.database.troubles import Trouble, message_of, name_trouble
from portal.vault import SecretError
from portal.web import origin
from portal.web.access import access_of_view, is_api
from portal.web.extensions import login_manager
from portal.web.redirects import back_or, nearest_page, page_before

RETRY_AFTER_SECONDS = 10  # when to ask again after trouble with the database

logger = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Show a page of ours for every error of a page."""
    for code in (400, 403, 404, 405, 413, 429):
        app.register_error_handler(code, show_error)
    app.register_error_handler(CSRFError, show_csrf_error)
    app.register_error_handler(ContactGone, lambda _error: show_instead(NotFound()))
    app.register_error_handler(InvalidCursor, lambda _error: show_instead(BadRequest()))
    app.register_error_handler(Refusal, show_refusal)
    app.register_error_handler(DBAPIError, show_trouble)
    app.register_error_handler(SecretError, show_unreadable)
    app.register_error_handler(InternalServerError, show_failure)


def show_error(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, SecurityError):
        return show_foreign_host()
    code = error.code or 500
    if code == 413 and has_lost_session():  # who has logged in may send more
        return login_manager.unauthorized()  # type: ignore[no-any-return]
    return render_error("origin" if "mismatch" in g else code, code=code), code


def show_foreign_host() -> ResponseReturnValue:
    """Answer in plain text: under a foreign host name the portal can write none of its own addresses."""
    host = request.headers.get("Host", "")[:100]
    logger.warning("Asked by a name that is not the portal's: %r", host, extra={"action": "host_refused"})
    text = gettext(
        "O portal não atende pelo nome “%(host)s”, que veio no cabeçalho Host. Quem opera o portal acrescenta este "
        "nome a PORTAL_TRUSTED_HOSTS, ou configura o proxy para passar em Host o nome que está em PORTAL_BASE_URL.",
        host=escape(host),
    )
    return text, 400


def show_csrf_error(_error: CSRFError) -> ResponseReturnValue:
    """The form's token is not that of the session: it ended, or began anew in another tab, or was never kept."""
    if mismatch := origin.find_lost_tls():
        origin.tell(mismatch)
        g.mismatch = mismatch
        return render_error("origin", code=400), 400
    if has_lost_session():
        return login_manager.unauthorized()  # type: ignore[no-any-return]
    return render_error("csrf", code=400), 400


def has_lost_session() -> bool:
    """Whether somebody who is not logged in asked for a page that needs a log-in."""
    is_of_portal = request.endpoint is not None and not is_api()
    return is_of_portal and access_of_view() in ("member", "admin") and not current_user.is_authenticated


def render_error(kind: str | int, *, code: int, **facts: Any) -> str:
    """The page of an error: with the menu for whoever is logged in, as long as the database answers."""
    try:
        layout = "base.html" if current_user.is_authenticated else "bare.html"
        return render_template("error.html", kind=kind, code=code, layout=layout, before=page_before(), **facts)
    except SQLAlchemyError:
        db.session.rollback()
        return render_template("error.html", kind=kind, code=code, layout="bare.html", before=None, **facts)


def show_instead(error: HTTPException) -> ResponseReturnValue:
    """What a request named does not exist, or was erased meanwhile. Nothing was written."""
    db.session.rollback()
    return show_error(error)


def show_refusal(refusal: Refusal) -> ResponseReturnValue:
    """Nothing was done: the page that asked for it says why."""
    db.session.rollback()
    flash(refusal.sentence, "error")
    return back_or(nearest_page() or url_for("home.index"))


def show_trouble(error: DBAPIError) -> ResponseReturnValue:
    """The database is locked, full, damaged or away: nothing was written, and the page says by which cause."""
    trouble = note_trouble(error)
    g.database_in_trouble = True
    page = render_error("trouble", trouble=trouble, code=503)
    return page, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}


def show_unreadable(error: SecretError) -> ResponseReturnValue:
    """A stored secret cannot be opened: people can mend that, and the page says how."""
    note_unreadable(error)
    return render_error("secret", code=409), 409


def show_failure(error: InternalServerError) -> ResponseReturnValue:
    return render_error(500, code=500, error_id=note_failure(error)), 500


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
