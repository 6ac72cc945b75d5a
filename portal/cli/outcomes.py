"""What came of one try, to be read in a terminal: the same sentences as on the pages."""

import click

from portal import reasons
from portal.cli.console import in_console_language
from portal.cli.terminal import inert
from portal.models import Attempt
from portal.runtime import runtime
from portal.webhook import Outcome

SHOWN_CHARACTERS = 500


def show_attempt(attempt: Attempt | Outcome) -> None:
    """Print the verdict in words, the facts, and the beginning of the answer. Needs an application context."""
    with in_console_language():
        words = reasons.explain(
            attempt.reason,
            status_code=attempt.status_code,
            warning=attempt.warning,
            detail=attempt.detail,
            request_sent=attempt.request_sent,
            deadline_seconds=runtime().settings.deadline,
        )
        click.echo(f"{words.title}: {words.message}")
        if words.warning:
            click.echo(words.warning)
    status = "no answer" if attempt.status_code is None else f"answered {attempt.status_code}"
    took = "" if attempt.duration_ms is None else f" in {attempt.duration_ms} ms"
    click.echo(f"{attempt.url}: {status}{took} ({attempt.reason})")
    if attempt.response_body:
        answer = attempt.response_body.decode(errors="replace")
        cut = "..." if len(answer) > SHOWN_CHARACTERS else ""
        click.echo(inert(answer[:SHOWN_CHARACTERS] + cut))
