"""The worker: dispatcher, runner of tasks, notifier, their ticks, a sign of life. Nobody else knows APScheduler.

APScheduler owns no delivery and no due time: those are in the outbox. Its jobs are ticks, so a lost or a double one
does no harm. Should the wall clock step back, which silences it, the dispatcher looks by itself every few seconds.
"""

import logging
import os
import socket
import threading
from datetime import timedelta
from functools import partial

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask
from sqlalchemy import Engine, delete
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from portal import clock
from portal.company import inspector
from portal.database.db import db
from portal.i18n import speaking
from portal.models import WorkerHeartbeat
from portal.outbox.bell import Ear, make_ear
from portal.runtime import runtime
from portal.worker.dispatcher import Dispatcher
from portal.worker.notifier import Notifier
from portal.worker.task_runner import TaskRunner

TICK_SECONDS = 1
HEARTBEAT_SECONDS = 10
NOTICE_SECONDS = 30
HOUSEKEEPING_SECONDS = 3600
FIRST_HOUSEKEEPING_SECONDS = 60
"""A portal that never runs for an hour tidies up too."""
MAIL_PATIENCE_SECONDS = 2.0
FORGOTTEN_AFTER = timedelta(days=1)

logger = logging.getLogger(__name__)


def run(app: Flask, stop: threading.Event) -> None:
    """Dispatch the application's deliveries until `stop` is set; then finish what is being sent, and return."""
    with app.app_context():
        engine, held = db.engine, runtime()
    dispatcher = Dispatcher(engine, held.settings, held.vault, held.egress)
    ear = make_ear(engine, held.settings.instance)
    heartbeat = Heartbeat(engine, ear, dispatcher)
    runner = TaskRunner(engine, on_due=dispatcher.wake)
    notifier = Notifier(engine, held.settings, speaking=partial(speaking, app))
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None})
    scheduler.add_job(dispatcher.wake, "interval", seconds=TICK_SECONDS, id="tick")
    scheduler.add_job(heartbeat.beat, "interval", seconds=HEARTBEAT_SECONDS, id="heartbeat")
    scheduler.add_job(runner.wake, "interval", seconds=TICK_SECONDS, id="tasks")
    scheduler.add_job(notifier.wake, "interval", seconds=NOTICE_SECONDS, id="notices")
    soon = clock.utcnow() + timedelta(seconds=FIRST_HOUSEKEEPING_SECONDS)
    scheduler.add_job(runner.forget, "interval", seconds=HOUSEKEEPING_SECONDS, next_run_time=soon, id="housekeeping")
    scheduler.add_job(_forget_inspected, "interval", [engine], seconds=HOUSEKEEPING_SECONDS, id="inspector")
    scheduler.start()
    heartbeat.beat()
    listening = threading.Thread(target=_listen, args=(ear, dispatcher, stop), name="ear", daemon=True)
    listening.start()
    working = threading.Thread(target=runner.run, name="tasks", daemon=True)
    working.start()
    telling = threading.Thread(target=notifier.run, name="notices", daemon=True)
    telling.start()
    logger.info("The worker is ready.", extra={"action": "worker_started"})
    try:
        dispatcher.run()
    finally:
        stop.set()
        runner.stop()
        notifier.stop()
        scheduler.shutdown()
        listening.join()
        working.join()
        telling.join(MAIL_PATIENCE_SECONDS)  # a mail server may hang, and the worker goes all the same
        ear.close()
        heartbeat.end()
    logger.info("The worker has stopped.", extra={"action": "worker_stopped"})


class Heartbeat:
    """Tells the database, and the processes of this machine, that this worker lives."""

    def __init__(self, engine: Engine, ear: Ear, dispatcher: Dispatcher) -> None:
        self._engine = engine
        self._ear = ear
        self._dispatcher = dispatcher
        self._name = f"{socket.gethostname()}:{os.getpid()}:{ear.name}"

    def beat(self) -> None:
        if not self._dispatcher.is_well:
            return  # ticks alone are no life
        self._ear.show_life()
        now = clock.utcnow()
        with Session(self._engine) as session:
            session.merge(WorkerHeartbeat(worker=self._name, seen_at=now))
            session.execute(delete(WorkerHeartbeat).where(WorkerHeartbeat.seen_at < now - FORGOTTEN_AFTER))
            session.commit()

    def end(self) -> None:
        try:
            with Session(self._engine) as session:
                session.execute(delete(WorkerHeartbeat).where(WorkerHeartbeat.worker == self._name))
                session.commit()
        except OperationalError as error:  # it is forgotten after a day all the same
            logger.warning("The worker could not sign off: %s", error.orig, extra={"action": "outbox_unreachable"})


def _forget_inspected(engine: Engine) -> None:
    with engine.begin() as connection:
        inspector.forget_old(connection, now=clock.utcnow())


def _listen(ear: Ear, dispatcher: Dispatcher, stop: threading.Event) -> None:
    """Hand calls on to the dispatcher, and the wish to stop within a moment."""
    try:
        while not stop.is_set():
            if ear.wait(timeout=0.25):
                dispatcher.wake()
    finally:
        dispatcher.stop()  # also when listening fails: a worker that does not hear a stop must not go on
