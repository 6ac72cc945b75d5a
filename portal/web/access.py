"""Who may open what. Every view says it beside its address: there is no route without `access`.

`public`: anybody. `member`: whoever is logged in, within the own company. `admin`: of these, whoever has that role.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

from flask import Blueprint, Flask, abort, current_app, g, request
from flask.typing import ResponseReturnValue, RouteCallable
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.exceptions import Forbidden

from portal import audit
from portal.audit import Actor
from portal.database.db import db, reading
from portal.models import User
from portal.web import origin, proxied, sessions
from portal.web.extensions import login_manager

ACCESS = ("public", "member", "admin")
View = TypeVar("View", bound=RouteCallable)
Found = TypeVar("Found")
Key = TypeVar("Key")


class Pages(Blueprint):
    """Views that belong together: `@bp.get("/new", access="admin")`."""

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """The address of a view, and whom it admits."""
        access, register = options.pop("access", None), super().route(rule, **options)
        if access not in ACCESS:
            raise ValueError(f"{rule!r} must say whom it admits: {access!r} is none of {ACCESS}.")

        def decorate(view: View) -> View:
            if (other := getattr(view, "access", access)) != access:
                raise ValueError(f"{rule!r} admits {access!r}, and another address of the same view {other!r}.")
            view.access = access  # type: ignore[union-attr]
            return register(view)

        return decorate


def init_app(app: Flask) -> None:
    """Check every request, refuse what no row can hold, keep GETs from writing, and load who is logged in."""
    app.before_request(refuse_nul)
    app.before_request(keep_reads_from_writing)
    app.before_request(origin.check_origin)
    app.before_request(check_access)
    app.teardown_request(end_reading)
    login_manager.user_loader(load_user)


def refuse_nul() -> None:
    """Refuse an address with U+0000 in it: no stored text holds it, and PostgreSQL refuses to look for it."""
    if "\0" in request.path and request.routing_exception is None:
        abort(404)


def is_api() -> bool:
    return request.blueprint == "api" or request.path.startswith("/api/")


def keep_reads_from_writing() -> None:
    """A GET that tries to write fails loudly, on both databases."""
    g.exit_stack = ExitStack()
    if request.method in ("GET", "HEAD", "OPTIONS"):
        g.exit_stack.enter_context(reading())


def end_reading(_error: BaseException | None) -> None:
    if "exit_stack" in g:
        db.session.rollback()
        g.exit_stack.close()


def check_access() -> ResponseReturnValue | None:
    """Refuse whoever the view does not admit."""
    if request.endpoint is None:
        return None  # no such page: 404 says so
    if request.endpoint == "static" or is_api():
        return None  # the API knows its callers by their tokens
    access = access_of_view()
    if access == "public":
        return None
    if access is None:
        abort(Forbidden.code)
    if any("\0" in value for _, value in request.args.items(multi=True)):
        abort(400)  # neither is anything found by it; the API names the field
    if not current_user.is_authenticated:
        return login_manager.unauthorized()  # type: ignore[no-any-return]
    if access == "admin" and not current_user.is_admin:
        audit.count(db.session, current_actor(), "access.denied", subject=str(request.url_rule))
        abort(Forbidden.code)
    return None


def access_of_view() -> str | None:
    """Whom the view that was asked for admits; None when it does not say."""
    access: str | None = getattr(current_app.view_functions[request.endpoint or ""], "access", None)
    return access


def current_actor() -> Actor:
    """Whoever is logged in, or whom a call's token proves, for the audit log."""
    caller = g.get("caller") or current_user
    return Actor(caller.company_id, caller.email, request.remote_addr)


def or_404(found: Found | None) -> Found:
    """What was found within the reader's company; when it is nothing, there is no such page."""
    if found is None:
        abort(404)
    return found


def own_or_404(get: Callable[[Session, int, Key], Found | None], key: Key) -> Found:
    """What `get` finds under this key within the company of who asks: nobody can forget to check whose it is."""
    return or_404(get(db.session, current_actor().company_id, key))


def load_user(session_id: str) -> User | None:
    """The user of a session cookie, unless the session was ended.

    Age ends it, log-out, a new password or role, a disabled account, and a proxy that names somebody else.
    """
    if sessions.is_over() or g.get("database_in_trouble"):  # the page that says so asks for nobody
        return None
    user = sessions.find_user(session_id)
    if user is None or proxied.named_email() not in (None, user.email):
        return None  # the proxy says that somebody else is there
    g.timezone, g.language = user.timezone or user.company.timezone, user.locale
    return user
