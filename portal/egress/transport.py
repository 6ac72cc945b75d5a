"""One libcurl handle: the exchange of one request and its answer over connections it keeps."""

import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from threading import Lock
from typing import Any

import pycurl

from portal import clock
from portal.egress.answer import Answer, Cut, EgressError
from portal.egress.faults import E_TOO_LARGE, Fault
from portal.egress.incoming import Incoming

# Receivers commonly close a connection after 2 to 5 idle seconds; one that closes while we send costs an attempt.
MAX_IDLE_SECONDS = 1
MAX_KEPT_CONNECTIONS = 5

# libcurl gives up on headers of more than 300 KiB together, or 100 KiB in one line.
_LIBCURL_HEADER_LIMIT = 300 * 1024

_FIXED_OPTIONS: tuple[tuple[int, Any], ...] = (
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    # Bytes without a status line come to `Incoming`, which refuses them and tells what they are.
    (pycurl.HTTP09_ALLOWED, 1),
    (pycurl.FOLLOWLOCATION, 0),
    # Nothing of the environment: an empty proxy also hides http_proxy and its like, and no .netrc is read.
    (pycurl.PROXY, ""),
    (pycurl.NOPROXY, "*"),
    (pycurl.NETRC, pycurl.NETRC_IGNORED),
    (pycurl.SSL_VERIFYPEER, 1),
    (pycurl.SSL_VERIFYHOST, 2),
    # Signals and threads do not go together.
    (pycurl.NOSIGNAL, 1),
    (pycurl.TCP_NODELAY, 1),
    (pycurl.MAXCONNECTS, MAX_KEPT_CONNECTIONS),
    (pycurl.MAXAGE_CONN, MAX_IDLE_SECONDS),
    (pycurl.USERAGENT, ""),
)


@dataclass(frozen=True)
class Route:
    """Where a host's requests go: the only addresses that libcurl may connect to."""

    addresses: tuple[str, ...]
    port: int


