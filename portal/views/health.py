"""For whoever watches the machine: is the process alive, is the portal ready, and the figures for Prometheus.

The figures come from the database: whichever process is asked answers the same.
"""

import hmac
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Response, current_app, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.database.backup import nightly
from portal.database.db import db, patience
from portal.database.schema import SchemaError, check_schema
from portal.database.troubles import Trouble, find_trouble, name_trouble
from portal.deliveries import figures
from portal.runtime import runtime
from portal.version import __version__
from portal.web import access

PATIENCE_SECONDS = 3.0  # how long one answer may wait for locks that others hold, all looks together
# How long an answer is kept: the database is written once in that time, however often somebody asks.
PROBE_SECONDS = 5.0

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


@bp.get("/metrics", access="public")
def metrics() -> Response:
    """Answers whoever knows PORTAL_METRICS_TOKEN; without that setting, only this machine."""
    if not may_read():
        headers = {"WWW-Authenticate": "Bearer"} if runtime().settings.metrics_token else {}
        return Response("not for you\n", 401 if headers else 403, headers, mimetype="text/plain")
    registry = CollectorRegistry()
    registry.register(Figures())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def may_read() -> bool:
    """Whether whoever asks may see the figures."""
    token = runtime().settings.metrics_token
    if token is not None:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    # A proxy on this machine asks from here too, but for the name that people use.
    host = urlsplit(f"//{request.host}").hostname
    return host in ("localhost", "127.0.0.1", "::1") and is_loopback(request.remote_addr)


def is_loopback(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:  # what a proxy passed on is no address
        return False


class Figures(Collector):
    """What Prometheus is told."""

    def collect(self) -> Iterator[Metric]:
        session, now = db.session, clock.utcnow()
        ends = CounterMetricFamily(
            "portal_deliveries", "Attempts by the status they left their delivery in.", labels=("status", "reason")
        )
        for key, number in sorted(figures.count_ends(session).items()):
            ends.add_metric(key, number)
        yield ends
        took = figures.durations(session)
        yield HistogramMetricFamily(
            "portal_attempt_duration_seconds",
            "How long attempts took.",
            buckets=[(f"{bound:g}".replace("inf", "+Inf"), number) for bound, number in took.up_to],
            sum_value=took.total_seconds,
        )
        yield GaugeMetricFamily(
            "portal_outbox_due",
            f"Deliveries that could go out now, counted up to {figures.DUE_CAP}.",
            value=figures.count_due(session, now=now),
        )
        yield GaugeMetricFamily(
            "portal_outbox_oldest_due_seconds",
            "How long the delivery that has been due longest waits.",
            value=figures.oldest_due_seconds(session, now=now),
        )
        endpoints = GaugeMetricFamily("portal_endpoints", "Companies' endpoints by state.", labels=("state",))
        for state, number in figures.count_endpoints(session).items():
            endpoints.add_metric((state,), number)
        yield endpoints
        yield CounterMetricFamily("portal_outages", "Outages that began.", value=figures.count_outages(session))
        yield GaugeMetricFamily("portal_workers", "Workers alive.", value=figures.count_workers(session, now=now))
        if (made_at := nightly.last_made_at(runtime().settings.backups)) is not None:
            yield GaugeMetricFamily(
                "portal_last_backup_timestamp_seconds",
                "When the newest nightly backup was made.",
                value=made_at.timestamp(),
            )
        about = GaugeMetricFamily("portal_info", "The portal's version.", labels=("version",))
        about.add_metric((__version__,), 1)
        yield about
