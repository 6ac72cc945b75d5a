"""Jobs on their way to the senders: how many of a company are lent, and when the next may go."""

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

import pytest

from portal.fair_queue import FairQueue
from portal.outbox import Job
from tests.factories import NOON


def make_job(number: int, *, company_id: int = 1) -> Job:
    return Job(
        delivery_id=number,
        webhook_id=f"msg_{number}",
        company_id=company_id,
        contact_id=None,
        url="http://crm.example/",
        secret="",
        old_secret=None,
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


def is_open(taking: "Future[Job | None]") -> bool:
    try:
        taking.result(timeout=0.1)
    except NotYet:
        return True
    return False


def test_what_was_sent_keeps_its_place_until_it_is_recorded() -> None:
    queue = FairQueue(2, senders=8)
    for number in (1, 2, 3):
        queue.put(make_job(number))
    first, second = queue.take(), queue.take()
    assert first is not None
    assert second is not None
    queue.sent(first, seconds=0.01)
    queue.sent(second, seconds=0.01)
    with ThreadPoolExecutor(1) as senders:
        taking = senders.submit(queue.take)
        try:
            assert is_open(taking), "a third was lent while nothing of the two before was recorded"
            queue.done([first])
            third = taking.result(timeout=5)
            assert third is not None
            assert third.delivery_id == 3
        finally:
            queue.close()


def test_another_company_goes_while_one_waits_for_its_records() -> None:
    queue = FairQueue(1, senders=8)
    for number, company_id in ((1, 1), (2, 1), (3, 2)):
        queue.put(make_job(number, company_id=company_id))
    taken = [queue.take(), queue.take()]
    assert sorted(job.delivery_id for job in taken if job is not None) == [1, 3]


def test_jobs_that_nobody_took_free_no_place() -> None:
    queue = FairQueue(1, senders=8)
    queue.put(make_job(1))
    taken = queue.take()
    assert taken is not None
    queue.done([make_job(2)])
    queue.put(make_job(3))
    with ThreadPoolExecutor(1) as senders:
        taking = senders.submit(queue.take)
        try:
            assert is_open(taking)
        finally:
            queue.close()


@pytest.mark.parametrize(("rate", "most"), [(None, 8), (100.0, 8), (3.0, 3), (0.1, 1)])
def test_no_more_of_a_company_is_held_than_may_go_at_once(rate: float | None, most: int) -> None:
    queue = FairQueue(8, senders=16, rate=rate)
    assert queue.room_for(1) == most
    queue.put(make_job(1))
    assert queue.room_for(1) == most - 1
    taken = queue.take()
    assert taken is not None
    queue.sent(taken, seconds=0.0)
    assert queue.room_for(1) == most - 1, "it is not recorded yet"
    assert queue.room_for(1, recorded={taken.delivery_id}) == most
    queue.done([taken])
    assert queue.room_for(1) == most
