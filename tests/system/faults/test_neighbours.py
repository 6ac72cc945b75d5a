"""One company's slow, dead or unresolvable receiver, and what the others notice of it."""

import socket
import statistics
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import select

from portal import clock
from portal.company import endpoint
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Company, Delivery, Endpoint
from portal.rules.retry import parse_schedule
from tests import factories
from tests.conftest import MakeApp, running_worker
from tests.system.black_hole import add_contacts, classify_each, compare, p95
from tests.system.faults.conftest import make_deliveries, statuses, wait_until

HERD, FAST_COMPANIES = 1500, 20
TOLERANCE_SECONDS = 0.1
"""What a machine shared with other work may add to any one figure."""


@pytest.mark.alone
def test_a_company_that_is_black_holed_slows_none_of_nineteen_others_down(make_app: MakeApp) -> None:
    with make_app(worker_threads=16, deadline=5.0).app_context():  # for longer than the measuring
        ((baseline, measured),) = compare(rounds=1, events=60)
    print(f"p95 from commit to receipt: {baseline * 1000:.1f} ms alone, {measured * 1000:.1f} ms beside a black hole")
    assert measured <= 1.2 * baseline + TOLERANCE_SECONDS


@pytest.mark.alone
def test_two_slow_companies_with_long_queues_leave_room_for_a_third(make_app: MakeApp) -> None:
    """Together they could fill all that a worker claims, and all its senders too."""
    app = make_app(worker_threads=16, deadline=4.0)
    with app.app_context(), ExitStack() as stack:
        slow = [stack.enter_context(Receiver(delay=1.5)) for _ in range(2)]
        quick = stack.enter_context(Receiver())
        for number, receiver in enumerate(slow):
            make_deliveries(factories.make_company(f"Lenta {number}", url=receiver.url), 300)
        ids = add_contacts(factories.make_company("Rápida", url=quick.url), 40)
        db.session.remove()
        with running_worker(app):
            wait_until(lambda: all(receiver.received for receiver in slow))
            time.sleep(0.5)
            times = classify_each(ids, quick)
    print(f"beside two slow ones: median {statistics.median(times):.2f} s, longest {max(times):.2f} s")
    assert max(times) < 1.5 + 1 + TOLERANCE_SECONDS
    assert statistics.median(times) < 0.75


@pytest.mark.alone
def test_a_herd_that_is_due_at_once_keeps_the_quick_ones_quick(make_app: MakeApp) -> None:
    """After an outage: one slow company with a long queue, and as much again for many fast ones."""
    app = make_app(worker_threads=16)
    with app.app_context(), Receiver(delay=0.8) as slow, Receiver() as fast:
        held = factories.make_company("Lenta", url=slow.url)
        companies = [factories.make_company(f"Rápida {each}", url=fast.url) for each in range(FAST_COMPANIES)]
        for company in (held, *companies):
            factories.endpoint_of(company).state = "paused"
        db.session.commit()
        make_deliveries(held, HERD // 3)
        for company in companies:
            make_deliveries(db.session.merge(company), 2 * HERD // 3 // FAST_COMPANIES)
        for company in (held, *companies):
            endpoint.close_circuit(factories.endpoint_of(db.session.merge(company)))
        db.session.commit()
        db.session.remove()
        begun = clock.utcnow()
        with running_worker(app):
            assert fast.wait_for(2 * HERD // 3)
            times = [(post.at - begun).total_seconds() for post in fast.received]
            assert len(slow.received) < HERD // 3, "the slow one was not slow"
    most_at_once = max(
        sum(0 <= (post.at - other.at).total_seconds() < 0.8 for other in slow.received) for post in slow.received
    )
    print(f"{len(times)} of fast companies: p95 {p95(times):.2f} s; at most {most_at_once} at once to the slow one")
    assert p95(times) < 5
    assert most_at_once <= app.extensions["portal"].settings.endpoint_concurrency + 1


@pytest.mark.alone
def test_a_name_service_that_hangs_holds_up_its_own_company_only(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: object, **more: object) -> object:
        if host == "hangs.example.com":
            released.wait(30)
        return real("127.0.0.1" if "example" in host else host, *rest, **more)  # type: ignore[arg-type]

    app = make_app(worker_threads=8, endpoint_concurrency=4, connect_timeout=2.0)
    with app.app_context(), Receiver() as receiver:
        stuck = factories.make_company("Presa", url=receiver.url)
        quick = factories.make_company("Livre", url=f"http://works.example.com:{receiver.port}/")
        factories.endpoint_of(stuck).url = f"http://hangs.example.com:{receiver.port}/"
        db.session.commit()
        make_deliveries(stuck, 30)
        ids = add_contacts(db.session.merge(quick), 20)
        db.session.remove()
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        try:
            with running_worker(app):
                time.sleep(0.3)
                times = classify_each(ids, receiver)
                wait_until(lambda: reasons_of("Presa") == {"dns_timeout"})
        finally:
            released.set()
    assert max(times) < 1.5, "less than the connect timeout, which the others wait for"


def reasons_of(name: str) -> set[str | None]:
    db.session.remove()
    query = select(Delivery.reason).join(Company).where(Company.name == name, Delivery.reason.is_not(None))
    found = set(db.session.scalars(query))
    db.session.remove()
    return found


@contextmanager
def gone(how: str, port: int) -> Iterator[None]:
    """What a machine does in the receiver's place."""
    if how == "refuses":
        yield
        return
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(512)
        listening.settimeout(0.05)
        stopping = threading.Event()

        def accept() -> None:
            while not stopping.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                if how == "resets":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.close()
                else:
                    swallowed.append(connection)

        swallowed: list[socket.socket] = []
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()
            for connection in swallowed:
                connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["refuses", "swallows", "resets"])
def test_a_receiver_that_is_gone_for_a_while_gets_everything_when_it_is_back(make_app: MakeApp, how: str) -> None:
    """As when a machine starts again, a cable is pulled, or a proxy has nobody behind it."""
    app = make_app(retry_schedule=parse_schedule("0s" + ",1s" * 9))
    receiver = Receiver()
    with app.app_context(), running_worker(app):
        receiver.start()
        company = factories.make_company(url=receiver.url)
        make_deliveries(company, 5)
        assert receiver.wait_for(5)
        wait_until(lambda: statuses() == {"delivered": 5})
        receiver.stop()
        with gone(how, receiver.port):
            make_deliveries(factories.make_company(), 30)
            wait_until(lambda: endpoint_state() == "failing")
        receiver.start()
        wait_until(lambda: statuses() == {"delivered": 35}, seconds=40)
        receiver.stop()
    assert len({post.headers["webhook-id"] for post in receiver.received}) == 35
    assert len(receiver.received) == 35


def endpoint_state() -> str:
    db.session.remove()
    state = db.session.scalars(select(Endpoint.state)).one()
    db.session.remove()
    return state
