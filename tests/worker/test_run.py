"""All parts of a worker begin together, and have ended when it returns: threads, ticks, its sign of life, its ear."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask
from sqlalchemy import select

from portal import clock, outbox
from portal.database.db import db
from portal.outbox.bell import DatagramEar
from portal.runtime import runtime
from portal.tasks import store
from portal.worker import run, starting
from portal.worker.starting import starting_threads
from portal.working_models import WorkerHeartbeat
from tests.factories import NOON
from tests.worker.turning import AWAY, actions

NOW = NOON.replace(year=2099)
"""Long after the moment of which the scheduler's own clock knows."""


WORKERS = ("stop", "ear", "tasks", "notices")
"""The threads of a worker, besides the one that dispatches and those of APScheduler."""


class Probe:
    """In place of the dispatcher: its run looks about, and ends."""

    is_well = True

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self.given: tuple[Any, ...] = ()
        self.calls: list[str] = []

    def __call__(self, *given: Any) -> "Probe":
        self.given = given
        return self

    def wake(self) -> None:
        self.calls.append("wake")

    def stop(self) -> None:
        self.calls.append("stop")

    def run(self) -> None:
        self._look()


def threads() -> dict[str, bool]:
    """The threads of a worker that live, and whether a process ends without them."""
    return {each.name: each.daemon for each in threading.enumerate() if each.name in WORKERS}


def living() -> list[str]:
    db.session.rollback()
    names = list(db.session.scalars(select(WorkerHeartbeat.worker)))
    db.session.rollback()
    return names


def run_with(monkeypatch: pytest.MonkeyPatch, look: Callable[[], None], **settings: Any) -> Probe:
    probe, held = Probe(look), runtime()
    monkeypatch.setattr(run, "Dispatcher", probe)
    db.session.rollback()
    run.run(
        db.engine,
        replace(held.settings, **settings),
        held.vault,
        held.egress,
        speaking=lambda _language: SimpleNamespace(),  # type: ignore[arg-type, return-value]
        stop=threading.Event(),
    )
    return probe


@pytest.mark.parametrize("fails", [False, True])
def test_every_part_runs_while_it_dispatches_and_has_ended_when_it_returns(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    caplog.set_level("INFO", logger="portal.worker.run")
    seen: list[Any] = []
    made: list[BackgroundScheduler] = []
    schedule = run._schedule
    monkeypatch.setattr(run, "_schedule", lambda *given: made.append(schedule(*given)) or made[-1])
    bounded: list[bool] = []
    beat = run.Heartbeat.beat
    monkeypatch.setattr(
        run.Heartbeat, "beat", lambda self: bounded.append(signal.getitimer(signal.ITIMER_REAL)[0] > 0) or beat(self)
    )
    folder = Path(app.instance_path, "workers")

    def look() -> None:
        seen.extend([threads(), len(living()), made[0].running, len(list(folder.iterdir())), actions(caplog)])
        seen.append((signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)))
        if fails:
            raise ZeroDivisionError

    before = signal.getsignal(signal.SIGALRM)
    if fails:
        with pytest.raises(ZeroDivisionError):
            run_with(monkeypatch, look)
    else:
        probe = run_with(monkeypatch, look)
        assert probe.given == (db.engine, runtime().settings, runtime().vault, runtime().egress)
        assert "stop" in probe.calls
    ready = ("INFO", "worker_started", "The worker is ready.")
    assert seen == [dict.fromkeys(WORKERS, True), 1, True, 1, [ready], (before, (0.0, 0.0))]
    assert bounded[0], "nothing ends a start that never ends"
    assert (threads(), living(), made[0].running, list(folder.iterdir())) == ({}, [], False, [])
    assert actions(caplog) == [] if fails else [("INFO", "worker_stopped", "The worker has stopped.")]


def test_a_start_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "START_SECONDS", 0.01)
    with pytest.raises(MemoryError, match="a thread did not begin"), starting_threads():
        time.sleep(5)


