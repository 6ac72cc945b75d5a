"""Tokens of the API: shown once, kept as a hash, for some acts or all, for some time or for good."""

import hmac
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from sqlalchemy import Engine, String, Table, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, joinedload

from portal import audit, clock
from portal.audit import Actor
from portal.company.refusals import Refusal
from portal.database.db import looking, patience, writing
from portal.database.driver import Statement
from portal.database.filters import get_own
from portal.database.rows import given
from portal.models import ApiToken, Company, User
from portal.people.passwords import hash_secret

MOST_TOKENS = 100  # that a company has at one time
LONGEST = timedelta(days=3653)  # from today to the last day that may be asked for


class TooManyTokens(Refusal):
    """The company has as many tokens as it may."""

    code = "too_many_tokens"
    words = _l("A empresa já tem %(max)d tokens, o máximo. Revogue um que ninguém usa.", max=MOST_TOKENS)


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

    Without a `last_day`, which is one of the company's time zone, it has no end. `actor` is who makes it when that is
    somebody else. Raises TooManyTokens or NoLastDay.
    """
    if len(tokens_of(session, user.company_id)) >= MOST_TOKENS:
        raise TooManyTokens
    if last_day is not None and not timedelta(0) <= last_day - _today(user.company.timezone) <= LONGEST:
        raise NoLastDay
    lookup, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = ApiToken(company_id=user.company_id, user=user, lookup=lookup, secret_hash=hash_secret(secret))
    token.label, token.scope, token.last_day, token.created_at = label, scope, last_day, clock.utcnow()
    session.add(token)
    actor = actor or Actor(user.company_id, user.email)
    audit.record(session, actor, "token.created", subject=f"{label} ({user.email}, {scope})")
    return f"cat_{lookup}_{secret}"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token proves, with what the token is good for, as the database has it at this moment."""

    token_id: int
    company_id: int
    user_id: int
    name: str
    email: str
    role: str
    scope: str
    last_day: date | None
    last_used_at: datetime | None
    timezone: str  # the company's

    @property
    def is_over(self) -> bool:
        """Whether the token's last day is past."""
        return _is_past(self.last_day, self.timezone)


_token: Table = ApiToken.__table__  # type: ignore[assignment]
_user: Table = User.__table__  # type: ignore[assignment]
_company: Table = Company.__table__  # type: ignore[assignment]
# Asked at every call of the API: nothing is remembered, and a token is worthless from the moment it is revoked.
BEARER = Statement(
    select(
        *(_token.c.secret_hash, _token.c.id.label("token_id"), _token.c.company_id, _token.c.user_id),
        *(_user.c.name, _user.c.email, _user.c.role),
        *(_token.c.scope, _token.c.last_day, _token.c.last_used_at),
        _company.c.timezone,
    )
    .join_from(_token, _user, _user.c.id == _token.c.user_id)
    .join(_company, _company.c.id == _token.c.company_id)
    .where(_token.c.lookup == given("lookup", String()), _token.c.revoked_at.is_(None))
    .where(_user.c.disabled_at.is_(None), _user.c.role.is_not(None))
)


def find_bearer(engine: Engine, presented: str) -> Bearer | None:
    """Whom a token proves, or nobody. It reads by itself, in no transaction that others would wait for."""
    prefix, _, rest = presented.partition("_")
    lookup, _, secret = rest.partition("_")
    with looking(engine) as connection:
        rows = BEARER.all(connection, lookup=lookup)
    if prefix != "cat" or not rows:
        return None
    secret_hash, *facts = rows[0]
    return Bearer(*facts) if hmac.compare_digest(secret_hash, hash_secret(secret)) else None


def tokens_of(session: Session, company_id: int) -> Sequence[ApiToken]:
    """The company's tokens that were not revoked, newest first."""
    found = select(ApiToken).where(ApiToken.company_id == company_id, ApiToken.revoked_at.is_(None))
    return session.scalars(found.options(joinedload(ApiToken.user)).order_by(ApiToken.id.desc())).all()


get_token = partial(get_own, ApiToken)


def revoke_token(session: Session, token: ApiToken, *, actor: Actor) -> None:
    """Make a token worthless from now on."""
    if token.revoked_at is not None:
        return
    token.revoked_at = clock.utcnow()
    audit.record(session, actor, "token.revoked", subject=f"{token.label} ({token.user.email})")


def record_token_use(engine: Engine, token_id: int) -> None:
    """Note that a token was used now, in a transaction of its own that waits for nobody: the next use is noted too."""
    with suppress(OperationalError), writing(), patience(0), engine.begin() as connection:
        connection.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=clock.utcnow()))


def is_over(token: ApiToken) -> bool:
    """Whether its last day is past."""
    return _is_past(token.last_day, token.user.company.timezone)


def _is_past(last_day: date | None, timezone: str) -> bool:
    return last_day is not None and last_day < _today(timezone)


def _today(timezone: str) -> date:
    return clock.utcnow().astimezone(ZoneInfo(timezone)).date()
