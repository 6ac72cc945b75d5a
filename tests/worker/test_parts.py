"""Each part of a worker does its own, whatever another meets: its sign of life, its clock, its leases, its mail."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from portal.clock import utcnow
from portal.database.db import db
from portal.models import Company, Task
from portal.outbox import DUE
from portal.runtime import runtime
from portal.tasks import slices, store
from portal.tasks.store import Chunk, ComeBack, Done, TaskClaim, TaskError
from portal.worker.dispatcher import Dispatcher
from portal.worker.housekeeping import keep_house
from portal.worker.notifier import Notifier
from portal.worker.run import Heartbeat
from portal.worker.sender import Sender
from portal.worker.starting import starting_threads
from portal.worker.task_runner import TaskRunner
from portal.working_models import InspectedRequest, WorkerHeartbeat
from tests.factories import actor_of, endpoint_of, make_contact, make_delivery, settings_for
from tests.worker.test_shares import make_claim

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def workers() -> set[str]:
    db.session.rollback()
    names = set(db.session.scalars(select(WorkerHeartbeat.worker)))
    db.session.rollback()
    return {name.rpartition(":")[2] for name in names}


@pytest.mark.parametrize("is_well", [True, False])
def test_a_beat_shows_this_worker_and_forgets_who_was_silent_for_a_day(app: Flask, is_well: bool) -> None:
    rows = [{"worker": name, "seen_at": utcnow() - ago} for name, ago in
            {"a:1:gone": DAY + HOUR, "b:2:silent": DAY - HOUR, "c:3:other": HOUR}.items()]  # fmt: skip
    with db.engine.begin() as connection:
        connection.execute(insert(WorkerHeartbeat), rows)
    shown: list[str] = []
    ear: Any = SimpleNamespace(name="this", show_life=lambda: shown.append("life"))
    dispatcher: Any = SimpleNamespace(is_well=is_well)
    heartbeat = Heartbeat(db.engine, ear, dispatcher)
    assert [heartbeat.beat(), heartbeat.beat()] == [is_well, is_well]
    assert workers() == ({"silent", "other", "this"} if is_well else {"gone", "silent", "other"})
    assert shown == (["life"] * 2 if is_well else [])
    heartbeat.end()
    assert "this" not in workers()


def test_a_worker_that_cannot_sign_off_says_so_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    def begin() -> None:
        raise OperationalError("DELETE FROM worker_heartbeat", {}, Exception("no route"))

    engine: Any = SimpleNamespace(begin=begin)
    ear: Any = SimpleNamespace(name="this")
    Heartbeat(engine, ear, ear).end()
    told = [(each.levelname, getattr(each, "action", ""), each.getMessage()) for each in caplog.records]
    assert told == [("WARNING", "outbox_unreachable", "The worker could not sign off: no route")]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("sent", [True, False])
def test_reports_and_backups_are_looked_after_although_a_notice_was_not_taken(told: bool, sent: bool) -> None:
    done: list[str] = []
    teller: Any = SimpleNamespace(tell_due=lambda unless: done.append("notices") or told)
    reports: Any = SimpleNamespace(send_due=lambda unless: done.append("reports") or sent)
    watch: Any = SimpleNamespace(tell_overdue=lambda: done.append("backups"))
    notifier = Notifier(teller, watch, reports)
    paused: list[float] = []
    notifier.pause = paused.append  # type: ignore[method-assign]
    assert notifier.turn() == 30.0
    assert done == ["notices", "reports", "backups"]
    assert paused == ([] if told and sent else [60.0])
    notifier.mend(ValueError())
    assert paused[-1] == 60.0


@pytest.mark.parametrize(("seconds", "is_sent"), [(10.5, False), (12.0, True), (-1.0, False)])
def test_nothing_begins_whose_lease_may_end_before_its_try(
    app: Flask, tmp_path: Path, seconds: float, is_sent: bool
) -> None:
    inbox: SimpleQueue[Any] = SimpleQueue()
    sender = Sender(
        settings_for(tmp_path, deadline=10), runtime().vault, runtime().egress, inbox=inbox, on_wrong_key=lambda: None
    )
    claim = make_claim(1)._replace(url="ftp://crm.example/", lease_expires_at=utcnow() + timedelta(seconds=seconds))
    sender.put([claim])
    item = inbox.get(timeout=60)
    assert (item[1].reason == "invalid_url") if is_sent else (item == claim)


def test_nothing_begins_once_the_sender_is_to_stop(app: Flask) -> None:
    inbox: SimpleQueue[Any] = SimpleQueue()
    sender = Sender(
        runtime().settings, runtime().vault, runtime().egress, inbox=inbox, on_wrong_key=lambda: inbox.put("wrong key")
    )
    claims = [
        make_claim(number)._replace(url="ftp://crm.example/", lease_expires_at=utcnow() + HOUR) for number in (1, 2)
    ]
    sender.put([])
    sender.stop()
    sender.put(claims)
    assert [inbox.get(timeout=60), inbox.get(timeout=60), inbox.empty()] == [*claims, True]


@pytest.mark.parametrize(("step", "status"), [(0.0, "pending"), (3600.0, "sending"), (-3600.0, "pending")])
def test_a_clock_that_leaps_ends_no_living_lease_and_one_set_back_leaves_nothing_far_ahead(
    app: Flask, company: Company, step: float, status: str
) -> None:
    dead, far = (make_delivery(make_contact(company, name=name)) for name in ("Ana", "Bia"))
    dead.status, dead.attempt_count, dead.lease_token, dead.lease_expires_at = "sending", 1, "a", utcnow() - HOUR
    endpoint_of(company).state = "paused"
    db.session.commit()
    dispatcher = Dispatcher(db.engine, runtime().settings, runtime().vault, runtime().egress)
    dispatcher._mend_times = False  # as after its first turn
    far.attempt_count, far.next_attempt_at = 1, utcnow() + 400 * DAY
    db.session.commit()
    dispatcher._clock = SimpleNamespace(step=lambda: step)  # type: ignore[assignment]
    dispatcher.turn()
    db.session.expire_all()
    assert dead.status == status
    assert (far.next_attempt_at < utcnow() + 30 * DAY) == (step < 0)


def test_who_waits_for_threads_to_begin_gives_the_signal_back() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with starting_threads():
        assert signal.getsignal(signal.SIGALRM) != before
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("is_due", [True, False])
def test_a_chunk_that_makes_deliveries_due_wakes_the_dispatcher(app: Flask, company: Company, is_due: bool) -> None:
    def do(session: Session) -> Done:
        session.info[DUE] = is_due
        return Done(moved=1)

    def work(_engine: Engine, _claim: TaskClaim) -> Iterator[Chunk]:
        yield do

    slices.queue_numbers(db.session, actor_of(company), "sync", [1], action="contacts.synced")
    db.session.commit()
    woken: list[str] = []
    assert TaskRunner(db.engine, on_due=lambda: woken.append("now"), kinds={"sync": work}).run_one()
    assert woken == (["now"] if is_due else [])


def test_the_house_is_kept_of_all_that_has_its_time(app: Flask, company: Company, tmp_path: Path) -> None:
    def arrived(ago: timedelta) -> InspectedRequest:
        facts: dict[str, Any] = {"signature": "valid", "headers": [], "body": b"", "size": 0}
        return InspectedRequest(company_id=company.id, received_at=utcnow() - ago, **facts)

    old, young = arrived(DAY + HOUR), arrived(DAY - HOUR)
    drafts = [Task(company_id=company.id, kind="x", actor="a", arguments={}, status="draft", total=0,
                   created_at=utcnow() - ago) for ago in (DAY + HOUR, DAY - HOUR)]  # fmt: skip
    db.session.add_all([old, young, *drafts])
    db.session.commit()
    kept = {young.id}, {drafts[1].id}
    keep_house(db.engine, tmp_path)
    db.session.expire_all()
    assert set(db.session.scalars(select(InspectedRequest.id))) == kept[0]
    assert set(db.session.scalars(select(Task.id).where(Task.kind == "x"))) == kept[1]


def test_a_runner_looks_again_at_once_after_a_task_and_else_in_five_seconds(app: Flask, company: Company) -> None:
    slices.queue_numbers(db.session, actor_of(company), "sync", [1], action="contacts.synced")
    db.session.commit()
    runner = TaskRunner(db.engine, on_due=lambda: None, kinds={"sync": lambda *_: iter(())})
    assert [runner.turn(), runner.turn()] == [0.0, 5.0]


@pytest.mark.parametrize("is_back", [True, False])
def test_a_task_whose_database_goes_away_is_given_back_or_waits_for_the_end_of_its_lease(
    app: Flask, company: Company, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_back: bool
) -> None:
    away = OperationalError("UPDATE task", {}, Exception("no route"))

    def work(*_: Any) -> Iterator[Chunk]:
        raise away
        yield

    def release(*_: Any) -> None:
        raise away

    if not is_back:
        monkeypatch.setattr(store, "release", release)
    slices.queue_numbers(db.session, actor_of(company), "sync", [1], action="contacts.synced")
    db.session.commit()
    with pytest.raises(OperationalError):
        TaskRunner(db.engine, on_due=lambda: None, kinds={"sync": work}).run_one()
    row = db.session.query(Task).one()
    told = [(getattr(each, "action", ""), each.getMessage().splitlines()[0]) for each in caplog.records]
    words = "A task could not be given back: (builtins.Exception) no route"
    assert (row.status, told) == (("waiting", []) if is_back else ("running", [("tasks_unreachable", words)]))


ENDS: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("done", {"status": "done", "reason": None, "position": 1}, [("INFO", "task_ended")]),
    ("refused", {"status": "failed", "reason": "file_gone", "position": 1}, [("INFO", "task_ended")]),
    ("fault", {"status": "failed", "reason": "internal_error"}, [("ERROR", "task_failed"), ("INFO", "task_ended")]),
    ("waits", {"status": "running", "reason": None, "position": 1, "finished_at": None}, []),
    ("lost", {"status": "running", "position": 0, "lease_token": "another's"}, [("WARNING", "task_lost")]),
    ("stopped", {"status": "waiting", "position": 1, "lease_token": None, "lease_expires_at": None}, []),
]


@pytest.mark.parametrize(("what", "facts", "told"), ENDS, ids=[each[0] for each in ENDS])
def test_a_task_ends_or_waits_as_its_work_says_and_the_log_says_so(
    app: Flask,
    company: Company,
    caplog: pytest.LogCaptureFixture,
    what: str,
    facts: dict[str, Any],
    told: list[tuple[str, str]],
) -> None:
    caplog.set_level("INFO", logger="portal.worker.task_runner")
    faults = {"refused": TaskError("file_gone"), "fault": ZeroDivisionError(), "waits": ComeBack()}

    def work(_engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
        if what == "lost":
            with db.engine.begin() as connection:
                connection.execute(update(Task).values(lease_token="another's"))
        yield lambda _session: Done(moved=1)
        if what == "stopped":
            runner.stop()
        if what in faults:
            raise faults[what]
        yield from [lambda _session: Done(moved=1)] * (what == "stopped")

    slices.queue_numbers(db.session, actor_of(company), "sync", [1], action="contacts.synced")
    db.session.commit()
    runner = TaskRunner(db.engine, on_due=lambda: None, kinds={"sync": work})
    assert runner.run_one()
    row = db.session.query(Task).one()
    db.session.refresh(row)
    assert {name: getattr(row, name) for name in facts} == facts
    ended = {"kind": "sync", "reason": facts.get("reason"), "task_id": row.id}
    assert [(each.levelname, getattr(each, "action", "")) for each in caplog.records] == told
    for each in caplog.records:
        assert each.task_id == row.id  # type: ignore[attr-defined]
        if each.action == "task_ended":  # type: ignore[attr-defined]
            assert {name: getattr(each, name) for name in ended} == ended
