"""What attempts say about their endpoints: whether these work, and what their answers look like."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from portal import audit
from portal.database.driver import Statement, apart
from portal.database.rows import given, rows_of, within
from portal.database.tables import Key
from portal.outbox.claims import Claim, delivery, endpoint
from portal.outbox.outages import begin_outage, end_outage
from portal.outbox.rules import Rules
from portal.outbox.shapes import remember
from portal.rules.circuit import Circuit, after_failed_probe, after_failure, after_success
from portal.webhook import Outcome

SAYS_NOTHING = ("interrupted", "internal_error")  # reasons that say nothing about the receiver

# What an endpoint's last success may be behind: one after the other is not worth a write each.
FRESH = timedelta(seconds=1)

CIRCUIT_COLUMNS = tuple(field.name for field in fields(Circuit))
TOLD_COLUMNS = (*CIRCUIT_COLUMNS, "last_success_at", "last_failure_at", "answer_shape")
_companies = rows_of("companies", id=Key)
_endpoints = select(*(endpoint.c[name] for name in ("id", "company_id", "url", "crm_since", *TOLD_COLUMNS))).where(
    within(endpoint.c.company_id, select(_companies.c.id))
)
ENDPOINTS_OF = Statement(_endpoints)
HOLD_ENDPOINTS = Statement(_endpoints.order_by(endpoint.c.company_id).with_for_update())
TELL_ENDPOINT = Statement(
    update(endpoint)
    .where(endpoint.c.id == given("key", Key))
    .values({name: given(name, endpoint.c[name].type) for name in TOLD_COLUMNS})
)


def ask_endpoints(connection: Connection, results: Sequence[tuple[Claim, Outcome]]) -> Callable[[], dict[int, Any]]:
    """Ask for the endpoints of what was sent, as they are now. What this returns gives them, by their companies."""
    companies = sorted({claim.company_id for claim, _ in results})
    rows = ENDPOINTS_OF.ask(connection, companies=[(each,) for each in companies])
    return lambda: {row.company_id: row for row in rows()}


def tell_endpoints(
    connection: Connection, results: Sequence[tuple[Claim, Outcome]], endpoints: Mapping[int, Any], rules: Rules
) -> None:
    """What the attempts say about their endpoints, which `ask_endpoints` found.

    Tests say nothing, nor does what went to an address or a CRM that is no longer the endpoint's, nor what never
    reached out.
    """
    telling: dict[int, list[tuple[Claim, Outcome]]] = {}
    for claim, outcome in results:
        if not claim.is_test and outcome.reason not in SAYS_NOTHING:
            telling.setdefault(claim.company_id, []).append((claim, outcome))
    if not telling:
        return
    # Looked at before they are held: two workers whose deliveries to one endpoint go well never wait for each other.
    changing = [each for each in telling if _endpoint_after(endpoints[each], telling[each], rules) is not None]
    if changing:
        with apart(connection):
            _tell_those(connection, changing, telling, rules)


def _tell_those(
    connection: Connection,
    companies: Sequence[int],
    telling: Mapping[int, Sequence[tuple[Claim, Outcome]]],
    rules: Rules,
) -> None:
    for row in HOLD_ENDPOINTS.all(connection, companies=[(company_id,) for company_id in companies]):
        facts = _endpoint_after(row, telling[row.company_id], rules)
        if facts is None:
            continue
        TELL_ENDPOINT.run(connection, key=row.id, **facts)
        _record_change(connection, row, facts, telling[row.company_id], now=rules.now)
        if row.state == "failing" and facts["state"] == "active":
            release_waiting(connection, row.company_id, now=rules.now)


def _record_change(
    connection: Connection, row: Any, facts: dict[str, Any], told: Sequence[tuple[Claim, Outcome]], *, now: datetime
) -> None:
    """Write down that the receiver takes nothing, that the portal stopped sending by itself, or that it is back."""
    here = _sent_there(row, told)
    if row.state == "active" and facts["state"] != "active":
        cause = next(outcome for _, outcome in reversed(here) if not outcome.delivered)
        begin_outage(connection, row.company_id, cause, began_at=facts["failing_since"])
        audit.record_by_portal(connection, row.company_id, "webhook.failing", subject=cause.reason, now=now)
    elif row.state != "active" and facts["state"] == "active":
        arrived = [claim.delivery_id for claim, outcome in here if outcome.delivered]
        held = end_outage(connection, row.company_id, now=now, arrived=arrived)
        audit.record_by_portal(connection, row.company_id, "webhook.recovered", subject=held, now=now)
    if row.state != "paused" and facts["state"] == "paused":
        reason = facts["paused_reason"]
        audit.record_by_portal(connection, row.company_id, "webhook.stopped", subject=reason, now=now)


def _endpoint_after(row: Any, told: Sequence[tuple[Claim, Outcome]], rules: Rules) -> dict[str, Any] | None:
    """An endpoint's columns after these results; None when there is nothing to write."""
    before = Circuit(**{name: getattr(row, name) for name in CIRCUIT_COLUMNS})
    here = _sent_there(row, told)
    after = _fold(before, here, rules)
    succeeded = any(outcome.delivered for _, outcome in here)
    failed = not all(outcome.delivered for _, outcome in here)
    is_fresh = row.last_success_at is not None and row.last_success_at > rules.now - FRESH
    shapes = remember(row.answer_shape, [outcome.shape for _, outcome in here])
    if not (failed or after != before or shapes != row.answer_shape or (succeeded and not is_fresh)):
        return None
    return {name: getattr(after, name) for name in CIRCUIT_COLUMNS} | {
        "last_success_at": rules.now if succeeded else row.last_success_at,
        "last_failure_at": rules.now if failed else row.last_failure_at,
        "answer_shape": shapes,
    }


def _sent_there(row: Any, told: Sequence[tuple[Claim, Outcome]]) -> list[tuple[Claim, Outcome]]:
    """Those that went where the endpoint leads now."""
    return [each for each in told if (each[0].url, each[0].crm_since) == (row.url, row.crm_since)]


def _fold(circuit: Circuit, results: Sequence[tuple[Claim, Outcome]], rules: Rules) -> Circuit:
    for claim, outcome in results:
        if outcome.delivered:
            circuit = after_success(circuit)
            continue
        now, first_pause, retry_after = rules.now, rules.first_pause, outcome.retry_after
        circuit = after_failure(
            circuit, claim.delivery_id, reason=outcome.reason, now=now, first_pause=first_pause, retry_after=retry_after
        )
        if claim.is_probe:
            circuit = after_failed_probe(circuit, now=now, first_pause=first_pause, retry_after=retry_after)
    return circuit


def release_waiting(connection: Connection, company_id: int, *, now: datetime) -> None:
    """The endpoint is back: everything that waits is due now, level 3 first, by a microsecond for each level."""
    for level in (3, 2, 1):
        connection.execute(
            update(delivery)
            .where(
                delivery.c.company_id == company_id,
                delivery.c.status == "pending",
                delivery.c.interest_level == level,
            )
            .values(next_attempt_at=now + timedelta(microseconds=3 - level))
        )
