"""A notice in a chat: the letter's words, in the body that the address's host takes."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from requests import RequestException, Session

from portal.company.chat import read_address
from portal.rules.credentials import blot
from portal.rules.services import is_under
from portal.vault import SecretError, Vault
from portal.working_models import Chat

MOST_CHARACTERS = 1900  # Discord takes 2000, all others more
TIMEOUT_SECONDS = 10
SECRET_LENGTH = 6  # parts of the address from this length on may be its key, which some hosts repeat when they refuse
UNREADABLE = "unreadable"  # what a ChatError says when the stored address cannot be opened any more
PLAIN = str.maketrans("<>", "‹›")  # `<!channel>` or `<users/all>` would call everybody, whoever wrote it


class ChatError(Exception):
    """The chat did not take a message: a status with the chat's words, a reason code with a detail, or `UNREADABLE`.

    `permanent` when it will not take it later either.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


def post_to_chat(session: Session, chat: Chat, text: str, *, vault: Vault) -> None:
    """Post a text to a chat. The caller has no transaction open: a host may be slow. Raises ChatError."""
    try:
        url = read_address(chat, vault)
        response = session.post(url, json=make_message(url, text), timeout=TIMEOUT_SECONDS, allow_redirects=False)
    except SecretError as error:
        raise ChatError(UNREADABLE, permanent=True) from error
    except RequestException as error:
        raise ChatError(str(error)) from error
    if not 200 <= response.status_code < 300:
        is_refused = response.status_code < 500 and response.status_code not in (408, 429)
        words = blot(" ".join(response.text.split()), secrets_of(url))[:100]
        raise ChatError(f"{response.status_code} {words}".strip(), permanent=is_refused)


def secrets_of(url: str) -> list[str]:
    """The parts of the address that may be its key, in the forms in which a host may repeat them, the longest first."""
    path, query = urlsplit(url)[2:4]
    written = [path, query, *re.split(r"[/?&=]", f"{path}?{query}")]
    found = {form for each in written for form in (each, unquote(each), each.replace("/", "\\/"))}
    return sorted((each for each in found if len(each) >= SECRET_LENGTH), key=len, reverse=True)


def make_message(url: str, text: str) -> dict[str, Any]:
    """The message as JSON, made for the host of its address."""
    text = text.strip()[:MOST_CHARACTERS].translate(PLAIN)
    host = urlsplit(url).hostname or ""
    for domains, make in _MAKERS:
        if is_under(host, domains):
            return make(text)
    return {"text": text}  # Slack, Google Chat, Mattermost, Rocket.Chat, Zulip's Slack form, and others


def _for_discord(text: str) -> dict[str, Any]:
    return {"content": text, "allowed_mentions": {"parse": []}}


def _for_teams(text: str) -> dict[str, Any]:
    """An Adaptive Card, as the workflow "Post to a channel when a webhook request is received" takes it."""
    blocks = [{"type": "TextBlock", "text": part, "wrap": True} for part in text.split("\n\n")]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content_type, "content": card}]}


_MAKERS: tuple[tuple[tuple[str, ...], Callable[[str], dict[str, Any]]], ...] = (
    (("discord.com", "discordapp.com"), _for_discord),
    (("webhook.office.com", "logic.azure.com", "powerplatform.com", "powerautomate.com"), _for_teams),
)
