"""The inspector: an address of the portal's own, where a company sees what a receiver gets, and whether it is signed.

Anybody may post to it who knows its token. It keeps the last requests for a day and sends nothing on.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers

from portal import audit
from portal.audit import Actor
from portal.models import Company, Endpoint
from portal.outbox import signing_secrets
from portal.rules.signing import Signature, check_signature, make_verifier
from portal.vault import SecretError, Vault
from portal.working_models import InspectedRequest

MAX_BODY_BYTES = 1024 * 1024
KEPT_BODY_BYTES = 64 * 1024
KEPT_REQUESTS = 50
KEPT_FOR = timedelta(days=1)
MAX_A_MINUTE = 30  # at one address; it is less than what is kept, so that what is kept can be counted
MAX_HEADERS, MAX_HEADER_LENGTH = 60, 2000
# Headers that open something somewhere: that they came is shown, what they hold is not.
NEVER_KEPT = ("cookie", "authorization", "proxy-authorization")


def open_inspector(session: Session, company: Company, actor: Actor) -> None:
    """Give the company an address, when it has none."""
    session.refresh(company, with_for_update=True)
    if company.inspector_token is None:
        company.inspector_token = secrets.token_urlsafe(24)
        audit.record(session, actor, "inspector.opened")


def close_inspector(session: Session, company: Company, actor: Actor) -> None:
    """Take the address away, with what arrived there."""
    session.refresh(company, with_for_update=True)
    if company.inspector_token is not None:
        company.inspector_token = None
        session.execute(delete(InspectedRequest).where(InspectedRequest.company_id == company.id))
        audit.record(session, actor, "inspector.closed")


def find_company(session: Session, token: str) -> Company | None:
    """Whose address that is, or None."""
    return session.scalars(select(Company).where(Company.inspector_token == token)).first()


def is_too_busy(session: Session, company_id: int, *, now: datetime) -> bool:
    """Whether so much arrived in the last minute that no more is taken."""
    lately = InspectedRequest.company_id == company_id, InspectedRequest.received_at > now - timedelta(minutes=1)
    return (session.scalar(select(func.count()).where(*lately)) or 0) >= MAX_A_MINUTE


def take(
    session: Session, company_id: int, *, headers: Headers, body: bytes, vault: Vault, now: datetime
) -> InspectedRequest:
    """Keep a request that arrived, with what its signature is worth now: that cannot be told later."""
    kept = [
        [name, "…" if name.lower() in NEVER_KEPT else value.replace("\0", "\ufffd")[:MAX_HEADER_LENGTH]]
        for name, value in headers
    ]
    received = InspectedRequest(
        company_id=company_id,
        signature=_signature_of(session, company_id, headers, body, vault=vault, now=now),
        headers=kept[:MAX_HEADERS],
        body=body[:KEPT_BODY_BYTES],
        size=len(body),
        received_at=now,
    )
    session.add(received)
    session.flush()
    of_company = InspectedRequest.company_id == company_id
    newest = select(InspectedRequest.id).where(of_company).order_by(InspectedRequest.id.desc())
    oldest_kept = newest.limit(1).offset(KEPT_REQUESTS - 1).scalar_subquery()
    session.execute(delete(InspectedRequest).where(of_company, InspectedRequest.id < oldest_kept))
    return received


def requests_of(session: Session, company_id: int, *, now: datetime, after: int = 0) -> Sequence[InspectedRequest]:
    """What arrived within a day, newest first; with `after` only what came later than that one."""
    is_meant = InspectedRequest.company_id == company_id, InspectedRequest.received_at > now - KEPT_FOR
    found = select(InspectedRequest).where(*is_meant, InspectedRequest.id > after)
    return session.scalars(found.order_by(InspectedRequest.id.desc())).all()


def clear(session: Session, company_id: int) -> None:
    """Forget what arrived."""
    session.execute(delete(InspectedRequest).where(InspectedRequest.company_id == company_id))


def forget_old(connection: Connection, *, now: datetime) -> None:
    """Remove what every company's address got more than a day ago: it may hold personal data."""
    connection.execute(delete(InspectedRequest).where(InspectedRequest.received_at <= now - KEPT_FOR))


def _signature_of(
    session: Session, company_id: int, headers: Headers, body: bytes, *, vault: Vault, now: datetime
) -> Signature:
    """By the company's key, and by its old one while that signs too."""
    endpoint = session.scalars(select(Endpoint).where(Endpoint.company_id == company_id)).one()
    try:
        stored = signing_secrets(endpoint, now=now)
        keys = [vault.open(secret, purpose="webhook_secret", company_id=company_id) for secret in stored]
    except SecretError:  # a sender of requests cannot mend that; the company's deliveries say it
        return "unchecked"
    verdicts = [check_signature(make_verifier(key), headers, body) for key in keys]
    return "valid" if "valid" in verdicts else verdicts[0]
