"""How senders are shared out between companies, and when a rate lets the next one go."""

from collections.abc import Sequence

import pytest

from portal import clock
from portal.outbox import Claim
from portal.webhook import Outcome
from portal.worker.shares import MOST_BESIDES, Shares
from tests.factories import NOON

URL = "http://crm.example/"


def make_claim(number: int, *, company_id: int = 1) -> Claim:
    return Claim(
        delivery_id=number,
        webhook_id=f"msg_{number}",
        company_id=company_id,
        contact_id=None,
        url=URL,
        secrets=(),
        known_shapes=None,
        body=b"{}",
        trigger="classification",
        actor=None,
        is_test=False,
        is_probe=False,
        number=1,
        tries=0,
        lease_token="token",
        lease_expires_at=NOON,
    )


def answered(seconds: float, reason: str = "ok_text", status_code: int | None = 200) -> Outcome:
    return Outcome(started_at=NOON, duration_ms=round(seconds * 1000), url=URL, reason=reason, status_code=status_code)


def make_wide_shares(concurrency: int, *, senders: int) -> Shares:
    """Companies 1, 2 and 3 have kept pace: each may have as many as there may be."""
    shares = Shares(concurrency, senders=senders)
    for company_id in (1, 2, 3):
        while (room := shares.look().room_for(company_id)) < concurrency:
            finish(shares, company_id, [0.1] * room)
    return shares


def finish(shares: Shares, company_id: int, seconds: Sequence[float]) -> None:
    """As many deliveries begin together, and end with an answer each."""
    claims = [make_claim(number, company_id=company_id) for number in range(len(seconds))]
    shares.take(claims)
    for claim, each in zip(claims, seconds, strict=True):
        shares.done(claim, answered(each))


def test_what_was_sent_keeps_its_place_until_it_is_recorded() -> None:
    shares = Shares(2, senders=8)
    first, second = make_claim(1), make_claim(2)
    shares.take([first, second])
    assert (shares.look().room_for(1), shares.look().room_for(2), shares.look().free) == (0, 2, 6)
    assert (shares.look({1}).room_for(1), shares.look({1}).free) == (1, 7)
    shares.done(first, answered(0.01))
    assert (shares.look().room_for(1), shares.look().free, shares.under_way) == (1, 7, 1)


def test_a_claim_of_before_frees_no_place() -> None:
    shares = Shares(1, senders=8)
    shares.take([make_claim(1)])
    shares.done(make_claim(2), None)
    assert shares.look().room_for(1) == 0


def test_all_take_their_time_while_nothing_is_on_its_way_to_who_is_quicker_or_was_never_heard() -> None:
    shares = Shares(4, senders=8)
    for company_id, seconds in ((1, 0.05), (2, 0.01)):
        finish(shares, company_id, [seconds])
    shares.take([make_claim(1, company_id=1)])
    assert shares.takes_time
    shares.take([make_claim(2, company_id=2)])
    assert not shares.takes_time
    shares.done(make_claim(2, company_id=2), answered(0.01))
    assert shares.takes_time
    shares.take([make_claim(3, company_id=3)])
    assert not shares.takes_time


def test_many_who_were_never_heard_leave_a_quarter_of_the_senders_to_who_answers() -> None:
    shares = make_wide_shares(8, senders=8)
    for company_id in (10, 11):
        room = shares.look().room_for(company_id)
        shares.take(make_claim(company_id * 10 + number, company_id=company_id) for number in range(room))
    assert (shares.under_way, shares.look().free, shares.look().room_for(1)) == (6, 2, 8)
    assert (shares.look().room_for(10), shares.look().room_for(99)) == (0, 1)
    for number in range(4):
        shares.done(make_claim(100 + number, company_id=10), answered(0.1))
    assert shares.look().room_for(10) > 0  # heard, and quick
    assert shares.look().room_for(99) == 4


def slow_shares() -> Shares:
    """Companies 1 and 2 are slow, 3 is not."""
    shares = make_wide_shares(8, senders=16)
    for company_id in (1, 2):
        for _ in range(9):
            shares.done(make_claim(company_id, company_id=company_id), answered(3.0, "client_error", 400))
    return shares


def test_a_quarter_of_the_senders_is_kept_free_of_slow_receivers() -> None:
    shares = slow_shares()
    shares.take(make_claim(number) for number in range(10, 18))
    assert (shares.look().room_for(2), shares.look().room_for(3)) == (4, 8)


@pytest.mark.parametrize(("senders", "most"), [(1, 1), (2, 1), (4, 3), (7, 6), (8, 6), (16, 12)])
def test_of_few_senders_one_is_kept_free_and_one_is_not(senders: int, most: int) -> None:
    assert Shares(9, senders=senders).most_slow == most


