"""The guarded way out: requests in, checked addresses, one deadline, answers or reasons out."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache, partial
from http.client import responses
from io import BytesIO
from queue import SimpleQueue

import certifi
from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from requests.exceptions import InvalidHeader
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from portal import clock
from portal.egress.address import Address, AddressError, AddressPolicy, check_answers, origin_of, parse_address
from portal.egress.answer import Answer, EgressError
from portal.egress.loop import Done, Exchange, Loop
from portal.egress.resolver import LookupFailedError, LookupTimeoutError, Resolve, Resolver, resolve_with_getaddrinfo
from portal.egress.transport import Request, Route

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
    """Sends requests to permitted addresses only. Thread safe; one thread of its own sends them all."""

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
        self._resolver = Resolver(resolve)
        self._parse = lru_cache(maxsize=MAX_ROUTES)(partial(parse_address, policy=policy))
        self._routes: dict[tuple[str, int], tuple[float, Route]] = {}
        self._loop = Loop(body_cap=body_cap, ca_file=ca_file or certifi.where(), connect_timeout=connect_timeout)

    def check(self, url: str) -> CheckedAddress:
        """Judge an address as it would be judged when sending. Raises AddressError."""
        address = parse_address(url, self.policy)
        try:
            answers = self._lookup(address, timeout=self.connect_timeout)
        except (LookupTimeoutError, LookupFailedError):
            answers = ()
        return CheckedAddress(address, check_answers(address, answers, self.policy))

    def call(self, function: Callable[[], None]) -> None:
        """Run a function on the thread that sends, soon. From any thread."""
        self._loop.call(function)

    def begin(
        self, url: str, fields: Sequence[str], body: bytes | None, done: Done, *, deadline: float | None = None
    ) -> None:
        """Send a POST of `body`, or a GET for None, once, following no redirect. From any thread; nothing waits.

        The headers come as `make_fields` makes them.
        `done` gets the Answer or, when there is none to judge, the EgressError, on the thread that sends.
        """
        started = clock.monotonic()
        ends_at = started + (self.deadline if deadline is None else deadline)
        try:
            address = self._parse(url)
        except AddressError as error:
            done(EgressError(error.reason, error.detail))
            return

        def exchange(route: Route) -> None:
            request = Request(f"{origin_of(address.url)}/", address.target, route, fields, body)
            self._loop.send(Exchange(request, started, ends_at, finish))

        def finish(result: Answer | Exception) -> None:
            if isinstance(result, EgressError):
                self._routes.pop((address.host, address.port), None)  # the name may have moved to another machine
            done(result)

        self._loop.call(partial(self._find_route, address, ends_at, exchange, finish))

    def send(self, prepared: PreparedRequest, *, deadline: float | None = None) -> Answer:
        """Send a prepared GET or POST once, and wait for its answer. Raises EgressError when there is none to judge."""
        result: SimpleQueue[Answer | Exception] = SimpleQueue()
        fields = make_fields(prepared.headers or {})
        self.begin(prepared.url or "", fields, _body(prepared), result.put, deadline=deadline)
        answer = result.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Close the connections, after the exchanges under way; what is sent later is refused."""
        self._loop.close()

    def _find_route(self, address: Address, ends_at: float, use: Callable[[Route], None], fail: Done) -> None:
        """Hand the address's route to `use`, at once when it is known; on the loop's thread, which never waits."""
        key = (address.host, address.port)
        expires_at, route = self._routes.get(key, (0.0, None))
        if route is not None and clock.monotonic() <= expires_at:
            use(route)
            return
        if address.ip is not None:
            self._learn_route(address, (address.host,), use, fail)
            return
        waiting = [fail]

        def answer(answers: tuple[str, ...] | EgressError) -> None:
            if not waiting:
                return  # the answer came too late
            waiting.clear()
            if isinstance(answers, EgressError):
                fail(answers)
            else:
                self._learn_route(address, answers, use, fail)

        timeout = min(self.connect_timeout, ends_at - clock.monotonic())
        late = EgressError("dns_timeout", f"no answer about {address.host} within {timeout:.1f} s")
        self._loop.call_later(timeout, partial(answer, late))
        self._resolver.begin(*key).add_done_callback(lambda known: self._loop.call(partial(answer, _answers_of(known))))

    def _learn_route(
        self, address: Address, answers: tuple[str, ...], use: Callable[[Route], None], fail: Done
    ) -> None:
        if not answers:
            fail(EgressError("dns_failure", f"{address.host} does not resolve"))
            return
        try:
            route = Route(check_answers(address, answers, self.policy), address.port)
        except AddressError as error:
            fail(EgressError(error.reason, error.detail))
            return
        if len(self._routes) >= MAX_ROUTES:
            self._routes.clear()
        self._routes[address.host, address.port] = (clock.monotonic() + ROUTE_SECONDS, route)
        use(route)

    def _lookup(self, address: Address, *, timeout: float) -> tuple[str, ...]:
        if address.ip is not None:
            return (address.host,)
        return self._resolver.lookup(address.host, address.port, timeout=timeout)


def _answers_of(known: Future[tuple[str, ...]]) -> tuple[str, ...] | EgressError:
    """What a lookup that is done found."""
    fault = known.exception()
    if fault is None:
        return known.result()
    return EgressError("dns_timeout" if isinstance(fault, LookupTimeoutError) else "dns_unavailable", str(fault))


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


def open_session(egress: Egress) -> Session:
    """A session whose every request goes out by the egress. It is not to be closed: the egress has other users."""
    session = Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, EgressAdapter(egress))
    return session


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


def make_fields(headers: Mapping[str, str]) -> list[str]:
    """The headers as libcurl takes them. Raises InvalidHeader."""
    fields = ["Accept-Encoding: identity", "Expect:"]
    names = {name.lower() for name in headers}
    for name, value in headers.items():
        if name.lower() in _OWN_FIELDS:
            continue
        if not isinstance(value, str):
            raise InvalidHeader(f"the value of {name} is not text")
        fields.append(f"{name}: {value}" if value else f"{name};")
    if "content-type" not in names:
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
