"""Who calls the API: whoever a bearer token proves. Cookies count for nothing here.

Every route says `access="member"` (any token) or "admin" (an admin's token), as pages do; one that does not is refused.
"""

import math
import threading
from collections.abc import Hashable
from datetime import timedelta

from flask import Flask, current_app, g, request
from flask.typing import ResponseReturnValue

from portal import clock
from portal.api.protocol.problems import Problem, answer_http_error
from portal.api.protocol.sentences import DETAILS
from portal.database.db import db
from portal.models import SCOPES
from portal.people import tokens
from portal.people.tokens import Bearer

PREFIX = "/api/"
CALLS_A_SECOND, CALLS_AT_ONCE = 50, 1000  # how many calls a token may make to one process: for good, and in a burst
LIMIT = "api_limit"  # where an application holds what its tokens have used of it
PUBLIC = {"api-docs.openapi_json", "api_docs.index", "api_docs.show"}  # view names that need no token
READING = ("GET", "HEAD", "OPTIONS")
USE_RECORDED_EVERY = timedelta(minutes=1)
CHALLENGE = 'Bearer realm="portal"'


class RateLimit:
    """At most `burst` calls at once, and `per_second` for good; what is not used comes back at that pace.

    Each process counts for itself: several of them admit as many times as much.
    """

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._seconds_each = 1 / per_second
        self._seconds_ahead = burst / per_second
        self._free_at: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def take(self, who: Hashable) -> float:
        """Seconds until `who` may call again; 0.0 when this call is admitted, and counts."""
        now = clock.monotonic()
        with self._lock:
            free_at = max(self._free_at.get(who, now), now) + self._seconds_each
            if free_at - now > self._seconds_ahead:
                return free_at - now - self._seconds_ahead
            self._free_at[who] = free_at
            return 0.0


def init_app(app: Flask) -> None:
    """Check every request below /api/ before anything reads it."""
    app.extensions[LIMIT] = make_limit()
    app.before_request(check_request)


def make_limit() -> RateLimit:
    """A limit that no token has used yet."""
    return RateLimit(per_second=CALLS_A_SECOND, burst=CALLS_AT_ONCE)


def check_request() -> ResponseReturnValue | None:
    """Refuse unknown addresses with a problem, and whoever the route does not admit, or who calls too often."""
    if not request.path.startswith(PREFIX):
        return None
    error = request.routing_exception
    if error is not None:
        return answer_http_error(error) if (error.code or 0) >= 400 else None
    if request.endpoint in PUBLIC:
        return None
    g.caller = authenticate()
    if wait := current_app.extensions[LIMIT].take(g.caller.token_id):
        raise Problem(429, "too_many_calls", headers={"Retry-After": str(math.ceil(wait))})
    access = getattr(current_app.view_functions[str(request.endpoint)], "access", None)
    if access != "member" and not (access == "admin" and g.caller.role == "admin"):
        raise Problem(403, "forbidden")
    check_scope(needed_scope(access, request.method))
    return None


def needed_scope(access: str, method: str) -> str:
    """What a token must be good for: to read, to change contacts and their levels, or for what only admins may do."""
    if method in READING:
        return "read"
    return "classify" if access == "member" else "manage"


def check_scope(needed: str) -> None:
    """Raise Problem (403), which names the scope, unless the caller's includes it (RFC 6750, section 3.1)."""
    if SCOPES.index(g.caller.scope) < SCOPES.index(needed):
        challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{needed}"'
        detail = str(DETAILS["scope_missing"]) % {"scope": needed, "own": g.caller.scope}
        raise Problem(403, "scope_missing", detail=detail, headers={"WWW-Authenticate": challenge}, scope=needed)


def current_caller() -> Bearer:
    """Whoever the request was authenticated for."""
    caller: Bearer = g.caller
    return caller


def authenticate() -> Bearer:
    """The caller that the request's token proves. Raises Problem (401)."""
    presented = request.authorization
    if presented is None or presented.type != "bearer" or not presented.token:
        raise Problem(401, "missing_token", headers={"WWW-Authenticate": CHALLENGE})
    bearer = tokens.find_bearer(db.engine, presented.token)
    if bearer is None or bearer.is_over:
        code = "invalid_token" if bearer is None else "token_over"
        raise Problem(401, code, headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'})
    g.timezone = bearer.timezone  # in which sentences name times
    if bearer.last_used_at is None or clock.utcnow() - bearer.last_used_at >= USE_RECORDED_EVERY:
        tokens.record_token_use(db.engine, bearer.token_id)
    return bearer
