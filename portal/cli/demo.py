"""`portal demo`."""

import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from flask import Flask

from portal import clock
from portal.cli import WholeNumber
from portal.cli.serve import run_portal
from portal.config import load_settings
from portal.demo.receiver import MoodyReceiver
from portal.demo.sample import TEAM, Story, prepare

SETTINGS = {
    "PORTAL_ALLOWED_NETWORKS": "127.0.0.0/8",
    "PORTAL_RETRY_SCHEDULE": "0s,3s,6s,10s,15s",
    "PORTAL_DEADLINE": "5",
}


@click.command()
@click.option("--port", default=8000, show_default=True, type=WholeNumber(0, 65535), help="0 takes any free port.")
def demo(port: int) -> None:
    """Run a throw-away portal with sample data.

    It has a sample company, contacts, and a local receiver that fails now and then. Everything is real but the people:
    the deliveries, the failures and the retries. Nothing leaves this machine, and nothing is kept.
    """

    def begin(app: Flask, address: str) -> None:
        password = secrets.token_urlsafe(9)
        prepare(app, url=receiver.url, password=password)
        held.enter_context(Story(app))
        introduce(address, password)

    with ExitStack() as held:
        environ = demo_environ(Path(held.enter_context(TemporaryDirectory(prefix="portal-demo-"))))
        receiver = held.enter_context(MoodyReceiver(show_answer))
        run_portal(load_settings(environ), host="127.0.0.1", port=port, environ=environ, on_ready=begin)
    click.echo("The demonstration is over; everything it made is removed.")


def demo_environ(folder: Path) -> dict[str, str]:
    """The environment of the demonstration's processes: this one's, without the settings of a real portal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    return kept | SETTINGS | {"PORTAL_INSTANCE": str(folder)}


def introduce(address: str, password: str) -> None:
    """Say where it is and how to get in."""
    people = "\n".join(f"  Log in    {email:<24} {name}, {role}" for name, email, role in TEAM)
    click.echo(f"""
  A demonstration of the portal. The people are made up; nothing leaves this machine or is kept.

  Open      {address}
{people}
  Password  {password}

  Every few seconds a contact is classified: see {address}/deliveries. Ctrl-C ends it.
""")


def show_answer(name: str, level: int, status: int) -> None:
    """One line for what the receiver got and answered."""
    click.echo(f"  {clock.utcnow().astimezone():%H:%M:%S}  {name}, level {level}: the receiver answered {status}")