def test_slow_receivers_share_what_they_may_have_also_within_one_claim() -> None:
    shares = slow_shares()
    lent = [1] * 8
    assert (shares.look().room_for(2, lent=lent), shares.look().room_for(3, lent=lent)) == (4, 8)


class SteadyClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> SteadyClock:
    steady = SteadyClock()
    monkeypatch.setattr(clock, "monotonic", steady)
    return steady


def fill(shares: Shares, companies: Sequence[int]) -> list[int]:
    """One turn of the dispatcher: one goes of each company, or none; the companies of which one went."""
    lent: list[int] = []
    for company_id in companies:
        goes = shares.look().free > len(lent) or shares.look().goes_besides(company_id, lent)
        if goes and shares.look().room_for(company_id, lent):
            lent.append(company_id)
    shares.take(make_claim(company_id, company_id=company_id) for company_id in lent)
    return lent


def quick_shares(companies: Sequence[int], *, senders: int = 16) -> Shares:
    """Each of them answered quickly."""
    shares = Shares(8, senders=senders)
    for company_id in companies:
        finish(shares, company_id, [0.05] * 4)
    return shares


@pytest.mark.parametrize("seconds", [0.5, 1.5])
def test_what_goes_again_while_it_is_here_still_has_one_place(steady: SteadyClock, seconds: float) -> None:
    shares = quick_shares([1])
    for _ in range(2):  # its lease ended between the two
        shares.take([make_claim(7)])
        steady.now += seconds
    assert (shares.under_way, shares.look().room_for(1)) == (1, 7)
    for _ in range(2):
        shares.done(make_claim(7), answered(0.1))
    look = shares.look()
    assert (shares.under_way, shares.is_slow(1), look.goes_besides(1), look.full) == (0, False, True, [])


def test_when_ninety_nine_die_at_one_moment_the_hundredth_goes_at_once(steady: SteadyClock) -> None:
    dead, living = list(range(1, 100)), 100
    shares = quick_shares([*dead, living])
    assert fill(shares, dead) == dead
    assert (shares.look().free, fill(shares, dead)) == (0, [])
    for _ in range(3):
        assert fill(shares, [living]) == [living]
        assert fill(shares, [living]) == []
        shares.done(make_claim(living, company_id=living), answered(0.05))


def test_what_waits_for_long_holds_no_sender_and_makes_its_company_slow(steady: SteadyClock) -> None:
    shares = quick_shares(range(1, 31))
    shares.take(make_claim(company_id, company_id=company_id) for company_id in range(1, 21))
    assert (shares.look().free, shares.look().room_for(1)) == (0, 7)
    steady.now += 1.01
    assert shares.look().free == 16
    assert [shares.look().room_for(1), shares.look().goes_besides(21), shares.look().room_for(21)] == [0, True, 8]
    assert not shares.look({1}).goes_besides(1)  # it is known slow until it answers in time


def test_what_goes_besides_is_bounded(steady: SteadyClock) -> None:
    companies = list(range(1, 1000))
    shares = quick_shares(companies)
    assert len(fill(shares, companies)) == 16 + MOST_BESIDES
    assert (shares.look().free, fill(shares, companies)) == (0, [])
    steady.now += 1.01
    assert (shares.look().free, shares.look().goes_besides(999)) == (0, False)
    assert shares.look(set(range(1, 10))).free == 9
    assert shares.look({1}).goes_besides(999)
    assert not shares.look({1}).goes_besides(999, [1])


def test_of_who_was_never_heard_one_goes_besides(steady: SteadyClock) -> None:
    shares = quick_shares([1])
    assert fill(shares, range(2, 40)) == [*range(2, 40)]
    assert (shares.look().free, shares.look().room_for(1)) == (4, 8)
    assert fill(shares, range(2, 41)) == [40]


def test_among_a_hundred_that_were_never_heard_and_are_silent_one_that_answers_goes_on(steady: SteadyClock) -> None:
    silent, living = list(range(1, 101)), 101
    shares = Shares(8, senders=16)
    assert fill(shares, [*silent, living]) == [*silent, living]
    finish_all(shares, living)
    for _ in range(3):
        steady.now += 0.3
        assert (shares.look().free, shares.look().room_for(living)) == (4, 4)
        assert fill(shares, [*silent, living]) == [living]
        finish_all(shares, living)
    steady.now += 0.3
    assert (shares.look().free, shares.look().full, fill(shares, silent)) == (16, silent, [])
    shares.done(make_claim(1), answered(10.0, "timeout", None))
    assert (shares.look().full, fill(shares, silent)) == (silent[1:], [])  # as long as so many wait
    for company_id in silent[1:]:
        shares.done(make_claim(company_id, company_id=company_id), answered(10.0, "timeout", None))
    assert len(fill(shares, silent)) == shares.most_slow


def finish_all(shares: Shares, company_id: int) -> None:
    shares.done(make_claim(company_id, company_id=company_id), answered(0.05))


