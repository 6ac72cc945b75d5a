"""Is the process alive, and is the portal ready: for whoever watches the machine."""

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.database.db import db
from portal.database.schema import SchemaError, check_schema
from portal.deliveries import figures
from portal.web import access

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@access.public
def healthz() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
@access.public
def readyz() -> tuple[Response, int]:
    """Database, schema, worker, and for how many seconds the oldest due delivery has waited."""
    checks: dict[str, object] = {"database": False, "schema": False, "worker": False, "oldest_due_seconds": None}
    try:
        now = clock.utcnow()
        workers = figures.count_workers(db.session, now=now)
        checks["database"] = True
        check_schema(db.engine)
        checks["schema"] = True
        checks["worker"] = workers > 0
        checks["oldest_due_seconds"] = figures.oldest_due_seconds(db.session, now=now)
    except (SQLAlchemyError, SchemaError):
        db.session.rollback()
    ready = all(checks[name] for name in ("database", "schema", "worker"))
    return jsonify(ready=ready, **checks), 200 if ready else 503
