"""Logging in, and how guessing is slowed down."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor, Stranger
from portal.models import User
from portal.people.passwords import hash_password, hash_secret, hasher, is_password
from portal.working_models import LoginFailure

FAILURE_WINDOW = timedelta(minutes=15)
FREE_FAILURES = 10  # failed log-ins of one account from one address before it has to wait
ACCOUNTS_A_HOST = 5  # so many times that number from one address, whatever the accounts: an office may share it


class TooManyFailures(Exception):
    """Too many log-ins failed lately for this account or address."""


@dataclass(frozen=True)
class LogIn:
    """Somebody wants in. Found with `find_log_in`, proven by `proves`, and recorded with `record_log_in`.

    Three steps, because proving takes a tenth of a second, during which no transaction should be open.
    """

    email: str
    ip: str
    guess: int  # its number among the guesses that were counted
    user_id: int | None
    password_hash: str | None

    def proves(self, password: str) -> bool:
        """Whether that is the password. An unknown account takes as long as a known one."""
        return is_password(self.password_hash, password)


def find_log_in(session: Session, email: str, *, ip: str) -> LogIn:
    """Whom an e-mail address means. It counts as a guess: the caller commits before it is proven.

    Raises TooManyFailures when guessing from the same address has to slow down: nobody locks somebody else out.
    """
    email = email.strip().lower()
    guess = count_guess(session, email, ip=ip)
    user = find_user(session, email)
    return LogIn(email, ip, guess, user.id if user else None, user.password_hash if user else None)


def find_user(session: Session, email: str) -> User | None:
    """Who may log in with this address; who has a password goes before others' invitations to the same address."""
    return session.scalars(_who_may(email).order_by(User.password_hash.is_(None), User.id).limit(1)).first()


def find_proxied(session: Session, email: str) -> User | None:
    """Whom a trusted proxy means by this address: the one it has meant before, else the only one of that address.

    Of several it means none until the person has shown which one: another company can invite any address, and choose
    the password for its own invitation.
    """
    found = session.scalars(_who_may(email)).all()
    meant = [user for user in found if user.proxied_at is not None] or found
    return meant[0] if len(meant) == 1 else None


def enter_proxied(session: Session, email: str, *, ip: str | None) -> User | None:
    """Record that a trusted proxy lets this address in. Returns whom it means, read anew; None for nobody."""
    user = find_proxied(session, email)
    if user is None:
        return None
    user_id = user.id
    with audit.aside(session) as own:
        user = own.get_one(User, user_id)
        keep_for_proxy(own, user)
        audit.record(own, Actor(user.company_id, user.email, ip), "login.proxied")
    return session.get_one(User, user_id)


def keep_for_proxy(session: Session, user: User) -> None:
    """Let a trusted proxy that says this user's address mean this user from now on, unless it means somebody else.

    The caller knows that the proxy says it now, and that the person there may be this user.
    """
    if user.proxied_at is None and find_proxied(session, user.email) in (None, user):
        user.proxied_at = clock.utcnow()


def count_guess(session: Session, account: str, *, ip: str, anywhere: bool = False) -> int:
    """Count a guess before it is checked, so that none of many at once goes uncounted. Returns its number.

    The caller commits, then checks, and calls `forget_guess` for a right one. Raises TooManyFailures when too much was
    tried lately from this address, for this account or for any; with `anywhere`, for this account from any address.
    """
    network, now, key = network_of(ip), clock.utcnow(), hash_secret(account)
    if session.get_bind().dialect.name == "postgresql":  # SQLite lets one write at a time in any case
        turn = int(hash_secret(key if anywhere else network)[:15], 16)
        session.execute(select(func.pg_advisory_xact_lock(turn)))
    old = select(LoginFailure.id).where(LoginFailure.at < now - FAILURE_WINDOW).with_for_update(skip_locked=True)
    session.execute(delete(LoginFailure).where(LoginFailure.id.in_(session.scalars(old).all())))
    lately = select(func.count()).where(LoginFailure.at > now - FAILURE_WINDOW)
    near = lately if anywhere else lately.where(LoginFailure.ip == network)
    if (session.scalar(near.where(LoginFailure.account_key == key)) or 0) >= FREE_FAILURES:
        raise TooManyFailures
    if not anywhere and (session.scalar(near) or 0) >= FREE_FAILURES * ACCOUNTS_A_HOST:
        raise TooManyFailures
    guess = LoginFailure(account_key=key, ip=network, at=now)
    session.add(guess)
    session.flush()
    return guess.id


def forget_guess(session: Session, number: int) -> None:
    """A right guess counts against nobody."""
    session.execute(delete(LoginFailure).where(LoginFailure.id == number))


def network_of(ip: str) -> str:
    """What guesses are counted by: an IPv4 address, and of IPv6 the /64, of which one host has as many as it likes."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((int(address) >> 64 << 64, 64)).network_address)
    return str(getattr(address, "ipv4_mapped", None) or address)


def may_log_in(user: User) -> bool:
    """Whether somebody has a role and was not shut out; who was invited may, once a password is chosen."""
    return user.role is not None and user.disabled_at is None


def _who_may(email: str) -> Select[User]:
    return select(User).where(User.email == email, User.role.is_not(None), User.disabled_at.is_(None))


def record_log_in(session: Session, log_in: LogIn, *, password: str, proven: bool) -> User | None:
    """Write down how a log-in went; returns the user when the password was right. A failure stays counted."""
    user = session.get(User, log_in.user_id) if log_in.user_id is not None else None
    if user is None:
        audit.record(session, Stranger(log_in.email[:254], log_in.ip), "login.failed")
        return None
    actor = Actor(user.company_id, user.email, log_in.ip)
    if not proven:
        audit.record(session, actor, "login.failed")
        return None
    forget_guess(session, log_in.guess)
    if hasher.check_needs_rehash(log_in.password_hash or ""):
        user.password_hash = hash_password(password)
    if user.totp_secret is None:
        audit.record(session, actor, "login.succeeded")
    return user


def record_confirmation(session: Session, log_in: LogIn, actor: Actor, *, proven: bool) -> None:
    """Write down whether somebody who is in knew the own password when asked once more. A failure stays counted."""
    if proven:
        forget_guess(session, log_in.guess)
    else:
        audit.record(session, actor, "password.refused")