class StandIn:
    """The name that libcurl knows an origin's route by, and the connection it keeps for it.

    libcurl resolves and keeps connections by name. With CURLOPT_CONNECT_TO it gets a name of ours instead of the host's
    (which TLS and the Host header still use): pinned to the checked addresses, and ending in `.invalid` (RFC 6761),
    which resolves to nothing else. A new name leaves behind whatever was kept under the old one.
    """

    def __init__(self, route: Route, name: str) -> None:
        self.name = f"{name}:{route.port}"
        self.connect_to = [f"::{self.name}"]
        shown = (f"[{address}]" if ":" in address else address for address in route.addresses)
        self.pin = f"{self.name}:{','.join(shown)}"
        self._descriptor = -1
        self._poll: select.poll | None = None

    def watch(self, descriptor: int) -> None:
        """Remember the kept connection; -1: there is none."""
        if descriptor != self._descriptor:
            self._descriptor, self._poll = descriptor, None
            if descriptor >= 0:
                self._poll = select.poll()
                self._poll.register(descriptor, select.POLLIN)

    def is_disturbed(self) -> bool:
        """Whether the kept connection was closed, or has bytes that belong to no answer.

        libcurl itself looks about once a second. The descriptor may be another file's by now, as libcurl closes without
        a word: then the worst is a new connection.
        """
        events = self._poll.poll(0) if self._poll else []
        return any(event & ~select.POLLNVAL for _, event in events)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as libcurl gets it."""

    origin: str
    target: str
    route: Route
    fields: Sequence[str]
    body: bytes | None
    """None for a GET, else what is posted."""


class Transport:
    """Exchanges requests one after the other; whoever uses it holds its `lock`."""

    def __init__(self, *, body_cap: int, ca_file: str) -> None:
        self.lock = Lock()
        self._incoming = Incoming(body_cap=body_cap, refuse=self._refuse)
        self._names = (f"{number}.invalid" for number in count())
        self._stand_ins: dict[tuple[str, Route], StandIn] = {}
        self._stand_in: StandIn | None = None
        self._route: Route | None = None
        self._set: dict[int, str | int] = {}
        self._curl = curl = pycurl.Curl()
        for option, value in _FIXED_OPTIONS:
            curl.setopt(option, value)
        curl.setopt(pycurl.CAINFO, ca_file)
        curl.unsetopt(pycurl.CAPATH)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._guarded(self._on_open_socket, pycurl.SOCKET_BAD))
        curl.setopt(pycurl.PREREQFUNCTION, self._guarded(self._on_request, pycurl.PREREQFUNC_ABORT))
        curl.setopt(pycurl.HEADERFUNCTION, self._guarded(self._incoming.on_header, 0))
        curl.setopt(pycurl.WRITEFUNCTION, self._guarded(self._incoming.on_body, 0))
        self._start()

    def close(self) -> None:
        """Close the kept connections. The transport cannot be used any more."""
        self._curl.close()

    def exchange(self, request: Request, *, connect_timeout: float, timeout: float, started: float) -> Answer:
        """Send a request and read its answer, within `timeout` seconds from now.

        `started` is the monotonic time that `elapsed_seconds` counts from. Raises EgressError when no whole set of
        headers came back.
        """
        self._start()
        self._apply(request, connect_timeout=connect_timeout, timeout=timeout)
        code, message = self._perform()
        if self._bug is not None:
            raise self._bug
        incoming, elapsed = self._incoming, clock.monotonic() - started
        if incoming.headers_done and self._refusal is None:
            return self._build_answer(self._cut_by(code), elapsed)
        if incoming.status >= 200 and self._headers_exceeded(code):
            return self._build_answer("too_large", elapsed)
        reason, detail = self._refusal or self._explain(code, message)
        # A server that demands a certificate of ours reads no request before it has one.
        is_sent = self._request_sent and reason != "tls_client_certificate"
        raise EgressError(reason, detail[:300], address=self._address, request_sent=is_sent)

    def _start(self) -> None:
        self._bug: Exception | None = None
        self._refusal: tuple[str, str] | None = None
        self._sockets: list[socket.socket] = []
        self._address: str | None = None
        self._request_sent = False
        self._incoming.start()

    def _apply(self, request: Request, *, connect_timeout: float, timeout: float) -> None:
        curl = self._curl
        self._route = request.route
        self._apply_stand_in(self._choose_stand_in(request.origin, request.route))
        self._set_changed(pycurl.URL, request.origin)
        self._set_changed(pycurl.REQUEST_TARGET, request.target)
        self._set_changed(pycurl.TIMEOUT_MS, max(round(timeout * 1000), 1))
        self._set_changed(pycurl.CONNECTTIMEOUT_MS, max(round(min(connect_timeout, timeout) * 1000), 1))
        curl.setopt(pycurl.HTTPHEADER, request.fields)
        if request.body is None:
            curl.setopt(pycurl.HTTPGET, 1)
        else:
            curl.setopt(pycurl.POSTFIELDS, request.body)

    def _choose_stand_in(self, origin: str, route: Route) -> StandIn:
        stand_in = self._stand_ins.pop((origin, route), None)
        if stand_in is None or stand_in.is_disturbed():
            stand_in = StandIn(route, next(self._names))
            if len(self._stand_ins) >= MAX_KEPT_CONNECTIONS:
                del self._stand_ins[next(iter(self._stand_ins))]
        self._stand_ins[origin, route] = stand_in  # at the end: the one used longest ago goes first
        return stand_in

    def _apply_stand_in(self, stand_in: StandIn) -> None:
        if stand_in is self._stand_in:
            return
        old = [f"-{self._stand_in.name}"] if self._stand_in else []
        self._curl.setopt(pycurl.RESOLVE, [*old, stand_in.pin])
        self._curl.setopt(pycurl.CONNECT_TO, stand_in.connect_to)
        self._stand_in = stand_in

    def _set_changed(self, option: int, value: str | int) -> None:
        if self._set.get(option) != value:
            self._curl.setopt(option, value)
            self._set[option] = value

    def _perform(self) -> tuple[int, str]:
        """libcurl's error code and message: 0 and nothing when it is content."""
        try:
            self._curl.perform()
        except pycurl.error as error:
            arguments: tuple[Any, ...] = error.args
            return arguments[0], arguments[1]
        finally:
            for opened in self._sockets:
                opened.close()
            if self._stand_in:
                self._stand_in.watch(self._curl.getinfo(pycurl.ACTIVESOCKET))
        return 0, ""

    def _guarded(self, callback: Callable[..., Any], failed: int) -> Callable[..., Any]:
        """A callback for libcurl, where an exception would only be printed: it is raised after the exchange."""

        def call(*arguments: Any) -> Any:
            try:
                return callback(*arguments)
            except Exception as error:
                self._bug = error
                return failed

        return call

    def _on_open_socket(self, _purpose: int, peer: Any) -> socket.socket | int:
        """The last gate before any packet leaves."""
        if self._request_sent:
            self._refuse_resend()
            return pycurl.SOCKET_BAD
        self._address = address = str(ip_address(peer.addr[0]))
        route = self._route
        if route is None or address not in route.addresses or peer.addr[1] != route.port:
            self._refuse("blocked_address", "libcurl went for an address that was not checked")
            return pycurl.SOCKET_BAD
        opened = socket.socket(peer.family, peer.socktype, peer.protocol)
        # pycurl duplicates the descriptor; ours is closed after the exchange.
        self._sockets.append(opened)
        return opened

    def _on_request(self, address: str, _local_address: str, _port: int, _local_port: int) -> int:
        """A connection stands, new or kept, and the request is about to go out on it."""
        if self._request_sent:
            self._refuse_resend()
            return pycurl.PREREQFUNC_ABORT
        self._address, self._request_sent = address, True
        return pycurl.PREREQFUNC_OK

    def _refuse_resend(self) -> None:
        """libcurl sends again by itself when a kept connection dies before any byte of an answer.

        The receiver may have acted on the first: the schedule of retries decides, and the log shows it.
        """
        self._refuse("connection_failed", "the kept connection was closed before an answer came")

    def _refuse(self, reason: str, detail: str) -> None:
        self._refusal = (reason, detail)

    def _build_answer(self, cut: Cut | None, elapsed: float) -> Answer:
        return self._incoming.build_answer(cut, address=self._address or "", elapsed_seconds=elapsed)

    def _cut_by(self, code: int) -> Cut | None:
        if self._incoming.too_large:
            return "too_large"
        # A receiver may answer whole and then not read the rest of the request.
        if code == 0 or self._incoming.body_size == self._curl.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T):
            return None
        return "timeout" if code == pycurl.E_OPERATION_TIMEDOUT else "incomplete"

    def _headers_exceeded(self, code: int) -> bool:
        exceeded = self._incoming.header_bytes > _LIBCURL_HEADER_LIMIT
        return code == E_TOO_LARGE or (code == pycurl.E_RECV_ERROR and exceeded)

    def _explain(self, code: int, message: str) -> tuple[str, str]:
        if self._headers_exceeded(code):
            return "protocol_error", message
        has_headers = self._incoming.header_bytes > 0
        shown = self._without_stand_in(message)
        fault = Fault.of(self._curl, code, shown, request_sent=self._request_sent, has_headers=has_headers)
        return fault.reason, fault.detail

    def _without_stand_in(self, message: str) -> str:
        return message.replace(f" via {self._stand_in.name}", "") if self._stand_in else message
