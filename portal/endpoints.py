"""A company's endpoint: its address, its secret and its state."""

import base64
import secrets

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from portal import audit, clock, outbox
from portal.circuit import Circuit
from portal.egress import CheckedAddress
from portal.models import Company, Endpoint
from portal.vault import Vault


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
    endpoint.url = url
    if endpoint.paused_reason != "manual":
        for name, value in vars(Circuit()).items():  # what happened at the old address says nothing about this one
            setattr(endpoint, name, value)
    endpoint.updated_at = clock.utcnow()
    session.info[outbox.DUE] = True
    audit.record(session, endpoint.company_id, actor=actor, action="webhook.url_set", subject=url, ip=ip)


def remove_url(session: Session, endpoint: Endpoint, *, actor: str, ip: str | None = None) -> int:
    """Send nothing any more. What waits is cancelled: it stays in the log. Returns how many deliveries that were."""
    if endpoint.url is None:
        return 0
    endpoint.url, endpoint.updated_at = None, clock.utcnow()
    audit.record(session, endpoint.company_id, actor=actor, action="webhook.url_removed", subject=None, ip=ip)
    return outbox.cancel_waiting(session, endpoint.company_id)


def state_of(endpoint: Endpoint) -> str:
    """The state as the API and the pages name it: `unset`, `active`, `failing` or `paused`."""
    return "unset" if endpoint.url is None else endpoint.state
