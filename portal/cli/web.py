"""The web server: waitress, in this process's main thread, stopped without cutting a request that is under way."""

import logging
import threading

import click
from flask import Flask
from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer

from portal import clock
from portal.runtime import Runtime
from portal.views.imports import MAX_UPLOAD_BYTES

THREADS = 8
LOOK_SECONDS = 0.25
"""How soon a stop is noticed."""


class WebServer:
    """Listens from the moment it is made; answers while `run` runs. Raises a ClickException when it cannot listen."""

    def __init__(self, app: Flask, *, host: str, port: int) -> None:
        held: Runtime = app.extensions["portal"]
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a short queue is nothing to tell people about
        self._map: dict[int, wasyncore.dispatcher] = {}
        try:
            self._server = create_server(
                app,
                map=self._map,
                host=host,
                port=port,
                threads=THREADS,
                ident=None,
                max_request_body_size=MAX_UPLOAD_BYTES,  # a longer one is cut here; most pages allow much less
                # With a proxy in front, its headers are read by the application, which knows how many proxies to trust.
                clear_untrusted_proxy_headers=held.settings.proxy_hops == 0,
            )
        except OSError as error:
            raise click.ClickException(
                f"Port {port} of {host} cannot be listened on: {error.strerror}. Choose another with --port."
            ) from error

    @property
    def port(self) -> int:
        """The port listened on: the one asked for, or the one that the system chose for 0."""
        return int(next(part.effective_port for part in self._map.values() if isinstance(part, BaseWSGIServer)))

    def run(self, stop: threading.Event) -> None:
        """Answer requests until `stop` is set."""
        while not stop.is_set():
            wasyncore.loop(timeout=LOOK_SECONDS, use_poll=True, map=self._map, count=1)

    def finish(self, patience: float) -> None:
        """Take no new connection, and answer what was asked, for at most `patience` seconds."""
        for part in list(self._map.values()):
            if isinstance(part, BaseWSGIServer):
                part.accepting = False
        end = clock.monotonic() + patience
        while self._is_busy() and clock.monotonic() < end:
            wasyncore.loop(timeout=LOOK_SECONDS, use_poll=True, map=self._map, count=1)
        wasyncore.close_all(self._map)

    def _is_busy(self) -> bool:
        return any(
            part.requests or part.total_outbufs_len
            for part in list(self._map.values())
            if isinstance(part, HTTPChannel)
        )
