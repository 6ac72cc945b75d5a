"""Tokens of the API: shown once, kept as a hash."""

import hmac
import secrets

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.accounts.hashing import hash_secret
from portal.models import ApiToken, User


def create_token(session: Session, user: User, *, label: str) -> str:
    """An API token of the user's company, shown this once: `cat_<lookup>_<secret>`. Only its hash is kept."""
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
    audit.record(session, user.company_id, actor=user.email, action="token.created", subject=label)
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


def record_token_use(connection: Connection, token_id: int) -> None:
    """Note that a token was used now."""
    connection.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=clock.utcnow()))
