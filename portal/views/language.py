"""The language of the pages, as somebody chooses it."""

from flask import Response, abort, make_response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.database.db import db
from portal.i18n import LANGUAGE_COOKIE, LANGUAGES
from portal.runtime import runtime
from portal.web import access
from portal.web.redirects import back_or

YEAR_SECONDS = 365 * 24 * 60 * 60

bp = access.Pages("language", __name__)


@bp.post("/language", access="public")
def choose() -> ResponseReturnValue:
    chosen = request.form.get("language", "")
    if chosen not in LANGUAGES:
        abort(400)
    if current_user.is_authenticated:
        current_user.locale = chosen
        db.session.commit()
    return remember_language(make_response(back_or(url_for("home.index"))), chosen)


def remember_language(response: Response, language: str) -> Response:
    """The answer, with a cookie by which the browser keeps the language."""
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=YEAR_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=runtime().settings.secure_cookies,
    )
    return response
