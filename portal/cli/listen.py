"""`portal listen`."""

import json
import threading
from typing import Any, TextIO

import click

from portal.cli import TEXT_FILE, Number, WholeNumber, inert, refuse_listening
from portal.cli.supervisor import stop_on_signals
from portal.demo.server import Received, Receiver
from portal.rules.signing import SIGNATURE_HEADERS

LOOK_SECONDS = 0.2
MOST_OF_A_FILE = 1000  # no key is longer


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=9000, show_default=True, type=WholeNumber(0, 65535), help="0 takes any free port.")
@click.option("--status", default=200, show_default=True, type=WholeNumber(200, 599), help="The status to answer.")
@click.option("--body", default="OK", show_default=True, help="The body to answer.")
@click.option("--content-type", default="text/plain", show_default=True, metavar="TYPE")
@click.option("--delay", default=0.0, show_default=True, type=Number(0), help="Seconds before each answer.")
@click.option(
    "--fail-rate", default=0.0, show_default=True, type=Number(0, 1), help="The share of answers that is 500."
)
@click.option(
    "--secret",
    metavar="whsec_...",
    envvar="WEBHOOK_SECRET",
    show_envvar=True,
    help="Verify signatures with this key. Other users of the machine see what stands on a command line.",
)
@click.option("--secret-file", type=TEXT_FILE, metavar="FILE", help="The key is in this file; - is standard input.")
def listen(host: str, port: int, body: str, secret: str | None, secret_file: TextIO | None, **answer: Any) -> None:
    """Run a local receiver that shows and verifies what arrives.

    A portal sends to this machine only when PORTAL_ALLOWED_NETWORKS permits it: 127.0.0.0/8.
    """
    stop = stop_on_signals()
    try:
        receiver = Receiver(
            host,
            port,
            body=body.encode(),
            secret=read_key(secret, secret_file),
            on_request=lambda received: show_request(receiver, received),
            **answer,
        )
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--secret") from error
    try:
        receiver.start()
    except OSError as error:
        refuse_listening(host, port, error)
    click.echo(f"Listening on {receiver.url} (Ctrl-C stops it).")
    pause = threading.Event()
    try:
        while not stop.is_set():
            pause.wait(LOOK_SECONDS)
    finally:
        receiver.stop()


def read_key(secret: str | None, file: TextIO | None) -> str | None:
    """The key from the option or the file. Raises UsageError when both are given."""
    if file is None:
        return secret
    if secret is not None:
        raise click.UsageError("The key is given twice: by --secret or WEBHOOK_SECRET, and by --secret-file.")
    return file.read(MOST_OF_A_FILE).strip()


def show_request(receiver: Receiver, received: Received) -> None:
    """Print one request, as one piece."""
    receiver.received.clear()  # it was shown; keeping all that arrives would fill the memory
    at = received.at.astimezone().strftime("%H:%M:%S")
    lines = [
        f"{at}  {received.method} {received.path}  {len(received.body)} bytes  signature {received.signature}  "
        f"answered {received.answered_status}"
    ]
    lines += [f"  {name}: {received.headers[name]}" for name in SIGNATURE_HEADERS if name in received.headers]
    lines += [f"  {line}" for line in pretty(received.body).splitlines()]
    click.echo(inert("\n".join(lines)) + "\n")


def pretty(body: bytes) -> str:
    """The body as indented JSON when it is JSON, else as text."""
    text = body.decode(errors="replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
