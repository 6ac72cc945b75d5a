"""One POST of one body to one address: sign, send, judge. Knows no database and no Flask."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from queue import SimpleQueue
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from portal import clock
from portal.egress import Answer, Cut, Egress, EgressError, make_fields
from portal.rules.complaints import without_echo
from portal.rules.credentials import blot, blot_body, credentials_of, mask_value
from portal.rules.reasons import LEAVING_DOUBT
from portal.rules.retry import parse_retry_after
from portal.rules.signing import sign
from portal.rules.verdict import DELIVERED_REASONS, Verdict, judge, shape_of
from portal.version import __version__

logger = logging.getLogger(__name__)

KEPT_BODY_BYTES = 16 * 1024
SMALL_BYTES = 1024
USER_AGENT = f"Catacliente-Portal/{__version__}"
COMMON = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
APPS_SCRIPT_HOST = "script.google.com"
APPS_SCRIPT_ANSWER_HOST = "script.googleusercontent.com"


class WebhookRequest(NamedTuple):
    """What is to be sent: the same id and body at every attempt of a delivery.

    Like whatever is made anew for each delivery it is a tuple with names: a frozen class takes several times as long.
    """

    url: str
    webhook_id: str
    body: bytes
    secrets: tuple[str, ...]  # the keys that sign, as `whsec_...`: two of them for a while after a rotation
    # One more header that the company set, such as an API key. Its value is sent, and stands in no outcome.
    header: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"WebhookRequest({self.webhook_id} to {self.url})"  # neither a key nor the header's value


class Outcome(NamedTuple):
    """What came of one attempt. `reason` is a stable code (see `rules.reasons` for its words)."""

    started_at: datetime
    duration_ms: int | None
    url: str
    reason: str
    address: str | None = None
    status_code: int | None = None
    warning: str | None = None
    shape: str | None = None  # what an accepted answer looks like (`verdict.shape_of`)
    detail: str | None = None
    request_sent: bool = False
    request_headers: tuple[tuple[str, str], ...] = ()
    response_headers: tuple[tuple[str, str], ...] = ()
    response_size: int | None = None
    response_body: bytes | None = None
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it: status 200 and a body that is no HTML page."""
        return self.reason in DELIVERED_REASONS

    @property
    def final(self) -> bool:
        """Whether trying again by itself makes no sense: the address is gone, or the delivery cannot be sent at all."""
        return self.reason in ("gone", "internal_error")

    @classmethod
    def interrupted(cls, *, url: str, started_at: datetime) -> "Outcome":
        """The process died while sending: nobody knows whether the receiver got it."""
        return cls(started_at=started_at, duration_ms=None, url=url, reason="interrupted", request_sent=True)

    @classmethod
    def internal_error(cls, *, url: str, error: Exception) -> "Outcome":
        """The attempt could not be made, for a reason of our own."""
        detail = f"{type(error).__name__}: {error}"
        return cls(started_at=clock.utcnow(), duration_ms=0, url=url, reason="internal_error", detail=detail[:500])


def begin(request: WebhookRequest, egress: Egress, done: Callable[[Outcome], None]) -> None:
    """Send the request once; `done` gets what came of it, on the thread that sends.

    Every fault of the receiver is an outcome. Raises ValueError for what cannot be sent at all.
    """
    _Attempt(request, egress, done).begin()


def post(request: WebhookRequest, egress: Egress) -> Outcome:
    """Send the request once, and wait for what comes of it."""
    outcomes: SimpleQueue[Outcome] = SimpleQueue()
    begin(request, egress, outcomes.put)
    return outcomes.get()


