"""How senders are shared out between companies, and when a rate lets the next one go."""

import pytest

from portal import clock
from portal.outbox import Claim
from portal.worker.shares import Shares
from tests.factories import NOON


def make_claim(number: int, *, company_id: int = 1) -> Claim:
    return Claim(
        delivery_id=number,
        webhook_id=f"msg_{number}",
        company_id=company_id,
        contact_id=None,
        url="http://crm.example/",
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


def test_what_was_sent_keeps_its_place_until_it_is_recorded() -> None:
    shares = Shares(2, senders=8)
    first, second = make_claim(1), make_claim(2)
    shares.take([first, second])
    assert (shares.room_for(1), shares.room_for(2), shares.free()) == (0, 2, 6)
    assert (shares.room_for(1, recorded={1}), shares.free(recorded={1})) == (1, 7)
    shares.done(first, seconds=0.01)
    assert (shares.room_for(1), shares.free(), shares.under_way) == (1, 7, 1)


def test_a_claim_of_before_frees_no_place() -> None:
    shares = Shares(1, senders=8)
    shares.take([make_claim(1)])
    shares.done(make_claim(2), seconds=None)
    assert shares.room_for(1) == 0


def slow_shares() -> Shares:
    """Companies 1 and 2 are slow, 3 is not."""
    shares = Shares(8, senders=16)
    for company_id, seconds in ((1, 3.0), (2, 3.0), (3, 0.1)):
        shares.done(make_claim(company_id, company_id=company_id), seconds=seconds)
    return shares


def test_a_quarter_of_the_senders_is_kept_free_of_slow_receivers() -> None:
    shares = slow_shares()
    shares.take(make_claim(number) for number in range(10, 18))
    assert (shares.room_for(2), shares.room_for(3)) == (4, 8)


def test_slow_receivers_share_what_they_may_have_also_within_one_claim() -> None:
    shares = slow_shares()
    lent = [make_claim(number) for number in range(10, 18)]
    assert (shares.room_for(2, lent=lent), shares.room_for(3, lent=lent)) == (4, 8)


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


def go(shares: Shares) -> int:
    room = shares.room_for(1)
    claims = [make_claim(number) for number in range(room)]
    shares.take(claims)
    for claim in claims:
        shares.done(claim, seconds=0.0)
    return room


def test_a_rate_lets_one_go_at_a_time_and_says_when_the_next_may(steady: SteadyClock) -> None:
    shares = Shares(8, senders=16, rate=10.0)
    assert (go(shares), go(shares), shares.room_for(2)) == (1, 0, 1)
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


def test_without_a_rate_there_is_nothing_to_wait_for(steady: SteadyClock) -> None:
    shares = Shares(8, senders=16)
    assert (go(shares), go(shares), shares.pause(5.0)) == (8, 8, 5.0)


def test_one_slow_answer_among_quick_ones_makes_nobody_slow() -> None:
    shares = Shares(8, senders=8)
    claim = make_claim(1)
    for seconds in (0.1, 0.1, 2.0):
        shares.done(claim, seconds=seconds)
    assert shares.room_for(1) == 8
    for _ in range(4):
        shares.done(claim, seconds=2.0)
    assert shares.room_for(1) == 6
