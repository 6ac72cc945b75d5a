"""The circuit of an endpoint, as rules on plain values: when it opens, when it is probed, when it closes or gives up.

A receiver that is down would burn the tries of everything that waits for it. So after several failures in a row, of
different deliveries, the endpoint is `failing`: one delivery at a time probes it, at no cost to its tries, and the rest
wait untouched. A success makes it `active` again. After days of failure alone it is `paused` until an admin resumes it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FAILURES_TO_OPEN = 5
LONGEST_PAUSE = timedelta(minutes=15)
GIVE_UP_AFTER = timedelta(days=3)


@dataclass(frozen=True)
class Circuit:
    """The part of an endpoint that its attempts change."""

    state: str = "active"
    consecutive_failures: int = 0
    # Different deliveries among the failures in a row, where a delivery that fails twice running counts once.
    failed_deliveries: int = 0
    last_failed_delivery_id: int | None = None
    failing_since: datetime | None = None
    probe_count: int = 0
    next_probe_at: datetime | None = None
    paused_reason: str | None = None


def after_success(circuit: Circuit) -> Circuit:
    """The receiver took a delivery: whatever was wrong is over. A pause stays, since an admin ends it."""
    is_paused = circuit.state == "paused"
    return Circuit(state="paused", paused_reason=circuit.paused_reason) if is_paused else Circuit()


def after_failure(
    circuit: Circuit,
    delivery_id: int,
    *,
    reason: str,
    now: datetime,
    first_pause: timedelta,
    retry_after: timedelta | None = None,
) -> Circuit:
    """The receiver did not take a delivery. `first_pause` is the one before the first probe.

    `retry_after`, what the receiver asked for, makes a pause longer, up to the longest. Failures of one delivery alone,
    however many, say that its body is not liked, and open nothing.
    """
    is_other = delivery_id != circuit.last_failed_delivery_id
    circuit = replace(
        circuit,
        consecutive_failures=circuit.consecutive_failures + 1,
        failed_deliveries=circuit.failed_deliveries + is_other,
        last_failed_delivery_id=delivery_id,
        failing_since=circuit.failing_since or now,
    )
    if circuit.state == "paused":
        return circuit
    if reason == "gone":
        return replace(circuit, state="paused", paused_reason="gone", next_probe_at=None)
    if circuit.state == "active" and circuit.failed_deliveries >= FAILURES_TO_OPEN:
        return replace(circuit, state="failing", probe_count=0, next_probe_at=now + _pause(first_pause, retry_after))
    return circuit


def after_failed_probe(
    circuit: Circuit, *, now: datetime, first_pause: timedelta, retry_after: timedelta | None = None
) -> Circuit:
    """The probe failed too: the next pause is twice as long, up to a quarter of an hour; after three days, no more."""
    if circuit.state != "failing":
        return circuit
    if circuit.failing_since is not None and now - circuit.failing_since >= GIVE_UP_AFTER:
        return replace(circuit, state="paused", paused_reason="outage", next_probe_at=None)
    probe_count = circuit.probe_count + 1
    pause = _pause(first_pause * 2 ** min(probe_count, 20), retry_after)
    return replace(circuit, probe_count=probe_count, next_probe_at=now + pause)


def _pause(own: timedelta, retry_after: timedelta | None) -> timedelta:
    return min(max(own, retry_after or own), LONGEST_PAUSE)
