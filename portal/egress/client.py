"""The guarded way out: requests in, checked addresses, one deadline, answers or reasons out."""

import threading
from dataclasses import dataclass
from functools import lru_cache, partial
from http.client import responses
from io import BytesIO
from weakref import WeakSet

import certifi
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.exceptions import InvalidHeader
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from portal import clock
from portal.egress.address import Address, AddressError, AddressPolicy, check_answers, origin_of, parse_address
from portal.egress.answer import Answer, EgressError
from portal.egress.resolver import LookupTimeoutError, Resolve, Resolver, resolve_with_getaddrinfo
from portal.egress.transport import Request, Route, Transport

ROUTE_SECONDS = 30.0
MAX_ROUTES = 4096

# libcurl writes these itself, from the address and the body; identity is the only encoding asked for.
_OWN_FIELDS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "expect", "te", "upgrade"}
)


@dataclass(frozen=True)
class CheckedAddress:
    """An address that passed the policy, and what its name resolves to now; no `addresses`: it does not resolve."""

    address: Address
    addresses: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Codes of what is odd about an address that may be used all the same (`rules.reasons.addresses`)."""
        return self.address.warnings + (() if self.addresses else ("unresolved",))


class Egress:
    """Sends requests to permitted addresses only. Thread safe; each thread keeps connections of its own."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        connect_timeout: float = 5.0,
        deadline: float = 10.0,
        body_cap: int = 1024 * 1024,
        resolve: Resolve = resolve_with_getaddrinfo,
        ca_file: str | None = None,
    ) -> None:
        """Times are in seconds.

        `connect_timeout` bounds the name lookup, and then the connection with its TLS handshake; `deadline` all of an
        exchange, the last byte of the body included. `ca_file` replaces certifi's authorities.
        """
        self.policy = policy
        self.connect_timeout = connect_timeout
        self.deadline = deadline
        self._body_cap = body_cap
        self._ca_file = ca_file or certifi.where()
        self._resolver = Resolver(resolve)
        self._parse = lru_cache(maxsize=MAX_ROUTES)(partial(parse_address, policy=policy))
        self._routes: dict[tuple[str, int], tuple[float, Route]] = {}
        self._local = threading.local()
        self._transports: WeakSet[Transport] = WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def check(self, url: str) -> CheckedAddress:
        """Judge an address as it would be judged when sending. Raises AddressError."""
        address = parse_address(url, self.policy)
        try:
            answers = self._lookup(address, timeout=self.connect_timeout)
        except LookupTimeoutError:
            answers = ()
        return CheckedAddress(address, check_answers(address, answers, self.policy))

    def send(self, prepared: PreparedRequest, *, deadline: float | None = None) -> Answer:
        """Send a GET or POST once, following no redirect. Raises EgressError when there is no answer to judge."""
        started = clock.monotonic()
        ends_at = started + (self.deadline if deadline is None else deadline)
        address, route = self._find_route(prepared.url or "", ends_at)
        request = Request(
            origin=f"{origin_of(address.url)}/",
            target=address.target,
            route=route,
            fields=_fields(prepared),
            body=_body(prepared),
        )
        remaining = ends_at - clock.monotonic()
        if remaining <= 0:
            raise EgressError("timeout", "no time was left to send")
        try:
            return self._exchange(request, timeout=remaining, started=started)
        except EgressError:
            # The name may have moved to another machine.
            self._routes.pop((address.host, address.port), None)
            raise

    def close(self) -> None:
        """Close every thread's connections, after the exchanges under way; what is sent later is refused."""
        with self._lock:
            self._closed = True
            transports = list(self._transports)
        for transport in transports:
            with transport.lock:
                transport.close()

    def _find_route(self, url: str, ends_at: float) -> tuple[Address, Route]:
        try:
            address = self._parse(url)
            key = (address.host, address.port)
            expires_at, route = self._routes.get(key, (0.0, None))
            if route is None or clock.monotonic() > expires_at:
                route = self._resolve(address, ends_at)
                if len(self._routes) >= MAX_ROUTES:
                    self._routes.clear()
                self._routes[key] = (clock.monotonic() + ROUTE_SECONDS, route)
        except AddressError as error:
            raise EgressError(error.reason, error.detail) from error
        return address, route

    def _resolve(self, address: Address, ends_at: float) -> Route:
        timeout = min(self.connect_timeout, ends_at - clock.monotonic())
        try:
            answers = self._lookup(address, timeout=timeout)
        except LookupTimeoutError as error:
            raise EgressError("dns_timeout", str(error)) from None
        if not answers:
            raise EgressError("dns_failure", f"{address.host} does not resolve")
        return Route(check_answers(address, answers, self.policy), address.port)

    def _lookup(self, address: Address, *, timeout: float) -> tuple[str, ...]:
        if address.ip is not None:
            return (address.host,)
        return self._resolver.lookup(address.host, address.port, timeout=timeout)

    def _exchange(self, request: Request, *, timeout: float, started: float) -> Answer:
        transport = self._transport()
        with transport.lock:
            if self._closed:
                raise EgressError("connection_failed", "the portal is stopping")
            return transport.exchange(request, connect_timeout=self.connect_timeout, timeout=timeout, started=started)

    def _transport(self) -> Transport:
        transport: Transport | None = getattr(self._local, "transport", None)
        if transport is None:
            transport = self._local.transport = Transport(body_cap=self._body_cap, ca_file=self._ca_file)
            with self._lock:
                self._transports.add(transport)
        return transport


