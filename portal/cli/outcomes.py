"""What came of one try, to be read in a terminal: the same sentences as on the pages."""

import shlex
from collections.abc import Iterator

from portal.models import Attempt
from portal.rules.verdict import decode
from portal.runtime import runtime
from portal.webhook import Outcome

SHOWN_CHARACTERS = 500


def lines_of_attempt(attempt: Attempt | Outcome) -> Iterator[str]:
    """The verdict in words, the facts, and the beginning of the answer. Needs an application context."""
    words = runtime().explain(attempt)
    yield f"{words.title}: {words.message}"
    if words.offer:
        yield f"To use that address: portal webhook set {shlex.quote(words.offer)}"
    status = "no answer" if attempt.status_code is None else f"answered {attempt.status_code}"
    took = "" if attempt.duration_ms is None else f" in {attempt.duration_ms} ms"
    yield f"{attempt.url}: {status}{took} ({attempt.reason})"
    if attempt.response_body:
        answer = decode(attempt.response_body)
        cut = "..." if len(answer) > SHOWN_CHARACTERS else ""
        yield answer[:SHOWN_CHARACTERS] + cut
