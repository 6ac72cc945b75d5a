"""One libcurl handle: one request and its answer at a time, over connections that are kept."""

import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple

import pycurl

from portal import clock
from portal.egress.answer import Answer, Cut, EgressError
from portal.egress.faults import E_TOO_LARGE, Fault, is_malformed
from portal.egress.incoming import Incoming

# Receivers commonly close a connection after 2 to 5 idle seconds; one that closes while we send costs an attempt.
MAX_IDLE_SECONDS = 1
MAX_KNOWN_CONNECTIONS = 10_000

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
    (pycurl.MAXAGE_CONN, MAX_IDLE_SECONDS),
    (pycurl.USERAGENT, ""),
)


@dataclass(frozen=True)
class Route:
    """Where a host's requests go: the only addresses that libcurl may connect to."""

    addresses: tuple[str, ...]
    port: int


class StandIn:
    """The name that libcurl knows an origin's route by.

    libcurl resolves and keeps connections by name. With CURLOPT_CONNECT_TO it gets a name of ours instead of the host's
    (which TLS and the Host header still use): pinned to the checked addresses, and ending in `.invalid` (RFC 6761),
    which resolves to nothing else. What libcurl knows of the stand-in that this one takes the place of, it forgets.
    """

    def __init__(self, route: Route, name: str, *, in_place_of: "StandIn | None" = None) -> None:
        self.name = f"{name}:{route.port}"
        self.connect_to = [f"::{self.name}"]
        shown = (f"[{address}]" if ":" in address else address for address in route.addresses)
        forgotten = [f"-{in_place_of.name}"] if in_place_of else []
        self.pins = [*forgotten, f"{self.name}:{','.join(shown)}"]


class Kept:
    """The idle connections that libcurl keeps, by their ends on this machine, so that each is looked at before its use.

    libcurl itself looks about once a second.
    """

    def __init__(self) -> None:
        self._descriptors: dict[tuple[str, int], int] = {}

    def keep(self, end: tuple[str, int], descriptor: int) -> None:
        """A transfer has ended on this connection; -1: it was closed."""
        if descriptor < 0:
            self._descriptors.pop(end, None)
            return
        if len(self._descriptors) >= MAX_KNOWN_CONNECTIONS:
            del self._descriptors[next(iter(self._descriptors))]  # kept longest ago, and closed long since
        self._descriptors[end] = descriptor

    def is_disturbed(self, end: tuple[str, int]) -> bool:
        """Whether a kept connection was closed, or has bytes that belong to no answer."""
        descriptor = self._descriptors.pop(end, -1)
        if descriptor < 0:
            return False
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))


class Request(NamedTuple):
    """One request as libcurl gets it."""

    origin: str
    target: str
    route: Route
    fields: Sequence[str]
    body: bytes | None  # None for a GET, else what is posted


