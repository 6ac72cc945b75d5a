"""Tokens of the API: shown once, kept as a hash, for some acts or all, for some time or for good."""

import hmac
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, joinedload

from portal import audit, clock
from portal.audit import Actor
from portal.company.refusals import Refusal
from portal.database.db import patience, writing
from portal.models import ApiToken, User
from portal.people.hashing import hash_secret

MOST_TOKENS = 100
"""That a company has at one time."""
LONGEST = timedelta(days=3653)
"""From today to the last day that may be asked for."""


class TooManyTokens(Refusal):
    """The company has as many tokens as it may."""

    code = "too_many_tokens"
    words = _l("A empresa já tem %(max)d tokens, o máximo. Revogue um que ninguém usa.")

    @property
    def sentence(self) -> str:
        return super().sentence % {"max": MOST_TOKENS}


class NoLastDay(Refusal):
    """That day is past, or too far away."""

    code = "no_last_day"
    words = _l("O último dia precisa ser hoje ou depois, e dentro de dez anos.")


def create_token(
    session: Session,
    user: User,
    *,
    label: str,
    scope: str = "manage",
    last_day: date | None = None,
    actor: Actor | None = None,
) -> str:
    """A token that may do what its scope and its user may, shown this once: `cat_<lookup>_<secret>`.

    Only its hash is kept. Without a `last_day`, which is one of the company's time zone, it has no end. `actor` is who
    makes it when that is somebody else. Raises TooManyTokens or NoLastDay.
    """
    if len(tokens_of(session, user.company_id)) >= MOST_TOKENS:
        raise TooManyTokens
    if last_day is not None and not timedelta(0) <= last_day - _today(user) <= LONGEST:
        raise NoLastDay
    lookup, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            company_id=user.company_id,
            user=user,
            label=label,
            lookup=lookup,
            secret_hash=hash_secret(secret),
            scope=scope,
            last_day=last_day,
            created_at=clock.utcnow(),
        )
    )
    subject = f"{label} ({user.email}, {scope})"
    audit.record(session, actor or Actor(user.company_id, user.email), "token.created", subject=subject)
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


def is_over(token: ApiToken) -> bool:
    """Whether its last day is past."""
    return token.last_day is not None and token.last_day < _today(token.user)


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


def _today(user: User) -> date:
    return clock.utcnow().astimezone(ZoneInfo(user.company.timezone)).date()
