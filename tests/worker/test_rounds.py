"""The loop of a worker's threads: turns, sleeps that a call ends, faults that are endured, and a clean stop."""

import logging
import threading
from collections.abc import Callable
from logging.handlers import BufferingHandler

import pytest
from sqlalchemy.exc import OperationalError

from portal import clock
from portal.worker import rounds
from portal.worker.outage import Outage, outage
from portal.worker.rounds import Round
from portal.worker.run import _try


class Counting(Round):
    """Takes turns that may fail, and sleeps long after each."""

    def __init__(self, *faults: Exception) -> None:
        super().__init__("tests")
        self.faults = list(faults)
        self.mended: list[Exception] = []
        self.turns = threading.Semaphore(0)

    def turn(self) -> float:
        self.turns.release()
        if self.faults:
            raise self.faults.pop(0)
        return 60.0

    def mend(self, error: Exception) -> None:
        self.mended.append(error)


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Counting]:
    monkeypatch.setattr(rounds, "FAULT_PAUSE_SECONDS", 0.01)

    def begin(*faults: Exception) -> Counting:
        counting = Counting(*faults)
        counting.start()
        assert counting.turns.acquire(timeout=60)
        return counting

    return begin


def end(counting: Counting) -> None:
    counting.stop()
    counting.join(60)
    assert not counting.is_alive(), "a stop does not end the sleep"


def test_a_call_ends_the_sleep_and_counts_for_one_turn(begin: Callable[..., Counting]) -> None:
    counting = begin()
    counting.wake()
    assert counting.turns.acquire(timeout=60)
    assert not counting.turns.acquire(timeout=0.2), "nobody called, and it did not sleep"
    end(counting)


def test_faults_of_every_kind_are_told_and_endured(
    begin: Callable[..., Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = BufferingHandler(100)
    for logger in (rounds.logger, logging.getLogger("portal.worker.outage")):
        monkeypatch.setattr(logger, "handlers", [written])
        logger.setLevel(logging.INFO)
    monkeypatch.setattr(rounds, "outage", Outage())
    away, ours = OperationalError("SELECT secret", {}, Exception("no route")), ZeroDivisionError("a fault of ours")
    counting = begin(away, ours)
    assert counting.turns.acquire(timeout=60)
    assert counting.turns.acquire(timeout=60)
    end(counting)
    assert counting.mended == [away, ours]
    told = [(record.levelname, getattr(record, "action", None)) for record in written.buffer]
    assert told == [("ERROR", "tests_unreachable"), ("ERROR", "tests_refused"), ("INFO", "tests_reached")]


def test_the_log_quotes_the_drivers_words_of_an_outage_and_nothing_that_was_to_be_written(
    begin: Callable[..., Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[tuple[str, BaseException]] = []
    monkeypatch.setattr(outage, "note", lambda *given: noted.append(given))
    cause = ConnectionError("no route")
    caused, bare = (OperationalError("INSERT 'Ana'", {}, Exception("INSERT 'Ana'")) for _ in range(2))
    caused.__cause__ = cause
    counting = begin(caused, bare)
    for _ in range(2):
        assert counting.turns.acquire(timeout=60)
    end(counting)
    assert noted == [("tests", cause), ("tests", bare)]


def test_a_database_that_is_away_is_one_line_for_all_threads_more_at_growing_intervals_and_one_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    written, logger = BufferingHandler(1000), logging.getLogger("portal.worker.outage")
    monkeypatch.setattr(logger, "handlers", [written])
    logger.setLevel(logging.INFO)
    outage, away = Outage(), ConnectionError("no route")
    seen = []
    for second in range(3600):
        now = 1000.0 + second
        for subject in ("outbox", "tasks", "database"):
            outage.note(subject, away)
        if len(written.buffer) > len(seen):
            seen.append(second)
    assert seen == [0, 15, 45, 105, 225, 465, 945, 1845, 2745]
    for subject in ("tasks", "outbox", "outbox"):
        outage.end(subject)
    assert [record.getMessage() for record in written.buffer[-2:]] == [
        "The outbox could still not be reached: no route",
        "The outbox is reached again, after 3599 s.",
    ]
    outage.note("tasks", away)
    assert written.buffer[-1].getMessage() == "The tasks could not be reached: no route"


def test_a_stop_ends_the_sleep(begin: Callable[..., Counting]) -> None:
    end(begin())


def test_only_what_reached_the_database_ends_its_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(outage, "end", ended.append)
    _try(lambda: False)
    assert ended == []
    _try(lambda: None)
    assert ended == ["database"]


def test_a_job_whose_database_is_away_is_done_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[tuple[str, BaseException]] = []
    ended: list[str] = []
    monkeypatch.setattr(outage, "note", lambda *given: noted.append(given))
    monkeypatch.setattr(outage, "end", ended.append)
    bare, caused, cause = OperationalError("", {}, Exception()), OperationalError("", {}, Exception()), OSError("gone")
    caused.__cause__ = cause

    def fail(error: Exception, _more: int) -> None:
        raise error

    _try(fail, bare, 1)
    _try(fail, caused, 2)
    with pytest.raises(ZeroDivisionError):
        _try(fail, ZeroDivisionError(), 3)
    assert (noted, ended) == ([("database", bare), ("database", cause)], [])


@pytest.mark.parametrize(("is_told_to_stop", "slept"), [(False, []), (True, [0.1])])
def test_a_fault_costs_a_second_and_at_the_end_a_tenth(
    monkeypatch: pytest.MonkeyPatch, is_told_to_stop: bool, slept: list[float]
) -> None:
    counting, found, waited = Counting(), list[float](), list[float]()
    monkeypatch.setattr(clock, "sleep", found.append)
    monkeypatch.setattr(counting._stopping, "wait", lambda seconds: (waited.append(seconds), is_told_to_stop)[1])
    with counting.enduring():
        raise ValueError("one turn")
    assert (waited, found) == ([1.0], slept)
