"""A dispatcher's turns, one at a time: what it waits for, what it records and claims, and what it does when that fails.

Nothing is sent: what it claims is held here, and what came of it is handed in at a chosen moment of a steady clock.
"""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from portal import clock, outbox
from portal.database.db import db
from portal.models import Attempt, Company, Delivery
from portal.rules.retry import parse_schedule
from portal.runtime import runtime
from portal.vault import Vault
from portal.worker import dispatcher as module
from portal.worker import rounds
from portal.worker.dispatcher import Dispatcher
from tests.conftest import URL
from tests.factories import NOON, endpoint_of, make_company
from tests.worker.turning import AWAY, Inbox, Refusing, Turning, actions, answered, make_due, states

LEASE = timedelta(seconds=14)
"""With a deadline of 9 s."""


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Inbox:
    inbox = Inbox()
    monkeypatch.setattr(clock, "monotonic", lambda: inbox.now)
    monkeypatch.setattr(clock, "sleep", inbox.sleep)
    return inbox


@pytest.fixture
def turning(app: Flask, company: Company, inbox: Inbox) -> Iterator[Turning]:
    turning = Turning(inbox)
    yield turning
    turning._disconnect()


def test_with_nothing_to_do_it_looks_every_five_seconds_and_at_each_call(turning: Turning, inbox: Inbox) -> None:
    assert [turning.take_turn() for _ in range(3)] == [[0.0], [5.0], [5.0]]
    inbox.put(None, after=2.0)
    begun = inbox.now
    assert turning.take_turn() == [5.0, 0.0]
    assert inbox.now - begun == 2.0
    turning.wake()
    assert turning.take_turn() == [5.0, 0.0]
    assert (inbox.now - begun, inbox.slept) == (pytest.approx(2.01), [0.01])


def test_it_holds_a_connection_only_while_there_is_something_to_do(turning: Turning, company: Company) -> None:
    pool: Any = db.engine.pool
    make_due(company, 1)
    db.session.remove()
    turning.turn()
    assert (len(turning.sent), pool.checkedout()) == (1, 1)
    turning.turn()  # it looks once more, and there is nothing
    assert pool.checkedout() == 0
    turning.answer()
    turning.turn()
    assert (states(), pool.checkedout()) == ([("delivered", "ok_text", 1, 1)], 1)
    kept = turning._connection
    make_due(company, 1)
    turning.wake()
    turning.turn()
    assert (len(turning.sent), turning._connection is kept) == (2, True)
    turning._disconnect()
    db.session.remove()
    assert pool.checkedout() == 0


def test_what_follows_a_result_within_a_millisecond_is_recorded_with_it_and_no_wait_is_longer(
    turning: Turning, company: Company, inbox: Inbox
) -> None:
    make_due(company, 4)
    turning._shares.pace[company.id] = 0.01
    assert (turning.take_turn(), len(turning.sent)) == ([0.0], 4)
    for after in (0.5, 0.5004, 0.5012):
        turning.answer(after=after)
    assert turning.take_turn() == [5.0, 0.001, 0.0006]
    assert [state[0] for state in states()].count("delivered") == 2
    turning.answer(after=0.4)
    assert turning.take_turn() == [5.0, 0.001]  # the third is there, and nothing follows it in time
    assert turning.take_turn() == [5.0, 0.0]  # nothing else is on its way: there is nothing to wait for
    assert [state[0] for state in states()] == ["delivered"] * 4
    assert turning.take_turn() == [5.0]


