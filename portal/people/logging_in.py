"""Logging in, and how guessing is slowed down."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor
from portal.models import LoginFailure, User
from portal.people.hashing import hash_secret
from portal.people.passwords import hasher, is_password

FAILURE_WINDOW = timedelta(minutes=15)
FREE_FAILURES = 10
"""Failed log-ins of one account from one address before it has to wait."""
ACCOUNTS_A_HOST = 5
"""So many times that number from one address, whatever the accounts: an office may share it."""


class TooManyFailures(Exception):
    """Too many log-ins failed lately for this account or address."""


@dataclass(frozen=True)
class LogIn:
    """Somebody wants in. Found with `find_log_in`, proven by `proves`, and recorded with `record_log_in`.

    Three steps, because proving takes a tenth of a second, during which no transaction should be open.
    """

    email: str
    ip: str
    user_id: int | None
    password_hash: str | None

    def proves(self, password: str) -> bool:
        """Whether that is the password. An unknown account takes as long as a known one."""
        return is_password(self.password_hash, password)


def find_log_in(session: Session, email: str, *, ip: str) -> LogIn:
    """Whom an e-mail address means.

    Raises TooManyFailures when guessing has to slow down; only guesses from the same address are slowed, so nobody can
    lock somebody else out.
    """
    email = email.strip().lower()
    slow_down(session, email, ip=ip)
    user = session.scalars(
        select(User).where(User.email == email, User.role.is_not(None), User.disabled_at.is_(None))
    ).first()
    return LogIn(email, ip, user.id if user else None, user.password_hash if user else None)


def slow_down(session: Session, account: str, *, ip: str) -> None:
    """Raise TooManyFailures when too much was tried lately from this address, for this account or for any."""
    failures = select(func.count()).where(LoginFailure.ip == ip, LoginFailure.at > clock.utcnow() - FAILURE_WINDOW)
    if (session.scalar(failures.where(LoginFailure.account_key == hash_secret(account))) or 0) >= FREE_FAILURES:
        raise TooManyFailures
    if (session.scalar(failures) or 0) >= FREE_FAILURES * ACCOUNTS_A_HOST:
        raise TooManyFailures


def record_log_in(session: Session, log_in: LogIn, *, password: str, proven: bool) -> User | None:
    """Write down how a log-in went; returns the user when it went well. A failure counts against the next guess.

    Whoever has a second factor is not in yet.
    """
    user = session.get(User, log_in.user_id) if log_in.user_id is not None else None
    company_id = user.company_id if user else None
    if user is None or not proven:
        record_failure(session, log_in.email, ip=log_in.ip)
        audit.record(session, Actor(company_id, log_in.email[:254], log_in.ip), "login.failed")
        return None
    if hasher.check_needs_rehash(log_in.password_hash or ""):
        user.password_hash = hasher.hash(password)
    if user.totp_secret is None:
        audit.record(session, Actor(company_id, user.email, log_in.ip), "login.succeeded")
    return user


def record_failure(session: Session, account: str, *, ip: str) -> None:
    """Count a wrong guess against an account and an address, and forget those that count no more."""
    now = clock.utcnow()
    session.execute(delete(LoginFailure).where(LoginFailure.at < now - FAILURE_WINDOW))
    session.add(LoginFailure(account_key=hash_secret(account), ip=ip, at=now))
