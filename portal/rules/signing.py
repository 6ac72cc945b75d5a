"""Signatures after Standard Webhooks 1.0: made, and checked."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Literal

from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.datastructures import Headers

SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
Signature = Literal["valid", "invalid", "unsigned", "unchecked"]


def sign(webhook_id: str, body: bytes, secrets: Sequence[str], *, at: datetime) -> dict[str, str]:
    """Returns the three headers that sign `body` with every one of `secrets` (`whsec_...`).

    Raises ValueError for a body that is not in ASCII: the contract has none.
    """
    if not body.isascii():
        raise ValueError("a body that is not in ASCII is not signed")
    seconds, signatures = str(int(at.timestamp())), []
    for secret in secrets:
        begun = _begun_with(secret).copy()
        begun.update(f"{webhook_id}.{seconds}.".encode() + body)
        signatures.append(f"v1,{b64encode(begun.digest()).decode()}")
    return dict(zip(SIGNATURE_HEADERS, (webhook_id, seconds, " ".join(signatures)), strict=True))


@lru_cache(maxsize=256)
def _begun_with(secret: str) -> hmac.HMAC:
    """The key is taken in once, and not for each delivery, which takes half of the time of a short text."""
    return hmac.new(b64decode(secret.removeprefix("whsec_")), digestmod="sha256")


def check_signature(verifier: Webhook | None, headers: Headers, body: bytes) -> Signature:
    """Whether a request that has just arrived was signed with the verifier's key, within the last minutes."""
    if verifier is None:
        return "unchecked"
    if not any(name in headers for name in SIGNATURE_HEADERS):
        return "unsigned"
    given = {name: headers.get(name, "") for name in SIGNATURE_HEADERS}
    try:
        verifier.verify(body.decode(), given, json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: text that is no UTF-8, no base64, no pair
        return "invalid"
    return "valid"


def make_verifier(secret: str) -> Webhook:
    """What checks signatures of that key. Raises ValueError when it is none."""
    try:
        return Webhook(secret)
    except Exception as error:  # the library raises several kinds, none of them a common one
        raise ValueError("the secret is not a Standard Webhooks secret; it looks like whsec_ and base64.") from error
