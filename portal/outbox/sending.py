"""Sending a claimed delivery once, for workers and tests alike. No transaction is open meanwhile."""

import logging
from collections.abc import Callable
from queue import SimpleQueue

from portal import webhook
from portal.egress import Egress
from portal.outbox.claims import Claim
from portal.vault import Vault, WrongKey
from portal.webhook import Outcome, WebhookRequest

logger = logging.getLogger(__name__)


def request_of(claim: Claim, vault: Vault) -> WebhookRequest:
    """What is sent for a claim, a test's or any other."""
    company_id = claim.company_id
    keys = tuple(vault.open(secret, purpose="webhook_secret", company_id=company_id) for secret in claim.secrets)
    header = None
    if claim.header:
        name, sealed = claim.header
        header = name, vault.open(sealed, purpose="webhook_header", company_id=company_id)
    return WebhookRequest(url=claim.url, webhook_id=claim.webhook_id, body=claim.body, secrets=keys, header=header)


def begin(claim: Claim, vault: Vault, egress: Egress, done: Callable[[Outcome], None]) -> None:
    """Send a delivery once; `done` gets what came of it, on the thread that sends.

    What is wrong with it on our own side is an outcome too. Raises WrongKey.
    """
    try:
        webhook.begin(request_of(claim, vault), egress, done)
    except WrongKey:
        raise
    except Exception as error:  # whatever is wrong with one delivery, the sender lives on and the log says it
        logger.exception("A delivery could not be sent.", extra={"action": "send_failed", "delivery": claim.webhook_id})
        done(Outcome.internal_error(url=claim.url, error=error))


def send(claim: Claim, vault: Vault, egress: Egress) -> Outcome:
    """Send a delivery once, and wait for what comes of it. Raises WrongKey."""
    outcomes: SimpleQueue[Outcome] = SimpleQueue()
    begin(claim, vault, egress, outcomes.put)
    return outcomes.get()
