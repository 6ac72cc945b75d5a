"""A company's endpoint: its address, its secret and its state."""

import base64
import random
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine, exists, select
from sqlalchemy.orm import Session

from portal import audit, clock, outbox
from portal.audit import Actor
from portal.config import Settings
from portal.egress import CheckedAddress, Egress
from portal.models import Company, Endpoint
from portal.rules.circuit import Circuit
from portal.vault import Vault
from portal.webhook import Outcome, post

OLD_SECRET_LIFETIME = timedelta(hours=24)


def is_configured(session: Session, company_id: int) -> bool:
    """Whether the company has an address to send to."""
    return bool(session.scalar(select(exists().where(Endpoint.company_id == company_id, Endpoint.url.is_not(None)))))


def get_endpoint(session: Session, company_id: int) -> Endpoint:
    """The company's endpoint; every company has one from its beginning, without an address at first."""
    return session.scalars(select(Endpoint).where(Endpoint.company_id == company_id)).one()


def create_endpoint(session: Session, company: Company, *, vault: Vault) -> Endpoint:
    """The endpoint of a new company: no address yet, and a secret of its own."""
    endpoint = Endpoint(company=company, secret=vault.encrypt(new_secret()), updated_at=clock.utcnow())
    session.add(endpoint)
    return endpoint


def new_secret() -> str:
    """A signing key in the form of Standard Webhooks: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def set_url(
    session: Session, endpoint: Endpoint, checked: CheckedAddress, *, actor: str, ip: str | None = None
) -> None:
    """Send to this address from now on, waiting deliveries included.

    The address comes checked (`Egress.check`), since checking asks the network and no transaction waits for that.
    """
    url = checked.address.url
    if url == endpoint.url:
        return
    endpoint.url, endpoint.answer_shape = url, None
    if endpoint.paused_reason not in ("manual", "restored"):
        close_circuit(endpoint)  # what happened at the old address says nothing about this one
    endpoint.updated_at = clock.utcnow()
    session.info[outbox.DUE] = True
    audit.record(session, Actor(endpoint.company_id, actor, ip), "webhook.url_set", subject=url)


def remove_url(session: Session, endpoint: Endpoint, *, actor: str, ip: str | None = None) -> int:
    """Send nothing any more. What waits is cancelled: it stays in the log. Returns how many deliveries that were."""
    if endpoint.url is None:
        return 0
    endpoint.url, endpoint.updated_at = None, clock.utcnow()
    audit.record(session, Actor(endpoint.company_id, actor, ip), "webhook.url_removed")
    return outbox.cancel_waiting(session, endpoint.company_id)


def pause(session: Session, endpoint: Endpoint, *, actor: str, ip: str | None = None) -> None:
    """Send nothing until somebody resumes; deliveries wait whole."""
    if endpoint.state == "paused":
        return
    endpoint.state, endpoint.paused_reason, endpoint.next_probe_at = "paused", "manual", None
    endpoint.updated_at = clock.utcnow()
    audit.record(session, Actor(endpoint.company_id, actor, ip), "webhook.paused")


def resume(session: Session, endpoint: Endpoint, *, actor: str, ip: str | None = None) -> None:
    """Send again, and what waits at once, level 3 first. The caller has made sure by a test that somebody is there."""
    if endpoint.state == "active":
        return
    now = clock.utcnow()
    close_circuit(endpoint)
    endpoint.updated_at = now
    outbox.release_waiting(session.connection(), endpoint.company_id, now=now)
    session.info[outbox.DUE] = True
    audit.record(session, Actor(endpoint.company_id, actor, ip), "webhook.resumed")


def rotate_secret(session: Session, endpoint: Endpoint, *, vault: Vault, actor: str, ip: str | None = None) -> str:
    """Sign with a new key from now on, and with the old one too for a day. Returns the new key, to be shown once."""
    secret, now = new_secret(), clock.utcnow()
    endpoint.old_secret, endpoint.old_secret_until = endpoint.secret, now + OLD_SECRET_LIFETIME
    endpoint.secret, endpoint.updated_at = vault.encrypt(secret), now
    audit.record(session, Actor(endpoint.company_id, actor, ip), "webhook.secret_rotated")
    return secret


def close_circuit(endpoint: Endpoint) -> None:
    """Forget the failures so far."""
    for name, value in vars(Circuit()).items():
        setattr(endpoint, name, value)


def state_of(endpoint: Endpoint) -> str:
    """The state as the API and the pages name it: `unset`, `active`, `failing` or `paused`."""
    return "unset" if endpoint.url is None else endpoint.state


@dataclass(frozen=True)
class TestSend:
    """A test that was sent and recorded: the delivery's public id, and what came of it."""

    webhook_id: str
    outcome: Outcome


def send_test(
    engine: Engine, settings: Settings, vault: Vault, egress: Egress, *, company_id: int, url: str, actor: str
) -> TestSend:
    """Send the sample once to `url`, the same way as every delivery, and record it in the log as a test.

    The caller has no transaction open: the receiver may take as long as the deadline.
    """
    with engine.begin() as connection:
        claim = outbox.enqueue_test(
            connection, company_id=company_id, url=url, actor=actor, now=clock.utcnow(), lease=settings.lease
        )
    outcome = post(outbox.request_of(claim, vault), egress)
    with engine.begin() as connection:
        rules = outbox.Rules(settings.retry_schedule, now=clock.utcnow(), jitter=random.random)
        outbox.settle(connection, [(claim, outcome)], rules)
    return TestSend(claim.webhook_id, outcome)
