"""Lookups wait for a thread, and each ends for all who ask for it."""

import threading
from concurrent.futures import Future

import pytest

from portal.config.known import KNOWN
from portal.egress import resolver
from portal.egress.resolver import LookupTimeoutError, Resolver
from portal.worker.shares import MOST_BESIDES

MOST_SENDERS = 512
WAIT_SECONDS = 30


def begin_all(names: Resolver, count: int) -> list[Future[tuple[str, ...]]]:
    return [names.begin(f"{number}.test", 443) for number in range(count)]


def test_all_that_a_worker_has_on_its_way_may_be_looked_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="512"):
        KNOWN["PORTAL_WORKER_THREADS"].read(str(MOST_SENDERS + 1))
    monkeypatch.setattr(resolver, "MAX_THREADS", 3)
    release, threads = threading.Event(), set()

    def resolve(host: str, port: int) -> list[str]:
        threads.add(threading.current_thread())
        release.wait(WAIT_SECONDS)
        return [host]

    found = begin_all(Resolver(resolve), MOST_SENDERS + MOST_BESIDES)
    assert not any(each.done() for each in found)
    release.set()
    assert [each.result(WAIT_SECONDS) for each in found] == [(f"{number}.test",) for number in range(len(found))]
    assert len(threads) == 3


def test_more_names_than_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MAX_PENDING_LOOKUPS", 2)
    release = threading.Event()
    *_, last = begin_all(Resolver(lambda host, port: ["127.0.0.1"] * release.wait(WAIT_SECONDS)), 3)
    assert isinstance(last.exception(0), LookupTimeoutError)
    release.set()


def test_after_a_rush_the_threads_are_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MAX_THREADS", 2)
    names = Resolver(lambda host, port: [host])
    for _ in range(3):
        assert all(each.result(WAIT_SECONDS) for each in begin_all(names, 10))
    assert not names._pending
    assert not names._waiting


def test_a_thread_that_takes_the_next_name_is_still_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MAX_THREADS", 1)
    turns = {f"{number}.test": threading.Event() for number in range(3)}
    names = Resolver(lambda host, port: [host] * turns[host].wait(WAIT_SECONDS))
    first, second = begin_all(names, 2)
    turns["0.test"].set()
    assert first.result(WAIT_SECONDS) == ("0.test",)
    third = names.begin("2.test", 443)
    turns["2.test"].set()
    assert [*names._waiting] == [("2.test", 443)], "the one thread has the second name"
    turns["1.test"].set()
    assert [each.result(WAIT_SECONDS) for each in (second, third)] == [("1.test",), ("2.test",)]


def test_a_name_is_looked_up_for_each_port() -> None:
    asked: list[int] = []
    release = threading.Event()
    names = Resolver(lambda host, port: asked.append(port) or ["x"] * release.wait(WAIT_SECONDS))  # type: ignore[func-returns-value]
    found = [names.begin("hook.test", port) for port in (443, 8443, 443)]
    release.set()
    assert [each.result(WAIT_SECONDS) for each in found] == [("x",)] * 3
    assert sorted(asked) == [443, 8443]


def test_who_joins_a_lookup_that_gets_no_thread_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MAX_THREADS", 1)
    names, joined = Resolver(lambda host, port: [host]), []

    def refuse(thread: threading.Thread) -> None:
        joined.extend(names.begin(host, 443) for host in ("hook.test", "waits.test"))
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        first = names.begin("hook.test", 443)
    assert [type(each.exception(0)) for each in (first, *joined)] == [LookupTimeoutError] * 3
    assert names.lookup("hook.test", 443, timeout=WAIT_SECONDS) == ("hook.test",)
