"""A local receiver, behind `portal listen` and `portal demo`: it keeps what arrives and checks the signatures."""

import random
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Self

from werkzeug.datastructures import Headers

from portal import clock
from portal.rules.signing import Signature, check_signature, make_verifier

MAX_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to give."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """One request that arrived. Names of headers are looked up without regard to case."""

    at: datetime
    method: str
    path: str
    headers: Headers
    body: bytes
    signature: Signature
    answered_status: int


Answer = Reply | tuple[Any, ...]  # a Reply, or a tuple of its first fields


class Receiver:
    """An HTTP server on a thread of its own; a context manager.

    It answers with `status`, `body` and `content_type` after `delay` seconds, or with 500 to a share of `fail_rate` of
    the requests. `answers`, an iterator or a function, goes first, until the iterator ends. With `secret` signatures
    are verified. `on_request` is called with each Received, on the connection's thread. `delay` and `answers` may be
    changed at any time. Raises ValueError for an unusable secret; `start` raises OSError when the port is taken.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        status: int = 200,
        body: bytes = b"OK",
        content_type: str = "text/plain",
        delay: float = 0.0,
        fail_rate: float = 0.0,
        seed: int | None = None,
        secret: str | None = None,
        on_request: Callable[[Received], None] | None = None,
        answers: Iterator[Answer] | Callable[[], Answer] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.reply = Reply(status, body, content_type)
        self.delay = delay
        self.fail_rate = fail_rate
        self.answers = answers
        self.received: list[Received] = []
        self._chance = random.Random(seed)  # noqa: S311
        self._verifier = None if secret is None else make_verifier(secret)
        self._on_request = on_request
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address to post to; complete once started, when `port` was 0."""
        return f"http://{self.host}:{self.port}/"

    def start(self) -> Self:
        """Listen, and answer in the background."""
        self._stopping.clear()
        self._server = _Server(self.host, self.port, self)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="receiver", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and cut the open connections. The port stays the same for a later start."""
        if self._server is None or self._thread is None:
            return
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.close_connections()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for(self, count: int, timeout: float = 60.0) -> bool:
        """Wait until `count` requests have arrived in all; tell whether they did within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.received) >= count, timeout)

    def take(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """Record a request and return the answer to give, after the delay. Called by the connections' threads."""
        with self._changed:
            reply = self._next_reply()
            signature = check_signature(self._verifier, headers, body)
            received = Received(clock.utcnow(), method, path, headers, body, signature, reply.status)
            self.received.append(received)
            self._changed.notify_all()
        if self._on_request is not None:
            self._on_request(received)
        if self.delay > 0:
            self._stopping.wait(self.delay)
        return reply

    def _next_reply(self) -> Reply:
        answers = self.answers
        answer = answers() if callable(answers) else next(answers, None) if answers else None
        if answer is not None:
            return answer if isinstance(answer, Reply) else Reply(*answer)
        if self._chance.random() < self.fail_rate:
            return Reply(500, b"Simulated failure")
        return self.reply


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, host: str, port: int, receiver: Receiver) -> None:
        self.receiver = receiver
        self._connections: set[socket.socket] = set()
        self._closed = threading.Condition()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the name service for the host's full name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._closed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._closed:
            self._connections.discard(request)
            self._closed.notify_all()

    def close_connections(self) -> None:
        """Wake the threads that wait for a next request, and wait until they have closed their sockets."""
        with self._closed:
            for connection in self._connections:
                with suppress(OSError):  # the client was first
                    connection.shutdown(socket.SHUT_RDWR)
            self._closed.wait_for(lambda: not self._connections, timeout=5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away is its own affair; anything else is a fault to be seen.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one piece

    def do_POST(self) -> None:
        length = self._body_length()
        if length is None:
            return
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # the client went away before the end
            return
        self._answer(self.server.receiver.take(self.command, self.path, Headers(self.headers.items()), body))

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    def _body_length(self) -> int | None:
        """Return how many bytes of body follow; None when the request was refused for its length."""
        given = self.headers.get("Content-Length", "0").strip()
        problem = None
        if "Transfer-Encoding" in self.headers:
            problem = HTTPStatus.LENGTH_REQUIRED
        elif not (given.isascii() and given.isdigit()):
            problem = HTTPStatus.BAD_REQUEST
        elif len(given) > 12 or int(given) > MAX_BODY_BYTES:
            problem = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if problem is None:
            return int(given)
        self.close_connection = True
        self._answer(Reply(problem, headers=(("Connection", "close"),)))
        return None

    def _answer(self, reply: Reply) -> None:
        has_body = reply.status >= 200 and reply.status not in (204, 304)
        self.send_response_only(reply.status)
        if has_body:
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: whoever started the receiver prints, from `on_request`."""