def test_beside_a_receiver_that_is_silent_it_waits_for_no_more_and_looks_only_for_others(
    turning: Turning, company: Company, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = make_company("Muda", url=URL)
    turning._shares.pace[company.id] = 0.01
    make_due(silent, 9)
    turning.take_turn()
    assert (len(turning.in_hand), turning.take_turn()) == (4, [5.0])
    make_due(company, 2)
    turning.wake()
    turning.take_turn()
    turning.in_hand, found = turning.in_hand[4:], list[int]()
    claim_due = outbox.claim_due

    def note(connection: Any, *, full: list[int], **facts: Any) -> Any:
        found.extend(full)
        return claim_due(connection, full=full, **facts)

    monkeypatch.setattr(outbox, "claim_due", note)
    turning.answer()
    turning.answer()
    assert turning.take_turn() == [0.001, 0.001, 0.0]
    assert ([state[0] for state in states()].count("delivered"), found) == (2, [silent.id])


def test_it_waits_for_no_more_once_all_that_was_on_its_way_is_back(
    turning: Turning, company: Company, inbox: Inbox
) -> None:
    make_due(company, 2)
    turning._shares.pace[company.id] = 0.01
    turning.take_turn()
    turning.take_turn()
    turning.answer(after=0.5)
    inbox.put(turning.in_hand.pop(), after=0.5)
    assert turning.take_turn() == [5.0, 0.001, 0.0]


def test_where_all_take_their_time_hardly_any_more_is_waited_for(
    turning: Turning, company: Company, inbox: Inbox
) -> None:
    make_due(company, 4)
    turning._shares.pace[company.id] = 0.05
    assert (turning.take_turn(), len(turning.sent)) == ([0.0], 4)
    for after in (0.5, 0.50004, 0.5004):
        turning.answer(after=after, duration_ms=50)
    assert turning.take_turn() == [5.0, 0.0001, 0.00006]
    assert [state[0] for state in states()].count("delivered") == 2


def test_what_comes_singly_waits_for_a_moment_after_the_turn_before_and_is_done_with_what_follows(
    turning: Turning, company: Company, inbox: Inbox
) -> None:
    make_due(company, 1)
    turning.take_turn()
    assert (len(turning.sent), inbox.slept) == (1, [])  # the first after a pause goes at once
    turning.answer(after=0.001)
    inbox.put(None, after=0.002)
    make_due(company, 1)
    begun = inbox.now
    turning.take_turn()
    assert (len(turning.sent), inbox.slept) == (2, [0.01])
    assert ([state[0] for state in states()], inbox.now - begun) == (["delivered", "sending"], pytest.approx(0.01))
    turning.answer(after=0.1)
    turning.take_turn()
    turning.take_turn()  # what came back late is done at once
    assert ([state[0] for state in states()], inbox.slept) == (["delivered"] * 2, [0.01] * 2)


def test_what_makes_room_for_others_waits_for_no_moment(turning: Turning, company: Company, inbox: Inbox) -> None:
    make_due(company, 12)
    for _ in range(3):
        turning.take_turn()
        turning.answer(after=0.001)
        turning.answer(after=0.001)
    assert (len(turning.sent), inbox.slept) == (10, [])


def test_what_makes_a_sender_free_waits_for_no_moment(app: Flask, company: Company, inbox: Inbox) -> None:
    turning = Turning(inbox, worker_threads=2)
    for each in (company, make_company("Outra", url=URL)):
        make_due(each, 1)
    turning.take_turn()
    turning.answer(after=0.001)
    turning.take_turn()
    assert (sorted(state[0] for state in states()), inbox.slept) == (["delivered", "sending"], [])
    turning._disconnect()


def test_without_a_free_sender_it_waits_although_there_is_something_to_look_for(
    turning: Turning, company: Company
) -> None:
    make_due(company, 1)
    turning._shares.senders = 0
    assert turning.take_turn() == [5.0]


def test_one_of_a_quick_receiver_goes_although_no_sender_is_free(app: Flask, company: Company, inbox: Inbox) -> None:
    turning = Turning(inbox, worker_threads=1)
    other = make_company("Outra", url=URL)
    for each in (company, other):
        make_due(each, 1)
    turning.take_turn()
    turning.answer()
    turning.take_turn()
    turning.answer()
    turning.take_turn()  # both have answered in time
    for each in (company, other):
        make_due(each, 2)
    turning.wake()
    turning.take_turn()
    assert len(turning.sent) == 4
    turning._disconnect()


def test_leases_and_strays_are_looked_after_at_calls_and_times_once_and_when_the_clock_is_set_back(
    turning: Turning, company: Company, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("pull_forward", "has_loose_ends", "recover", "cancel_strays", "has_due", "claim_due"):
        act = getattr(outbox, name)

        def note(*given: Any, name: str = name, act: Any = act, **facts: Any) -> Any:
            done.append(name)
            return act(*given, **facts)

        monkeypatch.setattr(outbox, name, note)

    def turn() -> list[str]:
        done.clear()
        turning.take_turn()
        return list(done)

    mends = ["has_loose_ends", "claim_due"]
    assert turn() == ["pull_forward", *mends]
    assert turn() == ["has_due"]  # five seconds later
    make_due(company, 4)
    turning.wake()
    assert turn() == ["has_due", *mends]
    turning.answer()
    assert turn() == ["claim_due"]  # what came of one makes room, and nobody called
    assert turn() == ["has_due"]
    make_due(company, 1)
    inbox.put(turning.in_hand.pop())
    turning.wake()
    assert turn() == mends
    turning._clock = SimpleNamespace(step=lambda: -60.0)
    turning.wake()
    assert turn() == ["pull_forward", *mends]
    turning._clock = SimpleNamespace(step=lambda: 0.0)
    turning.wake()
    assert turn()[:1] == ["has_due"]


def test_fifty_results_are_recorded_at_a_time(turning: Turning, company: Company, inbox: Inbox) -> None:
    ids = make_due(company, 1)
    turning.take_turn()
    (claim,) = turning.in_hand
    for number in range(60):
        inbox.put((claim._replace(lease_token=f"of another {number}"), answered()))
    recorded = []
    for _ in range(2):
        turning.take_turn()
        recorded.append(db.session.query(Attempt).filter_by(delivery_id=ids[0], late=True).count())
    assert recorded == [50, 60]


def test_what_was_not_sent_is_given_back_as_it_was_and_goes_again(
    turning: Turning, company: Company, inbox: Inbox
) -> None:
    make_due(company, 1)
    turning.take_turn()
    first = turning.in_hand.pop()
    assert states() == [("sending", None, 1, 0)]
    turning._shares.senders, turning._shares.pace[company.id] = 0, 9.0  # nothing more is claimed
    inbox.put(first)
    turning.take_turn()
    assert (states(), turning._shares.under_way) == ([("pending", None, 0, 0)], 0)
    assert db.session.query(Attempt).count() == 0
    turning._shares.senders = 8
    turning.wake()
    turning.take_turn()
    assert [claim.number for claim in turning.sent] == [1, 1]
    turning.answer()
    turning.take_turn()
    assert states() == [("delivered", "ok_text", 1, 1)]


def test_as_many_go_as_there_is_room_for_and_one_more_for_each_that_came_back(
    turning: Turning, company: Company
) -> None:
    make_due(company, 9)
    turning.take_turn()
    assert len(turning.sent) == 4  # what a receiver that was never heard gets at first
    turning.take_turn()
    assert len(turning.sent) == 4
    turning.answer("server_error", status_code=500)
    turning.take_turn()
    assert (len(turning.sent), turning._shares.under_way) == (5, 4)


def test_a_retry_waits_for_its_pause_with_its_chance_and_every_other_rule(
    turning: Turning, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.random, "random", lambda: 0.5)
    monkeypatch.setattr(clock, "utcnow", lambda: NOON + timedelta(days=9))
    (number,) = make_due(company, 1)
    turning.take_turn()
    (claim,) = turning.in_hand
    assert claim.lease_expires_at == clock.utcnow() + LEASE
    turning.answer("timeout")
    turning.take_turn()
    expected = runtime().settings.retry_schedule
    assert expected != parse_schedule("0s,30s,5m")  # the dispatcher's own settings decide
    delay = parse_schedule("0s,30s,5m").next_delay(1, retry_after=None, jitter=0.5)
    assert delay is not None
    assert db.session.get_one(Delivery, number).next_attempt_at == clock.utcnow() + delay


def test_a_rate_ends_the_wait_when_it_lets_the_next_one_go(app: Flask, company: Company, inbox: Inbox) -> None:
    turning = Turning(inbox, rate_limit=2.0)
    make_due(company, 2)
    assert (turning.take_turn(), len(turning.sent)) == ([0.0], 1)
    turning.answer()
    turning.take_turn()
    assert turning.take_turn() == [0.5]
    assert len(turning.sent) == 2
    turning._disconnect()


def test_it_is_well_while_its_last_turn_is_not_longer_ago_than_two_waits_for_a_lock(
    turning: Turning, inbox: Inbox
) -> None:
    turning.turned_at = inbox.now
    found = []
    for inbox.now in (1000.0, 1034.999, 1035.0):
        found.append(turning.is_well)
    assert found == [True, True, False]


def fail_turn(turning: Turning) -> None:
    """As in the loop of its thread."""
    with pytest.raises((ValueError, OperationalError)) as caught:
        turning.take_turn()
    turning.mend(caught.value)
    assert turning._connection is None


def test_a_result_that_the_database_does_not_take_keeps_no_other_and_is_recorded_as_a_fault_of_ours(
    turning: Turning, company: Company, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third, fourth = make_due(company, 4)
    turning.take_turn()
    for _ in range(4):
        turning.answer()
    refusing = Refusing({second: ValueError("a surrogate")})
    monkeypatch.setattr(outbox, "settle", refusing)
    fail_turn(turning)
    one = (second, "internal_error")
    others = [(number, "ok_text") for number in (first, second, third, fourth)]
    assert refusing.told[1:] == [[others[0]], [others[1]], [one], [others[2]], [others[3]]]
    assert [(state[0], state[1]) for state in states()] == [
        ("delivered", "ok_text"),
        ("failed", "internal_error"),
        *[("delivered", "ok_text")] * 2,
    ]
    attempt = db.session.query(Attempt).filter_by(delivery_id=second).one()
    assert (attempt.url, "ValueError" in (attempt.detail or "")) == (URL, True)
    assert (turning._unrecorded, turning._shares.under_way, actions(caplog)) == ([], 0, [])
    assert turning.take_turn() == [0.0]  # it looks again at once


def test_what_the_database_takes_in_no_form_is_told_and_left_to_the_end_of_its_lease(
    turning: Turning, company: Company, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = make_due(company, 2)
    turning.take_turn()
    turning.answer()
    turning.answer()
    monkeypatch.setattr(outbox, "settle", Refusing({first: ValueError("a surrogate")}, also_again=True))
    fail_turn(turning)
    assert [state[0] for state in states()] == ["sending", "delivered"]
    assert actions(caplog) == [("ERROR", "outbox_refused", "A result could not be recorded.")]
    assert (turning._unrecorded, turning._shares.under_way) == ([], 0)


@pytest.mark.parametrize("also_again", [False, True])
def test_what_a_database_that_is_away_did_not_take_is_kept_and_recorded_when_it_is_back(
    turning: Turning, company: Company, monkeypatch: pytest.MonkeyPatch, caplog: Any, also_again: bool
) -> None:
    first, _ = make_due(company, 2)
    turning.take_turn()
    turning.answer()
    turning.answer()
    settle = outbox.settle
    refusing = Refusing({first: AWAY})
    monkeypatch.setattr(outbox, "settle", refusing)
    fail_turn(turning)
    if also_again:  # it goes away while each is recorded by itself
        turning.mend(ValueError())
        assert refusing.told[1:] == [[(first, "ok_text")]]
    assert [state[0] for state in states()] == ["sending"] * 2
    assert (len(turning._unrecorded), turning._shares.under_way) == (2, 2)
    monkeypatch.setattr(outbox, "settle", settle)
    turning._shares.senders = 0
    assert turning.take_turn() == [0.0]  # nothing is claimed, and it is recorded at once all the same
    assert [state[0] for state in states()] == ["delivered"] * 2
    assert actions(caplog) == []


def test_a_fault_of_ours_on_the_way_to_its_record_is_tried_with_a_database_that_goes_away_meanwhile(
    turning: Turning, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_due(company, 1)
    turning.take_turn()
    turning.answer()
    errors: list[Exception] = [ValueError("a surrogate"), ValueError("a surrogate"), AWAY]

    def settle(*_: Any) -> None:
        raise errors.pop(0)

    monkeypatch.setattr(outbox, "settle", settle)
    fail_turn(turning)
    assert (errors, len(turning._unrecorded), turning._shares.under_way) == ([], 1, 1)


def test_what_could_not_be_given_back_is_given_back_when_the_database_is_there_again(
    turning: Turning, company: Company, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_due(company, 1)
    turning.take_turn()
    inbox.put(turning.in_hand.pop())
    monkeypatch.setattr(outbox, "settle", Refusing({}, away=True))
    fail_turn(turning)
    assert (states()[0][0], turning._shares.under_way) == ("sending", 1)
    monkeypatch.undo()
    turning._shares.senders, turning._shares.pace[company.id] = 0, 9.0
    monkeypatch.setattr(clock, "monotonic", lambda: inbox.now)
    assert turning.take_turn() == [0.0]
    assert (states()[0][0], turning._shares.under_way) == ("pending", 0)


def test_at_its_end_it_waits_for_what_is_being_sent_records_it_and_claims_nothing(
    turning: Turning, company: Company, inbox: Inbox
) -> None:
    make_due(company, 5)
    turning.take_turn()
    turning.answer(after=3.0)
    inbox.put(turning.in_hand.pop(0), after=4.0)
    turning.answer(after=5.0)
    turning.answer(after=5.0)
    turning.stop()
    begun = inbox.now
    turning.run()
    assert [state[0] for state in states()] == ["delivered", "pending", "delivered", "delivered", "pending"]
    assert (len(turning.sent), turning.stopped_sending, turning._connection) == (4, 1, None)
    assert inbox.now - begun == pytest.approx(5.0, abs=0.01)
    assert max(inbox.waits[1:]) == 0.1


def test_at_its_end_it_waits_no_longer_than_a_try_may_take_and_a_second(
    turning: Turning, company: Company, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_due(company, 2)
    turning.take_turn()
    turning.answer(after=1.0)
    monkeypatch.setattr(outbox, "settle", Refusing({}, also_again=True))
    turning.stop()
    begun = inbox.now
    turning.run()
    assert inbox.now - begun == pytest.approx(10.0, abs=0.11)
    assert [state[0] for state in states()] == ["delivered", "sending"]


def test_a_database_that_is_away_at_the_end_is_asked_again(
    turning: Turning, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "sleep", lambda _seconds: None)
    monkeypatch.setattr(rounds, "FAULT_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(rounds, "outage", rounds.outage.__class__())
    make_due(company, 1)
    turning.take_turn()
    turning.answer()
    settle, errors = outbox.settle, [AWAY, AWAY]

    def settle_late(*given: Any) -> None:
        if errors:
            raise errors.pop()
        settle(*given)

    monkeypatch.setattr(outbox, "settle", settle_late)
    turning.stop()
    turning.run()
    assert [state[0] for state in states()] == ["delivered"]


def test_a_clock_that_was_set_is_told_with_its_step_and_leases_hold_for_their_time(
    turning: Turning, company: Company, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    (number,) = make_due(company, 1)
    turning.take_turn()
    db.session.get_one(Delivery, number).lease_expires_at = NOON
    db.session.commit()
    turning._shares.senders = 0  # nothing is claimed
    steps, seen = [86400.4, 0.0, 0.0], []
    turning._clock = SimpleNamespace(step=lambda: steps.pop(0))
    for after in (0.0, 13.9, 0.1):
        inbox.now += after
        turning.wake()
        turning.take_turn()
        seen.append(states()[0][0])
    assert seen == ["sending", "sending", "pending"]
    assert actions(caplog) == [("WARNING", "clock_set", "The clock was set by 86400 seconds.")]


def test_a_wrong_key_is_told_once_and_stops_the_worker(turning: Turning, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        turning._refuse_key()
    assert turning.is_stopping
    words = "A stored secret was encrypted with another secret key: this worker stops, and sends nothing. Start it "
    assert actions(caplog) == [("CRITICAL", "wrong_key", f"{words}with the key of the others.")]


def test_the_sender_tells_its_dispatcher_of_a_wrong_key_and_gives_the_claim_back(
    app: Flask, company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    make_due(company, 1)
    db.session.remove()
    dispatcher = Dispatcher(db.engine, runtime().settings, Vault("of another installation" * 2), runtime().egress)
    dispatcher.start()
    dispatcher.join(60)
    has_ended = not dispatcher.is_alive()
    dispatcher.stop()
    dispatcher.join()
    assert (has_ended, states()) == (True, [("pending", None, 0, 0)])
    assert [each[1] for each in actions(caplog)] == ["wrong_key"]


def test_waiting_deliveries_of_a_company_whose_address_is_gone_are_cancelled_at_a_call(
    turning: Turning, company: Company
) -> None:
    other = make_company("Outra", url=URL)
    make_due(other, 1)
    turning.take_turn()
    endpoint_of(other).url = None
    delivery = db.session.query(Delivery).one()
    delivery.status, delivery.next_attempt_at = "pending", NOON
    db.session.commit()
    turning.wake()
    turning.take_turn()
    assert states()[0][0] == "cancelled"
