"""The integration explained, for this installation: what is sent, when, what counts as delivered, how to receive it."""

from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import format_timedelta

from portal.company.endpoint import state_of
from portal.rules.payload import encode_body, sample_payload
from portal.runtime import runtime
from portal.web import access
from portal.web.presentation import company_endpoint
from portal.webhook import USER_AGENT

SNIPPETS = Path(__file__).parent.parent / "templates" / "integration" / "snippets"

bp = access.Pages("integration", __name__, url_prefix="/integration")


@bp.get("", access="member")
def index() -> ResponseReturnValue:
    """Everything a receiver has to know. The page shows only the address's host: the rest is often a password."""
    endpoint, settings = company_endpoint(), runtime().settings
    return render_template(
        "integration/index.html",
        endpoint=endpoint,
        state=state_of(endpoint),
        host=urlsplit(endpoint.url).hostname if endpoint.url else None,
        body=encode_body(sample_payload()),
        snippets=read_snippets(),
        user_agent=USER_AGENT,
        deadline_seconds=f"{settings.deadline:g}",
        pauses=[format_timedelta(delay, threshold=2) for delay in settings.retry_schedule.delays[1:]],
    )


@lru_cache(maxsize=1)
def read_snippets() -> dict[str, str]:
    """The code to paste, by file name: `verify.php`, `receive.py`, ..."""
    return {path.name.removesuffix(".txt"): path.read_text(encoding="utf-8") for path in SNIPPETS.glob("*.txt")}
