"""A request and its answer as JSON tells them."""

from collections.abc import Iterable, Sequence
from typing import Any

from portal.api.protocol.fields import about
from portal.company.testing import TestSend
from portal.models import Attempt
from portal.rules.verdict import decode
from portal.runtime import runtime
from portal.webhook import Outcome

OFFER_NOTE = about("The address to use instead, where the answer gave one; null otherwise.")


def message_of(attempt: Attempt | Outcome) -> str:
    """What was seen, which rule decided, what to do."""
    return runtime().explain(attempt).message


def offer_of(attempt: Attempt | Outcome) -> str | None:
    """The address to use instead, where the answer gave one."""
    return runtime().explain(attempt).offer


def join_headers(headers: Iterable[Sequence[str]]) -> dict[str, str]:
    """Values by name, as sent or received; what was repeated is joined by a comma (RFC 9110, section 5.3)."""
    joined: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, value, *_ in headers:
        shown = names.setdefault(name.lower(), name)
        joined[shown] = f"{joined[shown]}, {value}" if shown in joined else value
    return joined


def result_of(sent: TestSend) -> dict[str, Any]:
    """A test as the API tells it, with exactly what was sent and what came back."""
    outcome = sent.outcome
    return {
        **{name: getattr(outcome, name) for name in ("delivered", "reason", "warning", "status_code", "duration_ms")},
        "message": message_of(outcome),
        "offer": offer_of(outcome),
        "request": {
            "method": "POST",
            "url": outcome.url,
            "headers": join_headers(outcome.request_headers),
            "body": decode(sent.body),
        },
        "response": response_of(outcome),
        "advice": sent.advice,
    }


def response_of(attempt: Attempt | Outcome) -> dict[str, Any] | None:
    """What came back; None when nothing did."""
    if attempt.status_code is None:
        return None
    kept, size = attempt.response_body or b"", attempt.response_size or 0
    return {
        "headers": join_headers(attempt.response_headers),
        "body": decode(kept),
        "size": size,
        "truncated": size > len(kept),
    }