class EgressAdapter(BaseAdapter):
    """Mounts an egress on a `requests.Session`; the session's own timeouts, proxies and certificates have no say."""

    def __init__(self, egress: Egress) -> None:
        super().__init__()
        self._egress = egress

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: object = None,
    ) -> Response:
        """Send once. A number as `timeout` is the deadline. Raises EgressError, also for a body that was cut."""
        deadline = timeout if isinstance(timeout, int | float) else None
        answer = self._egress.send(request, deadline=deadline)
        if answer.cut is not None:
            detail = f"status {answer.status_code}, {answer.body_size} bytes of body"
            raise EgressError(answer.cut, detail, address=answer.address, request_sent=True)
        return _build_response(request, answer)

    def close(self) -> None:
        """Close the egress with the session."""
        self._egress.close()


def _build_response(request: PreparedRequest, answer: Answer) -> Response:
    response = Response()
    response.status_code = answer.status_code
    response.headers = CaseInsensitiveDict(answer.headers)
    response.reason = responses.get(answer.status_code, "")
    response.encoding = get_encoding_from_headers(response.headers)
    response.url = request.url or ""
    response.request = request
    # Not urllib3's kind of raw, so a session finds no cookies in it.
    response.raw = BytesIO(answer.body)
    return response


def _fields(prepared: PreparedRequest) -> list[str]:
    fields = ["Accept-Encoding: identity", "Expect:"]
    has_content_type = False
    for name, value in (prepared.headers or {}).items():
        lower = name.lower()
        if lower in _OWN_FIELDS:
            continue
        if not isinstance(value, str):
            raise InvalidHeader(f"the value of {name} is not text")
        has_content_type = has_content_type or lower == "content-type"
        fields.append(f"{name}: {value}" if value else f"{name};")
    if not has_content_type:
        fields.append("Content-Type:")  # else libcurl calls a posted body a form
    joined = "".join(fields)
    if not joined.isascii() or not joined.isprintable():
        raise InvalidHeader("a header holds a control or a character outside of ASCII")
    return fields


def _body(prepared: PreparedRequest) -> bytes | None:
    body = prepared.body
    if prepared.method == "GET" and not body:
        return None
    if prepared.method != "POST" or not isinstance(body, bytes | str | None):
        raise ValueError("only a GET, or a POST of bytes or text, is sent")
    return body.encode() if isinstance(body, str) else body or b""
