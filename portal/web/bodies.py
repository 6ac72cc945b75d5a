"""How long a request's body may be: said by its head alone, so that nobody's disk fills with what is refused later.

The server asks before it takes a body in, and the application keeps to the same answer.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Request, current_app
from werkzeug.exceptions import HTTPException

FORM_BYTES = 512 * 1024  # any page's form; up to here nothing is written to the disk
CALL_BYTES = 8 * 1024 * 1024  # many contacts in one call of the API, with a token
A_TOKEN = "bearer cat_"  # noqa: S105 - how every token begins

View = TypeVar("View", bound=Callable[..., Any])


def up_to(anybody: int, *, who_is_known: int | None = None) -> Callable[[View], View]:
    """This view takes bodies of so many bytes, from anybody, and from whoever has logged in or shows a token."""

    def mark(view: View) -> View:
        view.body_limits = (anybody, who_is_known or anybody)  # type: ignore[attr-defined]
        return view

    return mark


class BoundedRequest(Request):
    """A request whose body may be as long as its head permits."""

    @property  # type: ignore[misc]
    def max_content_length(self) -> int:  # type: ignore[override]
        """In bytes."""
        return limit_of(current_app, self.environ)


def limit_of(app: Flask, environ: dict[str, Any]) -> int:
    """How many bytes of body this head permits. It asks no database: a session counts by its signature."""
    if (length := environ.get("CONTENT_LENGTH", "")).isdecimal() and int(length) <= FORM_BYTES:
        return FORM_BYTES  # everybody may send so much, everywhere
    path = environ.get("PATH_INFO", "")
    try:
        view_name, _ = app.url_map.bind("").match(path, environ.get("REQUEST_METHOD", "GET"))
    except HTTPException:
        return FORM_BYTES
    anybody, who_is_known = getattr(app.view_functions[view_name], "body_limits", (FORM_BYTES, FORM_BYTES))
    if who_is_known > anybody and (_shows_token(environ) if path.startswith("/api/") else _has_logged_in(app, environ)):
        return int(who_is_known)
    return int(anybody)


def _shows_token(environ: dict[str, Any]) -> bool:
    return str(environ.get("HTTP_AUTHORIZATION", "")).lower().startswith(A_TOKEN)


def _has_logged_in(app: Flask, environ: dict[str, Any]) -> bool:
    session = app.session_interface.open_session(app, Request(environ))
    return session is not None and "_user_id" in session
