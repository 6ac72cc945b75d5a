"""The web server: waitress, in this process's main thread, stopped without cutting a request that is under way."""

import logging
import threading
from functools import partial

import click
from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments

from portal import clock
from portal.cli import refuse_listening
from portal.cli.connections import PAUSE_SECONDS, Channel, Lanes, Listener, most_connections
from portal.runtime import Runtime
from portal.web.addresses import path_within
from portal.web.bodies import limit_of

CLEANUP_SECONDS = 5
# A longer body is cut. What is shorter, but too long for its request, is taken in, not kept, and refused in words.
MOST_BODY_BYTES = 1024**3
# The longest sleep of the thread that takes requests in: it sees who was silent for too long, and who has rested.
LOOK_SECONDS = PAUSE_SECONDS


class WebServer:
    """Listens from the moment it is made; answers while `run` runs. Raises a ClickException when it cannot listen."""

    def __init__(self, app: Flask, *, host: str, port: int) -> None:
        held: Runtime = app.extensions["portal"]
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a short queue is nothing to tell people about
        self._map: dict[int, wasyncore.dispatcher] = {}
        try:
            settings = Adjustments(
                host=host,
                port=port,
                ident=None,
                connection_limit=2 * most_connections(),  # who listens lets the oldest go before
                cleanup_interval=CLEANUP_SECONDS,
                log_socket_errors=False,  # whoever goes away in the middle is nothing to tell people about
                max_request_body_size=MOST_BODY_BYTES,
                # With a proxy in front, its headers are read by the application, which knows how many proxies to trust.
                clear_untrusted_proxy_headers=held.settings.proxy_hops == 0,
            )
        except ValueError as error:  # waitress knows the name of no address
            raise click.ClickException(f"--host: {host!r} is no address of this machine, nor a name of one.") from error
        settings.limit_of = partial(limit_of, app)
        settings.path_within = partial(path_within, held.settings.path)
        self._lanes = Lanes()
        try:
            self._listeners = [
                Listener(app, self._map, dispatcher=self._lanes, adj=settings, sockinfo=address)
                for address in settings.listen
            ]
        except OSError as error:
            refuse_listening(host, port, error)

    @property
    def port(self) -> int:
        """The port listened on: the one asked for, or the one that the system chose for 0."""
        return int(self._listeners[0].effective_port)

    def run(self, stop: threading.Event) -> None:
        """Answer requests until `stop` is set."""
        waker = threading.Thread(target=self._wake_at, args=(stop,), name="waker", daemon=True)
        waker.start()
        while not stop.is_set():
            wasyncore.loop(timeout=LOOK_SECONDS, use_poll=True, map=self._map, count=1)
        waker.join()  # what it wakes by is closed later

    def _wake_at(self, stop: threading.Event) -> None:
        stop.wait()
        self._listeners[0].pull_trigger()

    def finish(self, patience: float) -> None:
        """Take no new connection, and answer what was asked, for at most `patience` seconds."""
        for listener in self._listeners:
            listener.accepting = False
        end = clock.monotonic() + patience
        while self._is_busy() and (left := end - clock.monotonic()) > 0:
            wasyncore.loop(timeout=min(left, LOOK_SECONDS), use_poll=True, map=self._map, count=1)
        self._lanes.end()
        wasyncore.close_all(self._map)

    def _is_busy(self) -> bool:
        return any(
            part.requests or part.total_outbufs_len for part in list(self._map.values()) if isinstance(part, Channel)
        )
