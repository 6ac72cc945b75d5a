"""The worker: dispatcher, runner of tasks, notifier, house-keeping, a sign of life. Nobody else knows APScheduler.

What failed is sent again by a job of APScheduler, which looks each second what is due in the outbox. The outbox holds
the deliveries and their times, so a job that is lost, or comes twice, does no harm. A wall clock that steps back would
silence APScheduler until that clock is where it was: it is roused then.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from sqlalchemy import Engine, delete, insert, or_
from sqlalchemy.exc import OperationalError

from portal import clock, outbox
from portal.config import Settings
from portal.database.backup.nightly import Nightly
from portal.database.db import AWAY, always_take_indexes, looking
from portal.egress import Egress
from portal.notices.backups import BackupWatch
from portal.notices.reports import ReportMail
from portal.notices.telling import Speaking, Teller
from portal.outbox.bell import Ear, make_ear
from portal.tasks import store
from portal.vault import Vault
from portal.worker.dispatcher import Dispatcher
from portal.worker.housekeeping import keep_house
from portal.worker.notifier import Notifier
from portal.worker.outage import outage
from portal.worker.starting import starting_threads
from portal.worker.task_runner import TaskRunner
from portal.working_models import WorkerHeartbeat

TICK_SECONDS = 1.0  # between two looks whether anybody has something to do, and whether the clock was set back
HEARTBEAT_SECONDS = 10
HOUSEKEEPING_SECONDS = 3600
BACKUP_LOOK_SECONDS = 60
FIRST_HOUSEKEEPING_SECONDS = 60  # a portal that never runs for an hour tidies up too
MAIL_PATIENCE_SECONDS = 2.0
FORGOTTEN_AFTER = timedelta(days=1)
AT_ONCE = "at once"  # the executor of a job that only looks: a thread of its own would cost more than the look does

logger = logging.getLogger(__name__)


def run(
    engine: Engine, settings: Settings, vault: Vault, egress: Egress, *, speaking: Speaking, stop: threading.Event
) -> None:
    """Dispatch a database's deliveries until `stop` is set; then finish what is being sent, and return."""
    always_take_indexes(engine)
    ear = make_ear(engine, settings.instance)
    dispatcher = Dispatcher(engine, settings, vault, egress)
    runner = TaskRunner(engine, on_due=dispatcher.wake)
    held = (engine, settings, speaking)
    notifier = Notifier(Teller(*held, vault, egress), BackupWatch(*held), ReportMail(*held))
    heartbeat = Heartbeat(engine, ear, dispatcher)
    scheduler = _schedule(engine, settings.instance, heartbeat, partial(_tick, engine, dispatcher, runner))
    rouse = partial(_rouse, scheduler)
    listening = threading.Thread(target=_listen, args=(ear, dispatcher, stop, rouse), name="ear", daemon=True)
    stopping = threading.Thread(target=_stop_at, args=(stop, ear, dispatcher), name="stop", daemon=True)
    if settings.backup_at is not None:
        nightly = Nightly(engine, settings.backups, settings.backup_at)
        scheduler.add_job(lambda: nightly.turn(clock.utcnow().astimezone()), Every(BACKUP_LOOK_SECONDS))
    with starting_threads():
        scheduler.start()
        heartbeat.beat()
        for thread in (stopping, listening, runner, notifier):
            thread.start()
    logger.info("The worker is ready.", extra={"action": "worker_started"})
    try:
        dispatcher.run()
    finally:
        stop.set()
        runner.stop()
        notifier.stop()
        scheduler.shutdown()
        stopping.join()
        listening.join()
        runner.join()
        notifier.join(MAIL_PATIENCE_SECONDS)  # a mail server may hang, and the worker goes all the same
        ear.close()
        heartbeat.end()
    logger.info("The worker has stopped.", extra={"action": "worker_stopped"})


