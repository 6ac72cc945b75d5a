"""`portal worker`."""

import click

from portal.cli.console import check_stored_secrets, open_app
from portal.cli.stopping import stop_on_signals, stop_with_parent
from portal.worker import run as dispatching


@click.command()
@click.option("--stop-with-parent", "with_parent", is_flag=True, hidden=True)
def worker(with_parent: bool) -> None:
    """Run a worker alone, against the same database.

    It sends what the outbox holds. Any number of workers may share a database; `portal serve` runs one by itself.
    SIGTERM stops a worker after what it is sending; it gives back the rest.
    """
    stop = stop_on_signals()
    if with_parent:
        stop_with_parent(stop)
    with open_app() as app:
        check_stored_secrets()
        dispatching.run(app, stop)