class Transport:
    """One libcurl handle, used again and again: `begin` a request, let libcurl perform it, `finish` it."""

    def __init__(self, kept: Kept, *, body_cap: int, ca_file: str) -> None:
        self._kept = kept
        self._incoming = Incoming(body_cap=body_cap, refuse=self._refuse)
        self._stand_in: StandIn | None = None
        self._route: Route | None = None
        self._set: dict[int, str | int] = {}
        self.curl = curl = pycurl.Curl()
        for option, value in _FIXED_OPTIONS:
            curl.setopt(option, value)
        curl.setopt(pycurl.CAINFO, ca_file)
        curl.unsetopt(pycurl.CAPATH)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._guarded(self._on_open_socket, pycurl.SOCKET_BAD))
        curl.setopt(pycurl.PREREQFUNCTION, self._guarded(self._on_request, pycurl.PREREQFUNC_ABORT))
        curl.setopt(pycurl.HEADERFUNCTION, self._guarded(self._incoming.on_header, 0))
        curl.setopt(pycurl.WRITEFUNCTION, self._guarded(self._incoming.on_body, 0))

    def begin(
        self, request: Request, stand_in: StandIn, *, connect_timeout: float, timeout: float, fresh: bool = False
    ) -> None:
        """Prepares the handle for a request, which has `timeout` seconds from now. `fresh`: on a new connection."""
        self._bug: Exception | None = None
        self._refusal: tuple[str, str] | None = None
        self._sockets: list[socket.socket] = []
        self._address: str | None = None
        self._request_sent = False
        # A kept connection was unusable before anything was sent: the request may begin again, `fresh`.
        self.met_disturbed = False
        self._incoming.start()
        curl = self.curl
        self._route = request.route
        if stand_in is not self._stand_in:
            curl.setopt(pycurl.RESOLVE, stand_in.pins)
            curl.setopt(pycurl.CONNECT_TO, stand_in.connect_to)
            self._stand_in = stand_in
        self._set_changed(pycurl.FRESH_CONNECT, int(fresh))
        self._set_changed(pycurl.URL, request.origin)
        self._set_changed(pycurl.REQUEST_TARGET, request.target)
        self._set_changed(pycurl.TIMEOUT_MS, max(round(timeout * 1000), 1))
        self._set_changed(pycurl.CONNECTTIMEOUT_MS, max(round(min(connect_timeout, timeout) * 1000), 1))
        curl.setopt(pycurl.HTTPHEADER, request.fields)
        if request.body is None:
            curl.setopt(pycurl.HTTPGET, 1)
        else:
            curl.setopt(pycurl.POSTFIELDS, request.body)

    def finish(self, code: int, message: str, *, started: float) -> Answer:
        """What came of it, by libcurl's code and message: 0 and nothing when it is content.

        `started` is the monotonic time that `elapsed_seconds` counts from. Raises EgressError when no whole set of
        headers came back.
        """
        for opened in self._sockets:
            opened.close()
        end = (self.curl.getinfo(pycurl.LOCAL_IP), self.curl.getinfo(pycurl.LOCAL_PORT))
        self._kept.keep(end, self.curl.getinfo(pycurl.ACTIVESOCKET))
        if self._bug is not None:
            raise self._bug
        incoming, address, elapsed = self._incoming, self._address or "", clock.monotonic() - started
        if incoming.headers_done and self._refusal is None:
            return incoming.build_answer(self._cut_by(code, message), address=address, elapsed_seconds=elapsed)
        if incoming.status >= 200 and (cut := self._cut_in_headers(code)):
            return incoming.build_answer(cut, address=address, elapsed_seconds=elapsed)
        reason, detail = self._refusal or self._explain(code, message)
        # A server that demands a certificate of ours reads no request before it has one.
        is_sent = self._request_sent and reason != "tls_client_certificate"
        raise EgressError(reason, detail[:300], address=self._address, request_sent=is_sent)

    def _set_changed(self, option: int, value: str | int) -> None:
        if self._set.get(option) != value:
            self.curl.setopt(option, value)
            self._set[option] = value

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

    def _on_request(self, address: str, local_address: str, _port: int, local_port: int) -> int:
        """A connection stands, new or kept, and the request is about to go out on it."""
        if self._request_sent:
            self._refuse_resend()
            return pycurl.PREREQFUNC_ABORT
        if not self._sockets and self._kept.is_disturbed((local_address, local_port)):
            self.met_disturbed = True
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

    def _cut_by(self, code: int, message: str) -> Cut | None:
        if self._incoming.too_large:
            return "too_large"
        # A receiver may answer whole and then not read the rest of the request.
        if code == 0 or self._incoming.body_size == self.curl.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T):
            return None
        if is_malformed(code, message):
            return "malformed_body"
        return "timeout" if code == pycurl.E_OPERATION_TIMEDOUT else "incomplete"

    def _cut_in_headers(self, code: int) -> Cut | None:
        """Why nothing of the answer but its status counts; None where that does not either."""
        if code == pycurl.E_BAD_CONTENT_ENCODING:  # of the transfer, which nobody asked for
            return "undecodable"
        return "too_large" if self._headers_exceeded(code) else None

    def _headers_exceeded(self, code: int) -> bool:
        exceeded = self._incoming.header_bytes > _LIBCURL_HEADER_LIMIT
        return code == E_TOO_LARGE or (code == pycurl.E_RECV_ERROR and exceeded)

    def _explain(self, code: int, message: str) -> tuple[str, str]:
        if self._headers_exceeded(code):
            return "protocol_error", message
        has_headers = self._incoming.header_bytes > 0
        shown = message.replace(f" via {self._stand_in.name}", "") if self._stand_in else message
        fault = Fault.of(self.curl, code, shown, request_sent=self._request_sent, has_headers=has_headers)
        return fault.reason, fault.detail
