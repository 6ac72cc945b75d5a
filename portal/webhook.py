"""One POST of one body to one address: sign, send, judge. Knows no database and no Flask."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urljoin, urlsplit

from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from portal import clock
from portal.egress import Answer, Egress, EgressError
from portal.rules.credentials import blot, blot_body, credentials_of, mask_value
from portal.rules.retry import parse_retry_after
from portal.rules.signing import sign
from portal.rules.verdict import DELIVERED_REASONS, judge, shape_of
from portal.version import __version__

KEPT_BODY_BYTES = 16 * 1024
USER_AGENT = f"Catacliente-Portal/{__version__}"

APPS_SCRIPT_HOST = "script.google.com"
APPS_SCRIPT_ANSWER_HOST = "script.googleusercontent.com"


@dataclass(frozen=True, kw_only=True)
class WebhookRequest:
    """What is to be sent: the same id and body at every attempt of a delivery."""

    url: str
    webhook_id: str
    body: bytes
    secrets: tuple[str, ...]
    """The keys that sign, as `whsec_...`: two of them for a while after a rotation."""
    header: tuple[str, str] | None = field(default=None, repr=False)
    """One more header that the company set, such as an API key. Its value is sent, and stands in no outcome."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one attempt. `reason` is a stable code (see `rules.reasons` for its words)."""

    started_at: datetime
    duration_ms: int | None
    url: str
    reason: str
    address: str | None = None
    status_code: int | None = None
    warning: str | None = None
    shape: str | None = None
    """What an accepted answer looks like (`verdict.shape_of`)."""
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


def post(request: WebhookRequest, egress: Egress) -> Outcome:
    """Send the request once and judge the answer. Every fault of the receiver is an outcome, none an exception."""
    started_at, started = clock.utcnow(), clock.monotonic()
    fixed = dict([request.header]) if request.header else {}
    credentials = [each for value in fixed.values() for each in credentials_of(value)]
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(request.body)),
        "User-Agent": USER_AGENT,
        **sign(request.webhook_id, request.body, request.secrets, at=started_at),
        **fixed,
    }
    shown = headers | {name: mask_value(value) for name, value in fixed.items()}

    def outcome(reason: str, **facts: object) -> Outcome:
        duration_ms = round((clock.monotonic() - started) * 1000)
        return Outcome(
            started_at=started_at,
            duration_ms=duration_ms,
            url=request.url,
            reason=reason,
            request_headers=tuple(shown.items()),
            **facts,  # type: ignore[arg-type]
        )

    was_posted = False
    try:
        answer = egress.send(_prepare("POST", request.url, headers=headers, body=request.body))
        was_posted = True
        hop = apps_script_hop(request.url, answer)
        if hop:
            answer = egress.send(_prepare("GET", hop), deadline=egress.deadline - (clock.monotonic() - started))
    except EgressError as error:
        is_sent = was_posted or error.request_sent
        return outcome(
            error.reason, detail=blot(error.detail, credentials), address=error.address, request_sent=is_sent
        )
    answer = _hide(credentials, answer)
    fields = CaseInsensitiveDict(answer.headers)
    verdict = judge(answer.status_code, answer.body, content_type=fields.get("Content-Type"), cut=answer.cut)
    return outcome(
        verdict.reason,
        warning=verdict.warning,
        shape=shape_of(verdict.reason, answer.body),
        status_code=answer.status_code,
        address=answer.address,
        request_sent=True,
        response_headers=tuple(answer.headers),
        response_size=answer.body_size,
        response_body=answer.body[:KEPT_BODY_BYTES],
        retry_after=_retry_after(answer.status_code, fields.get("Retry-After")),
    )


def apps_script_hop(url: str, answer: Answer) -> str | None:
    """Where a Google Apps Script web app put its answer to a POST that it has already handled.

    It answers 302 to another host, to be fetched by GET; not fetching it would count a handled POST as failed, and
    every retry would write one more row into the user's sheet
    (https://developers.google.com/apps-script/guides/content).
    """
    if answer.status_code != 302 or urlsplit(url).hostname != APPS_SCRIPT_HOST:
        return None
    location = CaseInsensitiveDict(answer.headers).get("Location", "")
    try:
        target = urlsplit(urljoin(url, location))
        is_answer = target.scheme == "https" and target.hostname == APPS_SCRIPT_ANSWER_HOST
    except ValueError:
        return None
    return target.geturl() if is_answer else None


def _hide(credentials: Sequence[str], answer: Answer) -> Answer:
    """The answer without the credentials that a receiver repeats: the log keeps none."""
    headers = [(name, blot(value, credentials)) for name, value in answer.headers]
    return replace(answer, headers=headers, body=blot_body(answer.body, credentials))


def _prepare(
    method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes | None = None
) -> PreparedRequest:
    """A request taken as it is: `Request.prepare` would parse the address again, by other rules than the guard's."""
    prepared = PreparedRequest()
    prepared.method, prepared.url, prepared.body = method, url, body
    prepared.headers = CaseInsensitiveDict(headers or {})
    return prepared


def _retry_after(status_code: int, value: str | None) -> timedelta | None:
    return parse_retry_after(value, clock.utcnow()) if status_code in (429, 503) else None
