"""Is the process alive, and is the portal ready: for whoever watches the machine."""

from flask import Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.database.backup import nightly
from portal.database.db import db, patience
from portal.database.schema import SchemaError, check_schema
from portal.database.troubles import Trouble, find_trouble, name_trouble
from portal.deliveries import figures
from portal.runtime import runtime
from portal.web import access

PATIENCE_SECONDS = 3.0
"""Whoever asks waits no longer for what others hold, all looks together."""
PROBE_SECONDS = 5.0
"""How old an answer may be: whoever asks costs no more than one write in that time."""

bp = access.Pages("health", __name__)


@bp.get("/healthz", access="public")
def healthz() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz", access="public")
def readyz() -> tuple[Response, int]:
    """Database, schema, writing, worker, how long the oldest due delivery has waited, and the last backup."""
    names = ("database", "schema", "writable", "worker")
    facts: dict[str, object] = {"trouble": None, "oldest_due_seconds": None, "last_backup_at": last_backup_at()}
    checks: dict[str, object] = {**dict.fromkeys(names, False), **facts}
    try:
        with patience(PATIENCE_SECONDS):
            look(checks)
    except SchemaError:
        checks["trouble"] = "schema_mismatch"
    except SQLAlchemyError as error:
        db.session.rollback()
        trouble = name_trouble(error)
        checks["trouble"] = trouble.code if trouble else "database_busy"
    ready = all(checks[name] for name in names)
    return jsonify(ready=ready, **checks), 200 if ready else 503


def last_backup_at() -> str | None:
    """When the newest nightly backup was made, as RFC 3339."""
    made_at = nightly.last_made_at(runtime().settings.backups)
    return None if made_at is None else made_at.isoformat(timespec="seconds")


def look(checks: dict[str, object]) -> None:
    """Tick off one check after the other. Raises SchemaError and SQLAlchemyError at the first that fails."""
    now = clock.utcnow()
    workers = figures.count_workers(db.session, now=now)
    checks["database"] = True
    check_schema(db.engine, db.metadata)
    checks["schema"] = True
    trouble = find_recent_trouble()
    checks["writable"], checks["trouble"] = trouble is None, trouble.code if trouble else None
    checks["worker"] = workers > 0
    checks["oldest_due_seconds"] = figures.oldest_due_seconds(db.session, now=now)


def find_recent_trouble() -> Trouble | None:
    """What kept the database from being written a moment ago."""
    held = current_app.extensions
    trouble: Trouble | None
    asked_at, trouble = held.get("health", (-PROBE_SECONDS, None))
    if clock.monotonic() - asked_at >= PROBE_SECONDS:
        trouble = find_trouble(db.engine)
        held["health"] = clock.monotonic(), trouble
    return trouble
