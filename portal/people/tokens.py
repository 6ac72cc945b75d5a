"""Tokens of the API: shown once, kept as a hash."""

import hmac
import secrets
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, joinedload

from portal import audit, clock
from portal.audit import Actor
from portal.database.db import patience, writing
from portal.models import ApiToken, User
from portal.people.hashing import hash_secret


def create_token(session: Session, user: User, *, label: str, actor: Actor | None = None) -> str:
    """A token that may do what its user may, shown this once: `cat_<lookup>_<secret>`. Only its hash is kept.

    `actor` is who makes it when that is somebody else.
    """
    lookup, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            company_id=user.company_id,
            user=user,
            label=label,
            lookup=lookup,
            secret_hash=hash_secret(secret),
            created_at=clock.utcnow(),
        )
    )
    audit.record(
        session, actor or Actor(user.company_id, user.email), "token.created", subject=f"{label} ({user.email})"
    )
    return f"cat_{lookup}_{secret}"


def find_token(session: Session, presented: str) -> ApiToken | None:
    """The token that these characters prove, unless it was revoked or its user may no longer log in."""
    prefix, _, rest = presented.partition("_")
    lookup, _, secret = rest.partition("_")
    token = session.scalars(select(ApiToken).where(ApiToken.lookup == lookup)).first()
    if prefix != "cat" or token is None or not hmac.compare_digest(token.secret_hash, hash_secret(secret)):
        return None
    if token.revoked_at or token.user.disabled_at or token.user.role is None:
        return None
    return token


def tokens_of(session: Session, company_id: int) -> Sequence[ApiToken]:
    """The company's tokens that were not revoked, newest first."""
    return session.scalars(
        select(ApiToken)
        .where(ApiToken.company_id == company_id, ApiToken.revoked_at.is_(None))
        .options(joinedload(ApiToken.user))
        .order_by(ApiToken.id.desc())
    ).all()


def get_token(session: Session, company_id: int, token_id: int) -> ApiToken | None:
    """The token within its company, or None."""
    return session.scalars(
        select(ApiToken).where(ApiToken.company_id == company_id, ApiToken.id == token_id)
    ).one_or_none()


def revoke_token(session: Session, token: ApiToken, *, actor: Actor) -> None:
    """Make a token worthless from now on."""
    if token.revoked_at is not None:
        return
    token.revoked_at = clock.utcnow()
    subject = f"{token.label} ({token.user.email})"
    audit.record(session, actor, "token.revoked", subject=subject)


def record_token_use(engine: Engine, token_id: int) -> None:
    """Note that a token was used now, in a transaction of its own that waits for nobody: the next use is noted too."""
    with suppress(OperationalError), writing(), patience(0), engine.begin() as connection:
        connection.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=clock.utcnow()))
