"""Is the process alive, and is the portal ready: for whoever watches the machine."""

from datetime import timedelta

from flask import Blueprint, Response, jsonify
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.db import db
from portal.models import Delivery, Endpoint, WorkerHeartbeat
from portal.schema import SchemaError, check_schema
from portal.views import access

SILENT_AFTER = timedelta(seconds=60)
"""A worker shows itself every ten seconds; after so long without a sign there is none."""

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
        seen_at = db.session.scalar(select(func.max(WorkerHeartbeat.seen_at)))
        checks["database"] = True
        check_schema(db.engine)
        checks["schema"] = True
        checks["worker"] = seen_at is not None and clock.utcnow() - seen_at < SILENT_AFTER
        checks["oldest_due_seconds"] = oldest_due_seconds()
    except (SQLAlchemyError, SchemaError):
        db.session.rollback()
    ready = all(checks[name] for name in ("database", "schema", "worker"))
    return jsonify(ready=ready, **checks), 200 if ready else 503


def oldest_due_seconds() -> float:
    """How long the delivery that has been due longest waits, of those whose endpoint takes deliveries; else 0."""
    oldest = db.session.scalar(
        select(func.min(Delivery.next_attempt_at))
        .join(Endpoint, Endpoint.company_id == Delivery.company_id)
        .where(Delivery.status == "pending", Endpoint.state == "active")
    )
    return max(0.0, (clock.utcnow() - oldest).total_seconds()) if oldest else 0.0
