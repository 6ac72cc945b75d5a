"""`portal serve`: the pages, the API and the worker, by one command."""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import IO

import click
from flask import Flask

from portal import create_app
from portal.cli import WholeNumber
from portal.cli.arenas import keep_little_garbage, keep_little_memory
from portal.cli.console import check_stored_secrets
from portal.cli.forked import fork_worker
from portal.cli.holding import holding
from portal.cli.supervisor import Supervisor, stop_on_signals, stop_with_parent
from portal.cli.upgrade import bring_up_to_date
from portal.cli.web import WebServer
from portal.config import Settings, load_settings
from portal.database.db import db
from portal.database.owning import hand_over
from portal.database.schema import check_schema
from portal.people import links, users
from portal.worker.starting import starting_threads

PATIENCE_SECONDS = 1.5  # how much longer than the deadline of a delivery stopping may take

logger = logging.getLogger(__name__)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=WholeNumber(0, 65535), help="0 takes any free port.")
@click.option("--no-worker", is_flag=True, help="Only pages and API; `portal worker` runs elsewhere.")
def serve(host: str, port: int, no_worker: bool) -> None:
    """Run the portal: pages, API and worker.

    Brings the database to this version first, after a backup of it. On an empty installation it prints a link, good for
    one use, that makes the first company and its admin. SIGTERM or Ctrl-C stops everything cleanly.
    """
    settings = load_settings()
    refuse_open_host(host, settings)
    run_portal(settings, host=host, port=port, with_worker=not no_worker)


def refuse_open_host(host: str, settings: Settings) -> None:
    """Raise a ClickException when other machines could reach the portal and it does not know by which name."""
    if is_loopback(host) or settings.base_url or settings.trusted_hosts:
        return
    raise click.ClickException(
        f"Listening on {host} lets other machines in: set PORTAL_BASE_URL (or PORTAL_TRUSTED_HOSTS) to the name they "
        "use, so that requests under any other name are refused and links cannot be forged."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server on that host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run_portal(
    settings: Settings,
    *,
    host: str,
    port: int,
    with_worker: bool = True,
    environ: Mapping[str, str] | None = None,
    on_ready: Callable[[Flask, str], None] | None = None,
) -> None:
    """Serve until a signal, then stop web and worker within the deadline and two seconds.

    `environ` is what a worker that follows a dead one reads its settings from. `on_ready` is called once with the
    application and its address when connections are accepted, instead of printing the address.
    """
    stop = stop_on_signals()
    keep_little_memory()
    app = create_app(settings)
    with app.app_context():
        bring_up_to_date()
        check_schema(db.engine, db.metadata)
        check_stored_secrets(db.session)
        db.engine.dispose()
    keep_little_garbage()
    first = fork_worker(partial(work_beside, app, stop)) if with_worker else None
    supervisor = Supervisor(environ, first)
    lock = hold_instance(settings.instance)
    with starting_threads():
        web = WebServer(app, host=host, port=port)
        if with_worker:
            supervisor.start()
    try:
        (on_ready or announce)(app, address_of(settings, host, web.port))
        web.run(stop)
        supervisor.ask_to_stop()
        web.finish(settings.deadline + PATIENCE_SECONDS)
    finally:
        if with_worker:
            supervisor.stop(settings.deadline + PATIENCE_SECONDS)
        if lock is not None:
            lock.close()


def work_beside(app: Flask, stop: threading.Event) -> None:
    """Be the application's worker, in a process of its own, until `stop` is set or the parent is gone."""
    from portal.cli.worker import run_worker  # here: pages are answered sooner by a process that needs none of it

    stop_with_parent(stop)
    with holding(app):
        run_worker(app, stop)


def hold_instance(instance: Path) -> IO[str] | None:
    """Marks the instance as this process's until the file is closed. The log says when another process has it."""
    try:
        file = os.fdopen(os.open(instance / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
        hand_over(instance / "serve.lock")
    except OSError:  # on PostgreSQL nothing has to be written here
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate()
        os.write(file.fileno(), str(os.getpid()).encode())
    except BlockingIOError:
        logger.warning(
            "Another `portal serve` (process %s) has this instance, too. Nothing is sent twice by that, but there are "
            "two of everything: stop one of them, unless it is meant.",
            file.read().strip() or "unknown",
            extra={"action": "instance_shared"},
        )
    except OSError:  # a disk of the network that knows no locks, or a full one
        pass
    return file


def address_of(settings: Settings, host: str, port: int) -> str:
    """Where people find the portal: the address they were promised, else this one."""
    if settings.base_url:
        return settings.base_url
    if not is_loopback(host):
        host = settings.trusted_hosts[0].lstrip(".")
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def announce(app: Flask, address: str) -> None:
    """Print the address, and on an empty installation the link that sets it up."""
    say(app, f"The portal is at {address} (Ctrl-C stops it).")
    with app.app_context():
        if users.is_empty(db.session):
            token = links.create_link(db.session, purpose="setup")
            db.session.commit()
            say(app, f"Nobody can log in yet. Make the first company and its admin here, once: {address}/setup/{token}")


def say(app: Flask, words: str) -> None:
    """Tell who started the portal: a line of its own, or of the log where machines read that."""
    if app.extensions["portal"].settings.log_format == "json":
        logger.info("%s", words, extra={"action": "serving"})
    else:
        click.echo(words)
