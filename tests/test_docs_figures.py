"""What the pages promise in numbers is what the portal keeps to, and how long it keeps it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from portal.api.protocol import access
from portal.cli import connections
from portal.company import asking, inspector
from portal.database.db import BUSY_TIMEOUT_SECONDS
from portal.importing import examining
from portal.people import logging_in, passwords, tokens
from portal.people.links import LINK_LIFETIMES
from portal.privacy.retention import PAGES_AT_ONCE
from portal.views.imports import MAX_FILE_BYTES
from portal.web import bodies, sessions

DOCS = Path(__file__).parent.parent / "docs"
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
KIB, MIB = 1024, 1024 * 1024
PROMISES: Mapping[str, tuple[str, ...]] = {
    "api.md": (f"may call {access.CALLS_AT_ONCE} times at once and {access.CALLS_A_SECOND} times a second",),
    "importing.md": (f"up to {MAX_FILE_BYTES // MIB} MB",),
    "people.md": (
        f"chooses a password within {LINK_LIFETIMES['invitation'] // DAY} days",
        f"mails a link, good for one use within {LINK_LIFETIMES['reset'] // HOUR} hours. Its",
        f"mails a link, good for one use within {LINK_LIFETIMES['email'] // HOUR} hours, to the new address",
        f"{passwords.MIN_PASSWORD_LENGTH} to {passwords.MAX_PASSWORD_LENGTH} characters of any kind",
        f"after {sessions.IDLE_LIFETIME // HOUR} hours without use and after {sessions.WHOLE_LIFETIME // DAY} days",
        f"wrong guesses within {logging_in.FAILURE_WINDOW // MINUTE} minutes",
        f"has at most {tokens.MOST_TOKENS} tokens at a time",
    ),
    "personal-data.md": (f"shrinks too, {PAGES_AT_ONCE * 4 // 1000} MB at a time",),
    "security.md": (
        f"{logging_in.FREE_FAILURES} wrong guesses in {logging_in.FAILURE_WINDOW // MINUTE} minutes for an account and "
        f"{logging_in.FREE_FAILURES * logging_in.ACCOUNTS_A_HOST} for an address",
        f"share {asking.MAX_A_MINUTE} a minute for a company",
        f"{connections.MOST_CONNECTIONS}, or half of its descriptors",
        f"{connections.SILENT_SECONDS} seconds of silence end one",
        f"{connections.READERS} for requests that read, {connections.WRITERS} for those that may write",
        f"{BUSY_TIMEOUT_SECONDS} seconds for a request in all",
        f"{bodies.FORM_BYTES / KIB:g} KiB; {inspector.MAX_BODY_BYTES / MIB:g} MiB at the inspector's address; "
        f"{bodies.CALL_BYTES / MIB:g} MiB for contacts saved with a token; {MAX_FILE_BYTES / MIB:g} MiB for a file",
        f"{access.CALLS_AT_ONCE} calls at once and {access.CALLS_A_SECOND} a second for each token; "
        f"{tokens.MOST_TOKENS} tokens, {examining.MOST_UNFINISHED} files that wait, "
        f"{inspector.KEPT_REQUESTS} inspected requests",
    ),
}
"""By page, with the portal's own numbers."""


@pytest.mark.parametrize("page", PROMISES)
def test_a_number_that_a_page_promises_is_the_portal_s(page: str) -> None:
    said = " ".join((DOCS / page).read_text().split())
    assert [promise for promise in PROMISES[page] if promise not in said] == []