def test_what_is_expected_are_answers_of_those_that_were_quick(steady: SteadyClock) -> None:
    shares = quick_shares([1, 2])
    shares.take(make_claim(number, company_id=company_id) for company_id, number in ((1, 1), (2, 2), (3, 3)))
    assert (shares.look().expected, shares.look({2}).expected) == (2, 1)
    steady.now += 1.01
    assert shares.look().expected == 0
    shares.take([make_claim(4, company_id=1), make_claim(5, company_id=2)])
    assert shares.look().expected == 0
    shares.done(make_claim(1), answered(0.1))
    assert shares.look().expected == 1


def go(shares: Shares) -> int:
    room = shares.look().room_for(1)
    claims = [make_claim(number) for number in range(room)]
    shares.take(claims)
    for claim in claims:
        shares.done(claim, answered(0.0))
    return room


def test_a_rate_lets_one_go_at_a_time_and_says_when_the_next_may(steady: SteadyClock) -> None:
    shares = Shares(8, senders=16, rate=10.0)
    assert (go(shares), go(shares), shares.look().room_for(2)) == (1, 0, 1)
    assert shares.pause(5.0) == pytest.approx(0.1)
    steady.now += 0.11
    assert shares.pause(5.0) == 0.0
    assert (go(shares), go(shares)) == (1, 0)
    assert shares.pause(5.0) == pytest.approx(0.09)


@pytest.mark.parametrize("rate", [0.5, 3.0, 10.0, 400.0])
@pytest.mark.parametrize("step", [0.003, 0.02])
def test_a_rate_is_reached_and_never_exceeded_however_often_somebody_looks(
    steady: SteadyClock, rate: float, step: float
) -> None:
    shares = Shares(8, senders=16, rate=rate)
    begun, times = steady.now, []
    while steady.now < begun + 4:
        times += [steady.now - begun] * go(shares)
        steady.now += step
    most_in_a_second = max(sum(start <= at < start + 1 for at in times) for start in times)
    assert most_in_a_second <= rate + rate * 0.05 + 1
    assert len(times) >= min(rate, 8 / step) * 4 * 0.9 - 1


def test_after_a_while_without_anything_nothing_is_made_up_for(steady: SteadyClock) -> None:
    shares = Shares(8, senders=16, rate=100.0)
    go(shares)
    steady.now += 60
    assert (go(shares), go(shares)) == (1, 0)
    assert shares.pause(5.0) == pytest.approx(0.01)


@pytest.mark.parametrize(("late", "goes"), [(0.0, 1), (0.0101, 2), (0.0495, 5), (0.051, 1)])
def test_a_look_that_comes_late_is_made_up_for_up_to_a_twentieth_of_a_second(
    steady: SteadyClock, late: float, goes: int
) -> None:
    shares = Shares(16, senders=64, rate=100.0)
    finish(shares, 1, [0.1] * 8)  # as many as that would be let go at once
    steady.now = 200.0
    go(shares)
    steady.now += 0.01 + late + 1e-9
    assert go(shares) == goes


def test_without_a_rate_there_is_nothing_to_wait_for(steady: SteadyClock) -> None:
    shares = make_wide_shares(8, senders=16)
    assert (go(shares), go(shares), shares.pause(5.0)) == (8, 8, 5.0)


def test_one_slow_answer_among_quick_ones_makes_nobody_slow() -> None:
    shares = make_wide_shares(8, senders=8)
    claim = make_claim(1)
    for seconds in (0.1, 0.1, 2.0):
        shares.done(claim, answered(seconds, "client_error", 400))
    assert shares.look().room_for(1) == 8
    for _ in range(4):
        shares.done(claim, answered(2.0, "client_error", 400))
    assert shares.look().room_for(1) == 6


def test_a_receiver_gets_more_while_it_keeps_pace_and_fewer_when_it_slows() -> None:
    shares = Shares(16, senders=64)
    rooms = [shares.look().room_for(1)]
    for seconds in (0.2, 0.2, 0.2, 1.0, 0.2, 0.2):
        finish(shares, 1, [seconds] * rooms[-1])
        rooms.append(shares.look().room_for(1))
    assert rooms == [4, 8, 16, 16, 8, 8, 9]
    assert shares.look().room_for(2) == 4


@pytest.mark.parametrize(
    ("outcome", "room"),
    [
        (answered(0.1, "rate_limited", 429), 8),
        (answered(0.1, "server_error", 503), 8),
        (answered(10.0, "timeout", None), 8),
        (answered(0.1, "server_error", 500), 16),
        (answered(0.0, "connection_refused", None), 16),
    ],
)
def test_of_failures_those_for_want_of_strength_narrow_the_window(outcome: Outcome, room: int) -> None:
    shares = make_wide_shares(16, senders=64)
    claim = make_claim(1)
    shares.take([claim])
    shares.done(claim, outcome)
    assert shares.look().room_for(1) == room
