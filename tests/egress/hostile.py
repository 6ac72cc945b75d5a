"""Receivers that misbehave below HTTP: raw sockets, one named behaviour each, with the outcome that is right."""

import contextlib
import gzip
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


class Wire:
    """One accepted connection, as a behaviour sees it."""

    def __init__(self, connection: socket.socket, number: int, stopped: threading.Event) -> None:
        self._connection = connection
        self._stopped = stopped
        self.number = number

    def read_request(self) -> bytes:
        """The next request, head and body; empty when the sender closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += (more := self._connection.recv(65536))
            if not more:
                return b""
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        while len(body) < int(length[1] if length else 0):
            body += self._connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def read_some(self) -> bytes:
        """Whatever comes first."""
        return self._connection.recv(65536)

    def say(self, *parts: bytes) -> None:
        self._connection.sendall(b"".join(parts))

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def wait(self, seconds: float = 60) -> bool:
        """Pause; false when the receiver is stopping."""
        return not self._stopped.wait(seconds)


Act = Callable[[Wire], None]


class HostileReceiver:
    """Listens on loopback and lets `act` handle each connection in a thread; counts connections, keeps requests."""

    def __init__(self, act: Act, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self._act, self._tls = act, tls
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.connections = 0
        self.requests: list[bytes] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=64)
        self.host, self.port = self._listener.getsockname()[:2]
        self._start(self._accept)

    def url(self, path: str = "/hook", *, host: str = "127.0.0.1") -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{host}:{self.port}{path}"

    def __enter__(self) -> "HostileReceiver":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._handle, connection, self.connections)

    def _handle(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), connection:  # the sender gave up: that is the point of most behaviours
            speaking = self._start_tls(connection) if self._tls else connection
            self._open.append(speaking)
            wire = Wire(speaking, number, self._stopped)
            wire.read_request = self._recording(wire.read_request)  # type: ignore[method-assign]
            with speaking:
                self._act(wire)

    def _start_tls(self, connection: socket.socket) -> ssl.SSLSocket:
        assert self._tls is not None
        speaking = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.append(speaking)
        try:
            speaking.do_handshake()
        except ssl.SSLError:
            with speaking:
                while socket.socket.recv(speaking, 65536):  # closing with anything unread would overtake the alert
                    pass
            raise
        return speaking

    def _recording(self, read: Callable[[], bytes]) -> Callable[[], bytes]:
        def read_request() -> bytes:
            request = read()
            if request:
                self.requests.append(request)
            return request

        return read_request


def always_ok(wire: Wire) -> None:
    """A receiver as it should be."""
    while wire.read_request():
        wire.say(OK)


def answers(*parts: bytes, then: Callable[[Wire], object] | None = None) -> Act:
    """Read one request, say this, and close (after `then`)."""

    def act(wire: Wire) -> None:
        wire.read_request()
        wire.say(*parts)
        if then:
            then(wire)

    return act


def repeats(part: bytes, *, after: bytes = b"", pause: float = 0) -> Act:
    """Read one request, then never stop talking."""

    def act(wire: Wire) -> None:
        wire.read_request()
        wire.say(after)
        while wire.wait(pause) if pause else True:
            wire.say(part)

    return act


def drips(data: bytes, *, pause: float = 0.05) -> Act:
    """Read one request, then say this byte by byte."""

    def act(wire: Wire) -> None:
        wire.read_request()
        for byte in data:
            wire.say(bytes([byte]))
            wire.wait(pause)

    return act


def answers_unread(wire: Wire) -> None:
    wire.say(OK)


def resets(wire: Wire) -> None:
    wire.read_request()
    wire.reset()


def resets_in(part: bytes) -> Act:
    """Sends a part of an answer, and resets the connection once it has come."""

    def act(wire: Wire) -> None:
        wire.read_request()
        wire.say(part)
        wire.wait(0.2)
        wire.reset()

    return act


def is_silent(wire: Wire) -> None:
    wire.read_request()
    wire.wait()


def head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([status, *lines, b"", b""])


def whole(body: bytes, *lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head(*lines, b"Content-Length: %d" % len(body), status=status) + body


GZIP = b"Content-Encoding: gzip"
CHUNKED = b"Transfer-Encoding: chunked"
BOMB = gzip.compress(bytes(100_000_000), 9)
BARE_DEFLATE = zlib.compressobj(wbits=-15)


@dataclass(frozen=True)
class Case:
    """`expected`: a status alone (a whole answer), a status and what cut it, or the reason of an error."""

    name: str
    act: Act
    expected: str
    body: bytes | None = None


CASES = [
    Case("100 Continue first", answers(head(status=b"HTTP/1.1 100 Continue"), OK), "200", b"OK"),
    Case("102 and 103 first", answers(*(head(status=b"HTTP/1.1 %d X" % n) for n in (102, 103)), OK), "200", b"OK"),
    Case("endless 100", repeats(head(status=b"HTTP/1.1 100 Continue"), pause=0.02), "timeout"),
    Case("flood of 100", repeats(head(status=b"HTTP/1.1 100 Continue")), "protocol_error"),
    Case("101", answers(head(b"Upgrade: x", status=b"HTTP/1.1 101 Switching"), b"\0\1"), "protocol_error"),
    Case("length larger than body", answers(head(b"Content-Length: 20"), b"OK"), "200 incomplete", b"OK"),
    Case("chunked body cut", answers(head(CHUNKED), b"5\r\nab"), "200 incomplete", b"ab"),
    Case("chunked without last chunk", answers(head(CHUNKED), b"2\r\nab\r\n"), "200 incomplete", b"ab"),
    Case("chunked garbage", answers(head(CHUNKED), b"zz\r\nab\r\n"), "200 malformed_body", b""),
    Case(
        "more in a chunk than its size", answers(head(CHUNKED), b"2\r\nOKK\r\n0\r\n\r\n"), "200 malformed_body", b"OK"
    ),
    Case("a chunk of 20 digits", answers(head(CHUNKED), b"f" * 20 + b"\r\n"), "200 malformed_body", b""),
    Case("a page instead of chunks", answers(head(CHUNKED), b"<html>"), "200 malformed_body", b""),
    Case("a trailer without colon", answers(head(CHUNKED), b"2\r\nOK\r\n0\r\nX\r\n\r\n"), "200 malformed_body", b"OK"),
    Case("reset in a chunk", resets_in(head(CHUNKED) + b"5\r\nab"), "200 incomplete", b"ab"),
    Case("chunked with trailer", answers(head(CHUNKED), b"2\r\nOK\r\n0\r\nX: y\r\n\r\n"), "200", b"OK"),
    Case("length smaller than body", answers(OK, b"more"), "200", b"OK"),
    Case("two lengths", answers(head(b"Content-Length: 2", b"Content-Length: 3"), b"OK!"), "protocol_error"),
    Case("negative length", answers(head(b"Content-Length: -2"), b"OK!"), "protocol_error"),
    Case("length of 30 digits", answers(head(b"Content-Length: " + b"9" * 30), b"OK"), "protocol_error"),
    Case("length with zeros before it", answers(head(b"Content-Length: " + b"0" * 30 + b"2"), b"OK!"), "200", b"OK"),
    Case("no length, closed", answers(head(), b"OK"), "200", b"OK"),
    Case("HTTP/1.0", answers(head(status=b"HTTP/1.0 200 OK"), b"OK"), "200", b"OK"),
    Case("bare line feeds", answers(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nOK"), "200", b"OK"),
    Case("no status line", answers(b"OK\r\n\r\n"), "protocol_error"),
    Case("HTTP/2 without TLS", answers(bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))), "protocol_error"),
    Case("a line before the status line", answers(b"<br>", OK), "protocol_error"),
    Case("the status line of another protocol", answers(b"RTSP/1.0 200 OK\r\n\r\n"), "protocol_error"),
    Case("chunk extensions", answers(head(CHUNKED), b'2;a="x;y"\r\nOK\r\n0\r\n\r\n'), "200", b"OK"),
    Case("a chunk of a negative size", answers(head(CHUNKED), b"-2\r\nOK\r\n0\r\n\r\n"), "200 malformed_body", b""),
    Case("a header over two lines", answers(head(b"X: a", b" b", b"Content-Length: 2"), b"OK"), "200", b"OK"),
    Case(
        "two locations",
        answers(whole(b"", b"Location: /a", b"Location: /b", status=b"HTTP/1.1 302 X")),
        "protocol_error",
    ),
    Case("empty reply", answers(b""), "connection_failed"),
    Case("reset", resets, "connection_failed"),
    Case("closed in the status line", answers(b"HTTP/1.1 20"), "connection_failed"),
    Case("closed in the headers", answers(b"HTTP/1.1 200 OK\r\nContent-Le"), "incomplete"),
    Case("closed before the empty line", answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), "incomplete"),
    Case("status 099", answers(whole(b"OK", status=b"HTTP/1.1 099 X")), "protocol_error"),
    Case("status 2000", answers(whole(b"OK", status=b"HTTP/1.1 2000 X")), "protocol_error"),
    Case("status 200abc", answers(whole(b"OK", status=b"HTTP/1.1 200abc")), "protocol_error"),
    Case("status without reason", answers(whole(b"OK", status=b"HTTP/1.1 200")), "200", b"OK"),
    Case("HTTP/9.9", answers(whole(b"OK", status=b"HTTP/9.9 200 OK")), "protocol_error"),
    Case("NUL in a header", answers(whole(b"OK", b"X: a\0b")), "protocol_error"),
    Case("header without colon", answers(whole(b"OK", b"hello")), "protocol_error"),
    Case("gzip", answers(whole(gzip.compress(b"OK"), GZIP)), "200", b"OK"),
    Case("deflate", answers(whole(zlib.compress(b"OK"), b"Content-Encoding: deflate")), "200", b"OK"),
    Case(
        "bare deflate",
        answers(whole(BARE_DEFLATE.compress(b"OK") + BARE_DEFLATE.flush(), b"Content-Encoding: deflate")),
        "200",
        b"OK",
    ),
    Case("gzip label, empty body", answers(whole(b"", GZIP)), "200", b""),
    Case("gzip label without gzip", answers(whole(b"OK", GZIP)), "200 undecodable", b"OK"),
    Case("gzip cut", answers(whole(gzip.compress(b"OK")[:-9], GZIP)), "200 undecodable"),
    Case("gzip in two members", answers(whole(gzip.compress(b"O") + gzip.compress(b"K"), GZIP)), "200", b"OK"),
    Case("gzip after an empty one", answers(whole(gzip.compress(b"") + gzip.compress(b"OK"), GZIP)), "200", b"OK"),
    Case("gzip padded", answers(whole(gzip.compress(b"OK") + bytes(9), GZIP)), "200", b"OK"),
    Case("gzip, then its second cut", answers(whole((gzip.compress(b"OK") * 2)[:-9], GZIP)), "200 undecodable"),
    Case("gzip, then something else", answers(whole(gzip.compress(b"OK") + b"<html>", GZIP)), "200 undecodable"),
    Case("gzip, a thousand times", answers(whole(gzip.compress(b"") * 1000, GZIP)), "200 undecodable"),
    Case(
        "deflate, then something else",
        answers(whole(zlib.compress(b"OK") + b"<html>", b"Content-Encoding: deflate")),
        "200 undecodable",
    ),
    Case("gzip twice", answers(whole(b"OK", b"Content-Encoding: gzip, gzip")), "200 undecodable", b"OK"),
    Case("gzip in two headers", answers(whole(b"OK", GZIP, GZIP)), "200 undecodable", b"OK"),
    Case("unknown encoding", answers(whole(b"OK", b"Content-Encoding: br")), "200 undecodable", b"OK"),
    Case("no coding", answers(whole(b"OK", b"Content-Encoding: none")), "200", b"OK"),
    Case("gzip bomb", answers(whole(BOMB, GZIP)), "200 too_large"),
    Case("coded for the transfer", answers(head(b"Transfer-Encoding: gzip, chunked"), b"x"), "200 undecodable", b""),
    Case(
        "coded, of another status",
        answers(head(b"Transfer-Encoding: br", status=b"HTTP/1.1 500 X"), b"x"),
        "500 undecodable",
        b"",
    ),
    Case("one header of 70 kB", answers(whole(b"OK", b"X: " + b"a" * 70_000)), "200", b"OK"),
    Case("one header of 200 kB", answers(whole(b"OK", b"X: " + b"a" * 200_000)), "200 too_large", b""),
    Case("101 headers", answers(whole(b"OK", *(b"X-%d: a" % n for n in range(101)))), "200", b"OK"),
    Case(
        "97 headers of 60 kB",
        answers(whole(b"OK", *(b"X-%d: " % n + b"a" * 60_000 for n in range(97)))),
        "200 too_large",
        b"",
    ),
    Case("endless headers", repeats(b"X: a\r\n", after=b"HTTP/1.1 200 OK\r\n"), "200 too_large", b""),
    Case("answer before the request is read", answers_unread, "200", b"OK"),
    Case("answer unread, kept open", lambda wire: (wire.say(OK), wire.wait())[0], "200", b"OK"),
    Case("1 GB of JSON", repeats(b"[1," * 20_000, after=head(b"Content-Length: 1000000000")), "200 too_large"),
    Case("endless chunks", repeats(b"64\r\n" + b"a" * 100 + b"\r\n", after=head(CHUNKED)), "200 too_large"),
    Case(
        "302 with an endless body",
        repeats(b"a" * 65_536, after=head(b"Location: http://[", status=b"HTTP/1.1 302 Found")),
        "302 too_large",
    ),
    Case("redirect", answers(whole(b"", b"Location: /x", status=b"HTTP/1.1 307 X")), "307", b""),
    Case("says nothing", is_silent, "timeout"),
    Case("drips the status line", drips(OK), "timeout"),
    Case("drips headers", repeats(b"X: a\r\n", after=b"HTTP/1.1 200 OK\r\n", pause=0.05), "timeout"),
    Case("drips the body", repeats(b"a", after=head(), pause=0.05), "200 timeout"),
    Case("drips chunks", repeats(b"1\r\na\r\n", after=head(CHUNKED), pause=0.05), "200 timeout"),
    Case("stops in the body", answers(head(b"Content-Length: 9"), b"OK", then=Wire.wait), "200 timeout", b"OK"),
    Case("refuses politely", answers(whole(b"busy", status=b"HTTP/1.1 503 Busy")), "503", b"busy"),
]
