"""Loaded by Python at start when this folder is on PYTHONPATH: kills the whole portal, once, at the point CRASH_AT.

The portal itself holds no hook. The points are its own functions and the SQL it runs.
"""

import os
import signal
import sys
from typing import Any

from sqlalchemy import Engine, event

from portal import webhook
from portal.database import driver
from portal.outbox import claims
from portal.worker import sender

LOADED_IN = os.getpid()


def crash() -> None:
    """kill -9 of every process of the portal; only the first time, so that the next start goes through."""
    try:
        os.close(os.open(os.environ["CRASH_FLAG"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    if os.getpid() != LOADED_IN or "--stop-with-parent" in sys.argv:  # this is the worker that `portal serve` runs
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def crash_before(module: Any, name: str) -> None:
    original = getattr(module, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        crash()
        return original(*args, **kwargs)

    setattr(module, name, wrapped)


def crash_before_sql(beginning: str, after: str) -> None:
    """Crash before a statement that begins so, in a connection that has run one that begins with `after`."""

    def watch(connection: Any, statement: str) -> None:
        if statement.startswith(after):
            connection.info["seen"] = True
        elif statement.startswith(beginning) and connection.info.get("seen"):
            crash()

    def run(connection: Any, compiled: Any, *args: Any, **kwargs: Any) -> Any:
        watch(connection, compiled.sql)
        return original(connection, compiled, *args, **kwargs)

    event.listen(Engine, "before_cursor_execute", lambda connection, _, statement, *__: watch(connection, statement))
    original, driver._run = driver._run, run


POINTS = {
    "between the contact and the outbox": lambda: crash_before_sql("INSERT INTO delivery", "UPDATE contact"),
    "after the commit, before the claim": lambda: crash_before(claims, "_lend"),
    "after the claim, before the send": lambda: crash_before(webhook, "begin"),
    "after the answer, before the record": lambda: crash_before(sender.Sender, "_end"),
    "between the state and the attempt": lambda: crash_before_sql("INSERT INTO attempt", "UPDATE delivery"),
}

if "CRASH_AT" in os.environ:
    POINTS[os.environ["CRASH_AT"]]()