def test_a_mail_server_that_hangs_keeps_no_worker_from_its_end(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MAIL_PATIENCE_SECONDS", 0.05)
    may_end = threading.Event()
    hanging = threading.Thread(target=may_end.wait, args=(5,), name="notices")
    parts: dict[str, Any] = {"wake": lambda: None, "stop": lambda: None, "start": hanging.start, "join": hanging.join}
    monkeypatch.setattr(run, "Notifier", lambda *_: SimpleNamespace(**parts))
    run_with(monkeypatch, lambda: None)
    try:
        assert threads() == {"notices": False}
    finally:
        may_end.set()
        hanging.join()


def test_a_look_for_a_backup_that_is_due_is_taken_every_minute_where_one_is_wanted(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[tuple[Any, timedelta]] = []
    turns: list[Any] = []
    nightly: Any = SimpleNamespace(turn=turns.append)
    made: list[tuple[Any, ...]] = []
    scheduler: Any = SimpleNamespace(
        add_job=lambda job, every: jobs.append((job, every.pause)), start=lambda: None, shutdown=lambda: None
    )
    monkeypatch.setattr(run, "_schedule", lambda *_: scheduler)
    monkeypatch.setattr(run, "Nightly", lambda *given: made.append(given) or nightly)
    run_with(monkeypatch, lambda: None)
    assert (jobs, made) == ([], [])
    at = time_of_day(3)
    run_with(monkeypatch, lambda: None, backup_at=at)
    ((job, pause),) = jobs
    assert (pause, made) == (timedelta(minutes=1), [(db.engine, runtime().settings.backups, at)])
    monkeypatch.setattr(clock, "utcnow", lambda: NOON)
    job()
    assert (turns, turns[0].tzinfo.utcoffset(turns[0])) == ([NOON], NOON.astimezone().utcoffset())


def test_each_job_comes_in_its_time(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(run, "keep_house", lambda *given: called.append(given))
    monkeypatch.setattr(clock, "utcnow", lambda: NOW)
    heartbeat: Any = SimpleNamespace(beat=lambda: called.append("beat"))
    tick = partial(called.append, "tick")
    scheduler = run._schedule(db.engine, Path("instance"), heartbeat, tick)
    scheduler.start(paused=True)
    found = []
    for job in scheduler.get_jobs():
        is_soon = job.next_run_time == NOW + timedelta(minutes=1)
        job.func(*job.args)
        found.append((job.trigger.pause.total_seconds(), job.executor, list(called), is_soon))
        assert (job.coalesce, job.misfire_grace_time) == (True, None)
        called.clear()
    scheduler.shutdown()
    assert sorted(found, key=lambda each: each[0]) == [
        (1.0, "at once", ["tick"], False),
        (10.0, "default", ["beat"], False),
        (3600.0, "default", [(db.engine, Path("instance"))], True),
    ]


def test_what_is_due_again_is_looked_for_by_a_job_of_apscheduler(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    by: list[str] = []
    has_looked = threading.Event()

    def has_due(*_: object, **_facts: object) -> bool:
        by.append(threading.current_thread().name)
        has_looked.set()
        return False

    monkeypatch.setattr(run, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(outbox, "has_due", has_due)
    run_with(monkeypatch, lambda: assert_set(has_looked))
    assert set(by) == {"APScheduler"}


@pytest.mark.parametrize("before", [None, NOON - timedelta(days=365), NOON])
def test_the_times_of_a_job_that_a_clock_leapt_over_are_passed_over(before: datetime | None) -> None:
    assert run.Every(1.0).get_next_fire_time(before, NOON) == NOON + timedelta(seconds=1)


def assert_set(event: threading.Event) -> None:
    assert event.wait(30)


class Hearing:
    """An ear that hears what it is told to, in turn, and then fails or is to stop."""

    def __init__(self, heard: list[bool], stop: threading.Event | None) -> None:
        self._heard, self._stop = heard, stop
        self.waits: list[float] = []

    def wait(self, timeout: float) -> bool:
        self.waits.append(timeout)
        if not self._heard:
            assert self._stop is not None, "listening failed"
            self._stop.set()
            return False
        return self._heard.pop(0)


def test_calls_are_handed_on_and_the_clock_is_looked_at_each_second() -> None:
    stop, dispatcher = threading.Event(), Probe(lambda: None)
    ear: Any = Hearing([True, False, True], stop)
    roused: list[bool] = []
    run._listen(ear, dispatcher, stop, partial(roused.append, True))  # type: ignore[arg-type]
    assert (dispatcher.calls, ear.waits, roused) == (["wake", "wake"], [1.0] * 4, [])


@pytest.mark.parametrize(("hours", "times"), [(-1, 1), (1, 0)])
def test_a_clock_that_is_set_back_rouses_the_jobs_once(monkeypatch: pytest.MonkeyPatch, hours: int, times: int) -> None:
    stop, dispatcher, roused, real = threading.Event(), Probe(lambda: None), list[bool](), clock.utcnow

    class Moving(Hearing):
        def wait(self, timeout: float) -> bool:
            monkeypatch.setattr(clock, "utcnow", lambda: real() + timedelta(hours=hours))
            return super().wait(timeout)

    ear: Any = Moving([False, False], stop)
    run._listen(ear, dispatcher, stop, lambda: roused.append(True))  # type: ignore[arg-type]
    assert len(roused) == times


@pytest.mark.parametrize(
    ("due", "free", "woken"),
    [(False, False, []), (True, False, ["out"]), (False, True, ["tasks"]), (AWAY, False, ["out", "tasks"])],
)
def test_a_tick_wakes_who_has_something_to_do_and_both_when_it_cannot_look(
    app: Flask, monkeypatch: pytest.MonkeyPatch, due: bool | Exception, free: bool, woken: list[str]
) -> None:
    called: list[str] = []

    def has_due(*_: object, **_facts: object) -> bool:
        if isinstance(due, Exception):
            raise due
        return due

    monkeypatch.setattr(outbox, "has_due", has_due)
    monkeypatch.setattr(store, "has_free", lambda *_, **_facts: free)
    parts: list[Any] = [SimpleNamespace(wake=partial(called.append, name)) for name in ("out", "tasks")]
    run._tick(db.engine, *parts)
    assert called == woken


def test_the_wish_to_stop_is_handed_on_at_once_to_who_dispatches_and_who_listens(tmp_path: Path) -> None:
    stop, dispatcher, ear = threading.Event(), Probe(lambda: None), DatagramEar(tmp_path)
    thread = threading.Thread(target=run._stop_at, args=(stop, ear, dispatcher))
    thread.start()
    assert not ear.wait(0.05)
    assert dispatcher.calls == []
    stop.set()
    assert ear.wait(30)
    thread.join()
    ear.close()
    assert dispatcher.calls == ["stop"]


def test_roused_jobs_come_now_though_the_clock_was_a_day_ahead(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    came = threading.Event()
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None})
    job = scheduler.add_job(came.set, "interval", seconds=60, next_run_time=clock.utcnow() + timedelta(days=1))
    scheduler.start()
    try:
        run._rouse(scheduler)
        assert came.wait(5)
        assert job.next_run_time < clock.utcnow() + timedelta(seconds=61)
    finally:
        scheduler.shutdown()


def test_a_worker_whose_ear_fails_stops() -> None:
    stop, dispatcher = threading.Event(), Probe(lambda: None)
    ear: Any = Hearing([True], None)
    with pytest.raises(AssertionError, match="listening failed"):
        run._listen(ear, dispatcher, stop, lambda: None)  # type: ignore[arg-type]
    assert (dispatcher.calls, stop.is_set()) == (["wake"], True)


def test_a_sign_of_life_forgets_its_own_before_and_others_after_a_day(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear: Any = SimpleNamespace(name="1", show_life=lambda: None)
    dispatcher: Any = SimpleNamespace(is_well=True)
    ages = {"older": timedelta(days=1, microseconds=1), "a day old": timedelta(days=1), "younger": timedelta(hours=23)}
    db.session.add_all(WorkerHeartbeat(worker=name, seen_at=NOON - age) for name, age in ages.items())
    db.session.commit()
    monkeypatch.setattr(clock, "utcnow", lambda: NOON)
    mine = run.Heartbeat(db.engine, ear, dispatcher)
    assert (mine.beat(), mine.beat()) == (True, True)
    assert sorted(living()) == sorted(["a day old", "younger", mine._name])
    mine.end()
    assert sorted(living()) == ["a day old", "younger"]


def test_a_worker_takes_indexes_from_its_start(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(run, "always_take_indexes", told.append)
    run_with(monkeypatch, lambda: None)
    assert told == [db.engine]
