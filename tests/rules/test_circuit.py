"""When an endpoint's circuit opens, is probed, closes and gives up: the rules alone, at their borders."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from portal.rules.circuit import (
    FAILURES_TO_OPEN,
    GIVE_UP_AFTER,
    LONGEST_PAUSE,
    Circuit,
    after_failed_probe,
    after_failure,
    after_success,
)
from tests.factories import NOON

FIRST_PAUSE = timedelta(seconds=30)
MOMENT, DAY = timedelta(microseconds=1), timedelta(days=1)
FAILING = Circuit(
    state="failing", consecutive_failures=5, failed_deliveries=5, last_failed_delivery_id=5, failing_since=NOON
)
PAUSED = replace(FAILING, state="paused", paused_reason="manual")


def fail(
    circuit: Circuit, *delivery_ids: int, reason: str = "timeout", retry_after: timedelta | None = None
) -> Circuit:
    for delivery_id in delivery_ids:
        circuit = after_failure(
            circuit, delivery_id, reason=reason, now=NOON, first_pause=FIRST_PAUSE, retry_after=retry_after
        )
    return circuit


def probe(circuit: Circuit, *, after: timedelta = timedelta(0), retry_after: timedelta | None = None) -> Circuit:
    return after_failed_probe(circuit, now=NOON + after, first_pause=FIRST_PAUSE, retry_after=retry_after)


def test_the_fifth_delivery_that_fails_in_a_row_opens_it() -> None:
    four = fail(Circuit(), *range(1, FAILURES_TO_OPEN))
    assert (four.state, four.next_probe_at) == ("active", None)
    five = fail(four, FAILURES_TO_OPEN)
    assert (five.state, five.probe_count, five.next_probe_at) == ("failing", 0, NOON + FIRST_PAUSE)


@pytest.mark.parametrize(
    ("asked", "pause", "second_pause"),
    [
        (timedelta(0), FIRST_PAUSE, 2 * FIRST_PAUSE),
        (timedelta(seconds=10), FIRST_PAUSE, 2 * FIRST_PAUSE),
        (timedelta(minutes=5), timedelta(minutes=5), timedelta(minutes=5)),
        (timedelta(hours=24), LONGEST_PAUSE, LONGEST_PAUSE),
    ],
)
def test_a_receiver_can_ask_for_a_longer_pause_up_to_the_longest(
    asked: timedelta, pause: timedelta, second_pause: timedelta
) -> None:
    failing = fail(Circuit(), *range(1, FAILURES_TO_OPEN + 1), reason="rate_limited", retry_after=asked)
    assert failing.next_probe_at == NOON + pause
    assert probe(failing, retry_after=asked).next_probe_at == NOON + second_pause


def test_one_delivery_that_fails_again_and_again_counts_once() -> None:
    circuit = fail(Circuit(), *[1] * 20, 2, 2, 3, 4)
    assert (circuit.state, circuit.consecutive_failures, circuit.failed_deliveries) == ("active", 24, 4)


def test_a_success_between_begins_the_count_anew() -> None:
    assert fail(after_success(fail(Circuit(), 1, 2, 3, 4)), 5, 6, 7, 8).state == "active"


def test_it_fails_since_the_first_failure() -> None:
    first = fail(Circuit(), 1)
    later = after_failure(first, 2, reason="timeout", now=NOON + timedelta(hours=1), first_pause=FIRST_PAUSE)
    assert later.failing_since == NOON


def test_what_fails_besides_the_probe_moves_no_probe() -> None:
    failing = replace(FAILING, probe_count=3, next_probe_at=NOON + timedelta(minutes=4))
    after = fail(failing, 6, 7, 8, 9, 10)
    assert (after.state, after.probe_count, after.next_probe_at) == ("failing", 3, failing.next_probe_at)


def test_pauses_double_up_to_the_longest() -> None:
    circuit, pauses = FAILING, []
    for _ in range(100):
        circuit = probe(circuit)
        assert circuit.next_probe_at is not None
        pauses.append(circuit.next_probe_at - NOON)
    assert pauses[:4] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert set(pauses[4:]) == {LONGEST_PAUSE}


def test_after_three_days_to_the_moment_it_gives_up() -> None:
    assert probe(FAILING, after=GIVE_UP_AFTER - MOMENT).state == "failing"
    given_up = probe(FAILING, after=GIVE_UP_AFTER)
    assert (given_up.state, given_up.paused_reason, given_up.next_probe_at) == ("paused", "outage", None)


@pytest.mark.parametrize("circuit", [Circuit(), FAILING], ids=["active", "failing"])
def test_gone_pauses_it_at_once(circuit: Circuit) -> None:
    gone = fail(circuit, 9, reason="gone")
    assert (gone.state, gone.paused_reason, gone.next_probe_at) == ("paused", "gone", None)


def test_only_an_admin_ends_a_pause() -> None:
    assert after_success(PAUSED) == Circuit(state="paused", paused_reason="manual")
    assert fail(PAUSED, 6, 7, 8, 9, 10, 11).state == "paused"
    assert fail(PAUSED, 6, reason="gone").paused_reason == "manual"
    assert probe(PAUSED, after=GIVE_UP_AFTER) == PAUSED


def test_a_late_probe_of_an_endpoint_that_is_back_changes_nothing() -> None:
    assert probe(Circuit(), after=GIVE_UP_AFTER) == Circuit()


EVERYTHING = Circuit("active", 8, 4, 5, NOON, 3, NOON + MOMENT, None)


@pytest.mark.parametrize("delivery_id", [5, 6])
@pytest.mark.parametrize("reason", ["timeout", "gone"])
@pytest.mark.parametrize(
    ("state", "paused_reason", "since"),
    [("active", None, None), ("active", None, NOON), ("failing", None, NOON), ("paused", "manual", NOON)],
)
def test_a_failure_changes_its_own_facts_and_no_other(
    delivery_id: int, reason: str, state: str, paused_reason: str | None, since: datetime | None
) -> None:
    before = replace(EVERYTHING, state=state, paused_reason=paused_reason, failing_since=since)
    after = after_failure(before, delivery_id, reason=reason, now=NOON + DAY, first_pause=FIRST_PAUSE)
    is_other = delivery_id == 6
    counted = {"consecutive_failures": 9, "failed_deliveries": 4 + is_other, "last_failed_delivery_id": delivery_id}
    expected = replace(before, **counted, failing_since=since or NOON + DAY)
    if state != "paused" and reason == "gone":
        expected = replace(expected, state="paused", paused_reason="gone", next_probe_at=None)
    elif state == "active" and is_other:
        expected = replace(expected, state="failing", probe_count=0, next_probe_at=NOON + DAY + FIRST_PAUSE)
    assert after == expected


@pytest.mark.parametrize(
    ("since", "probes", "asked", "changed"),
    [
        (NOON, 0, None, {"probe_count": 1, "next_probe_at": NOON + 2 * FIRST_PAUSE}),
        (None, 0, None, {"probe_count": 1, "next_probe_at": NOON + 2 * FIRST_PAUSE}),
        (NOON, 3, None, {"probe_count": 4, "next_probe_at": NOON + 16 * FIRST_PAUSE}),
        (NOON, 4, None, {"probe_count": 5, "next_probe_at": NOON + LONGEST_PAUSE}),
        (NOON, 0, 2 * FIRST_PAUSE + MOMENT, {"probe_count": 1, "next_probe_at": NOON + 2 * FIRST_PAUSE + MOMENT}),
        (NOON, 0, LONGEST_PAUSE + MOMENT, {"probe_count": 1, "next_probe_at": NOON + LONGEST_PAUSE}),
        (NOON - GIVE_UP_AFTER + MOMENT, 0, None, {"probe_count": 1, "next_probe_at": NOON + 2 * FIRST_PAUSE}),
        (NOON - GIVE_UP_AFTER, 0, None, {"state": "paused", "paused_reason": "outage", "next_probe_at": None}),
    ],
)
def test_a_failed_probe_changes_its_own_facts_and_no_other(
    since: datetime | None, probes: int, asked: timedelta | None, changed: dict[str, Any]
) -> None:
    before = replace(EVERYTHING, state="failing", failing_since=since, probe_count=probes)
    assert probe(before, retry_after=asked) == replace(before, **changed)


@pytest.mark.parametrize("probes", [20, 21, 1000])
def test_the_longest_pause_stays_the_longest_however_often_it_is_probed(probes: int) -> None:
    before = replace(FAILING, probe_count=probes)
    after = after_failed_probe(before, now=NOON, first_pause=MOMENT)
    assert after.next_probe_at == NOON + min(MOMENT * 2**20, LONGEST_PAUSE)


def test_a_success_forgets_everything_but_a_pause() -> None:
    for state in ("active", "failing"):
        assert after_success(replace(EVERYTHING, state=state, paused_reason="gone")) == Circuit()
    paused = replace(EVERYTHING, state="paused", paused_reason="gone")
    assert after_success(paused) == Circuit(state="paused", paused_reason="gone")