def _schedule(engine: Engine, instance: Path, heartbeat: "Heartbeat", tick: Callable[[], None]) -> BackgroundScheduler:
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None})
    scheduler.add_executor(DebugExecutor(), AT_ONCE)
    scheduler.add_job(tick, Every(TICK_SECONDS), executor=AT_ONCE)
    scheduler.add_job(partial(_try, heartbeat.beat), Every(HEARTBEAT_SECONDS))
    soon = clock.utcnow() + timedelta(seconds=min(FIRST_HOUSEKEEPING_SECONDS, HOUSEKEEPING_SECONDS))
    house = partial(_try, keep_house, engine, instance)
    scheduler.add_job(house, Every(HOUSEKEEPING_SECONDS), next_run_time=soon)
    return scheduler


class Every(BaseTrigger):  # type: ignore[misc]
    """When a job comes: so many seconds after it came.

    APScheduler's own counts each time that a clock leapt over: of a month's seconds it makes a list of 2.6 million.
    """

    def __init__(self, seconds: float) -> None:
        self.pause = timedelta(seconds=seconds)

    def get_next_fire_time(self, _before: datetime | None, now: datetime) -> datetime:
        return now + self.pause


def _try(job: Callable[..., object], *arguments: object) -> None:
    """Do it, unless the database is away: it is done the next time, and the log says so once."""
    try:
        reached = job(*arguments) is not False
    except AWAY as error:
        outage.note("database", error.__cause__ or error)
    else:
        if reached:
            outage.end("database")


class Heartbeat:
    """Tells the database, and the processes of this machine, that this worker lives."""

    def __init__(self, engine: Engine, ear: Ear, dispatcher: Dispatcher) -> None:
        self._engine = engine
        self._ear = ear
        self._dispatcher = dispatcher
        self._name = f"{socket.gethostname()}:{os.getpid()}:{ear.name}"

    def beat(self) -> bool:
        """Whether the database was told."""
        if not self._dispatcher.is_well:
            return False  # ticks alone are no life
        self._ear.show_life()
        now = clock.utcnow()
        is_over = or_(WorkerHeartbeat.worker == self._name, WorkerHeartbeat.seen_at < now - FORGOTTEN_AFTER)
        with self._engine.begin() as connection:
            connection.execute(delete(WorkerHeartbeat).where(is_over))
            connection.execute(insert(WorkerHeartbeat).values(worker=self._name, seen_at=now))
        return True

    def end(self) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(WorkerHeartbeat).where(WorkerHeartbeat.worker == self._name))
        except OperationalError as error:  # it is forgotten after a day all the same
            logger.warning("The worker could not sign off: %s", error.orig, extra={"action": "outbox_unreachable"})


def _rouse(scheduler: BackgroundScheduler) -> None:
    """Let every job come now, and go on from there."""
    for job in scheduler.get_jobs():
        job.modify(next_run_time=clock.utcnow())


def _listen(ear: Ear, dispatcher: Dispatcher, stop: threading.Event, on_clock_back: Callable[[], None]) -> None:
    """Hand calls on to the dispatcher; notice a clock that was set back."""
    watch = clock.StepWatch()
    try:
        while not stop.is_set():
            if ear.wait(timeout=TICK_SECONDS):
                dispatcher.wake()
            if watch.step() < 0:
                on_clock_back()
    finally:
        stop.set()  # also when listening fails: a worker that does not hear must not go on


def _tick(engine: Engine, dispatcher: Dispatcher, runner: TaskRunner) -> None:
    """Wake who has something to do: the others sleep on."""
    now = clock.utcnow()
    try:
        with looking(engine) as connection:
            is_due, is_free = outbox.has_due(connection, now=now), store.has_free(connection, now=now)
    except Exception:  # they meet it too, say it, and endure it
        is_due = is_free = True
    if is_due:
        dispatcher.wake()
    if is_free:
        runner.wake()


def _stop_at(stop: threading.Event, ear: Ear, dispatcher: Dispatcher) -> None:
    """Hand on the wish to stop."""
    stop.wait()
    dispatcher.stop()
    ear.wake()