class _Attempt:
    """One request on its way, with the hop after it where the receiver is an Apps Script."""

    def __init__(self, request: WebhookRequest, egress: Egress, done: Callable[[Outcome], None]) -> None:
        self._request, self._egress, self._done = request, egress, done
        self._started_at, self._started = clock.utcnow(), clock.monotonic()
        self._fixed = _fixed_of(request.header)
        self._signed = sign(request.webhook_id, request.body, request.secrets, at=self._started_at)

    def begin(self) -> None:
        fields = [*self._fixed.fields, *map(": ".join, self._signed.items())]
        self._egress.begin(self._request.url, fields, self._request.body, self._on_answer)

    def _on_answer(self, answer: Answer | Exception) -> None:
        hop = apps_script_hop(self._request.url, answer) if isinstance(answer, Answer) else None
        if hop is None:
            self._end(answer, was_posted=False)
            return
        left = self._egress.deadline - (clock.monotonic() - self._started)
        self._egress.begin(hop, make_fields({}), None, partial(self._end, was_posted=True), deadline=left)

    def _end(self, answer: Answer | Exception, *, was_posted: bool) -> None:
        try:
            outcome = self._outcome_of(answer, was_posted=was_posted)
        except Exception as error:
            logger.exception("An answer could not be judged.", extra={"action": "send_failed"})
            outcome = Outcome.internal_error(url=self._request.url, error=error)
        self._done(outcome)

    def _outcome_of(self, answer: Answer | Exception, *, was_posted: bool) -> Outcome:
        if isinstance(answer, Answer):
            return self._judged(_hide(self._fixed.credentials, answer))
        if not isinstance(answer, EgressError):
            raise answer
        return Outcome(
            started_at=self._started_at,
            duration_ms=self._duration_ms(),
            url=self._request.url,
            reason=_reason_after_post(answer.reason) if was_posted else answer.reason,
            address=answer.address,
            detail=blot(answer.detail, self._fixed.credentials),
            request_sent=was_posted or answer.request_sent,
            request_headers=self._request_headers(),
        )

    def _judged(self, answer: Answer) -> Outcome:
        is_asking = answer.status_code in (429, 503)
        seen = (answer.status_code, answer.body, _header(answer, "content-type"), answer.cut)
        verdict, shape = (_judge_again if len(answer.body) <= SMALL_BYTES else _judge)(*seen)
        if verdict.warning == "error_words":
            own = without_echo(answer.body, self._request.body)
            if own != answer.body:
                verdict = replace(verdict, warning=_judge(seen[0], own, *seen[2:])[0].warning)
        return Outcome(
            started_at=self._started_at,
            duration_ms=self._duration_ms(),
            url=self._request.url,
            reason=verdict.reason,
            address=answer.address,
            status_code=answer.status_code,
            warning=verdict.warning,
            shape=shape,
            request_sent=True,
            request_headers=self._request_headers(),
            response_headers=tuple(answer.headers),
            response_size=answer.body_size,
            response_body=answer.body[:KEPT_BODY_BYTES],
            retry_after=parse_retry_after(_header(answer, "retry-after"), clock.utcnow()) if is_asking else None,
        )

    def _duration_ms(self) -> int:
        return round((clock.monotonic() - self._started) * 1000)

    def _request_headers(self) -> tuple[tuple[str, str], ...]:
        return (
            ("Content-Type", COMMON["Content-Type"]),
            ("Content-Length", str(len(self._request.body))),  # libcurl's own, told here
            ("User-Agent", USER_AGENT),
            *self._signed.items(),
            *self._fixed.shown,
        )


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What is the same for every delivery of an endpoint."""

    fields: tuple[str, ...]  # as libcurl takes them
    shown: tuple[tuple[str, str], ...]  # the header that the company set, as the log may show it
    credentials: tuple[str, ...] = field(repr=False)


@lru_cache(maxsize=256)
def _fixed_of(header: tuple[str, str] | None) -> _Fixed:
    """Raises InvalidHeader."""
    fixed = dict([header]) if header else {}
    return _Fixed(
        fields=tuple(make_fields(COMMON | fixed)),
        shown=tuple((name, mask_value(value)) for name, value in fixed.items()),
        credentials=tuple(each for value in fixed.values() for each in credentials_of(value)),
    )


def _judge(status_code: int, body: bytes, content_type: str | None, cut: Cut | None) -> tuple[Verdict, str | None]:
    verdict = judge(status_code, body, content_type=content_type, cut=cut)
    return verdict, shape_of(verdict.reason, body)


_judge_again = lru_cache(maxsize=512)(_judge)  # for short answers: most receivers say the same each time


def apps_script_hop(url: str, answer: Answer) -> str | None:
    """Where a Google Apps Script web app put its answer to a POST that it has already handled.

    It answers 302 to another host, to be fetched by GET; not fetching it would count a handled POST as failed, and
    every retry would write one more row into the user's sheet
    (https://developers.google.com/apps-script/guides/content).
    """
    if answer.status_code != 302 or urlsplit(url).hostname != APPS_SCRIPT_HOST:
        return None
    location = _header(answer, "location") or ""
    try:
        target = urlsplit(urljoin(url, location))
        is_answer = target.scheme == "https" and target.hostname == APPS_SCRIPT_ANSWER_HOST
    except ValueError:
        return None
    return target.geturl() if is_answer else None


def _reason_after_post(reason: str) -> str:
    """Why the answer of an Apps Script was not fetched, in the words of one exchange: its POST was handled before.

    Words about a connection would say that nothing was sent.
    """
    if reason in ("dns_timeout", "not_connected", "tls_timeout"):  # what the script left of the time was not enough
        return "timeout"
    return reason if reason in LEAVING_DOUBT or reason == "blocked_address" else "incomplete"


def _hide(credentials: Sequence[str], answer: Answer) -> Answer:
    """The answer without the credentials that a receiver repeats: the log keeps none."""
    if not credentials:
        return answer
    headers = [(name, blot(value, credentials)) for name, value in answer.headers]
    return answer._replace(headers=headers, body=blot_body(answer.body, credentials))


def _header(answer: Answer, wanted: str) -> str | None:
    """A header of the answer, by its lower-case name; of one that was repeated the last."""
    for name, value in reversed(answer.headers):
        if name.lower() == wanted:
            return value
    return None
