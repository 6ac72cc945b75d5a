"""`portal worker`."""

import threading
from functools import partial

import click
from flask import Flask

from portal.cli.arenas import keep_little_garbage, keep_little_memory
from portal.cli.console import check_stored_secrets, open_app
from portal.cli.supervisor import stop_on_signals, stop_with_parent
from portal.database.db import db
from portal.i18n import speaking
from portal.runtime import runtime
from portal.worker.run import run


@click.command()
@click.option("--stop-with-parent", "with_parent", is_flag=True, hidden=True)
def worker(with_parent: bool) -> None:
    """Run a worker alone, against the same database.

    It sends what the outbox holds. Any number of workers may share a database; `portal serve` runs one by itself.
    SIGTERM stops a worker after what it is sending; it gives back the rest.
    """
    stop = stop_on_signals()
    keep_little_memory()
    if with_parent:
        stop_with_parent(stop)
    with open_app() as app:
        check_stored_secrets(db.session)
        keep_little_garbage()
        run_worker(app, stop)


def run_worker(app: Flask, stop: threading.Event) -> None:
    """Dispatch the application's deliveries until `stop` is set; then finish what is being sent, and return."""
    with app.app_context():
        engine, held = db.engine, runtime()
    run(engine, held.settings, held.vault, held.egress, speaking=partial(speaking, app), stop=stop)
