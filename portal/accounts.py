"""People and access: companies, users, passwords, one-time links and API tokens."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import Connection, exists, func, select, update
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.endpoints import create_endpoint
from portal.models import AccessLink, ApiToken, Company, LoginFailure, User
from portal.vault import Vault

LINK_LIFETIME = timedelta(days=7)
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 8, 128

FAILURE_WINDOW = timedelta(minutes=15)
FREE_FAILURES = 10
"""Failed log-ins of one account from one address before it has to wait."""
ACCOUNTS_A_HOST = 5
"""So many times that number from one address, whatever the accounts: an office may share it."""

# 19 MiB and two passes: OWASP's recommendation for argon2id; the library's default takes about a second under load.
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_DUMMY_HASH = hasher.hash("an unknown account takes as long as a known one")


class InvalidAccount(ValueError):
    """An account cannot be made as given. `field` says where, `problem` is a stable code."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


class TooManyFailures(Exception):
    """Too many log-ins failed lately for this account or address."""


def is_empty(session: Session) -> bool:
    """Whether nobody can log in yet: the installation waits for its set-up."""
    return not session.scalar(select(exists().where(User.role.is_not(None))))


def get_or_create_company(session: Session, name: str, *, vault: Vault) -> Company:
    """The company of that name; a new one comes with its endpoint."""
    company = session.scalars(select(Company).where(Company.name == name)).first()
    if company is None:
        company = Company(name=name, created_at=clock.utcnow())
        session.add(company)
        session.flush()
        create_endpoint(session, company, vault=vault)
    return company


def find_company(session: Session, name: str) -> Company | None:
    """The company of that name, or None."""
    return session.scalars(select(Company).where(Company.name == name)).first()


def add_user(session: Session, company: Company, *, name: str, email: str, role: str, password: str | None) -> User:
    """Give somebody a log-in; a person who so far only owned contacts keeps them. Raises InvalidAccount."""
    email = normalise_email(email)
    if session.scalar(select(exists().where(User.email == email, User.role.is_not(None)))):
        raise InvalidAccount("email", "taken")
    user = session.scalars(select(User).where(User.company_id == company.id, User.email == email)).first()
    if user is None:
        user = User(company=company, email=email, created_at=clock.utcnow())
        session.add(user)
    user.name, user.role = name, role
    if password is not None:
        set_password(user, password)
    session.flush()
    return user


def normalise_email(email: str) -> str:
    """The address in lower case, without outer spaces. Raises InvalidAccount when it is none."""
    email = email.strip().lower()
    local, _, domain = email.partition("@")
    if not local or "." not in domain or len(email) > 254 or any(c.isspace() or not c.isprintable() for c in email):
        raise InvalidAccount("email", "not_an_email")
    return email


def set_password(user: User, password: str) -> None:
    """Set a password and end every session of the user. Raises InvalidAccount when it is too short or too long."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidAccount("password", "too_short")
    if len(password) > MAX_PASSWORD_LENGTH:
        raise InvalidAccount("password", "too_long")
    user.password_hash = hasher.hash(password)
    user.session_version = (user.session_version or 0) + 1


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
        try:
            hasher.verify(self.password_hash or _DUMMY_HASH, password[:MAX_PASSWORD_LENGTH])
        except VerificationError:
            return False
        return self.password_hash is not None


def find_log_in(session: Session, email: str, *, ip: str) -> LogIn:
    """Whom an e-mail address means.

    Raises TooManyFailures when guessing has to slow down; only guesses from the same address are slowed, so nobody can
    lock somebody else out.
    """
    email = email.strip().lower()
    failures = select(func.count()).where(LoginFailure.ip == ip, LoginFailure.at > clock.utcnow() - FAILURE_WINDOW)
    if (session.scalar(failures.where(LoginFailure.account_key == _hash(email))) or 0) >= FREE_FAILURES:
        raise TooManyFailures
    if (session.scalar(failures) or 0) >= FREE_FAILURES * ACCOUNTS_A_HOST:
        raise TooManyFailures
    user = session.scalars(
        select(User).where(User.email == email, User.role.is_not(None), User.disabled_at.is_(None))
    ).first()
    return LogIn(email, ip, user.id if user else None, user.password_hash if user else None)


def record_log_in(session: Session, log_in: LogIn, *, password: str, proven: bool) -> User | None:
    """Write down how a log-in went; returns the user when it went well. A failure counts against the next guess."""
    user = session.get(User, log_in.user_id) if log_in.user_id is not None else None
    company_id = user.company_id if user else None
    if user is None or not proven:
        session.add(LoginFailure(account_key=_hash(log_in.email), ip=log_in.ip, at=clock.utcnow()))
        audit.record(session, company_id, actor=log_in.email[:254], action="login.failed", ip=log_in.ip)
        return None
    if hasher.check_needs_rehash(log_in.password_hash or ""):
        user.password_hash = hasher.hash(password)
    audit.record(session, company_id, actor=user.email, action="login.succeeded", ip=log_in.ip)
    return user


def create_link(session: Session, *, purpose: str, user: User | None = None) -> str:
    """A one-time link's token; earlier unused links of the same purpose and user stop working."""
    now = clock.utcnow()
    session.execute(
        update(AccessLink)
        .where(
            AccessLink.purpose == purpose,
            AccessLink.user_id == (user.id if user else None),
            AccessLink.used_at.is_(None),
        )
        .values(used_at=now)
    )
    token = secrets.token_urlsafe(32)
    session.add(
        AccessLink(purpose=purpose, token_hash=_hash(token), user=user, created_at=now, expires_at=now + LINK_LIFETIME)
    )
    session.flush()
    return token


def find_link(session: Session, token: str, *, purpose: str) -> AccessLink | None:
    """The link that this token opens, if it still does."""
    return session.scalars(
        select(AccessLink)
        .where(
            AccessLink.token_hash == _hash(token),
            AccessLink.purpose == purpose,
            AccessLink.used_at.is_(None),
            AccessLink.expires_at > clock.utcnow(),
        )
        .with_for_update()
    ).first()


def create_token(session: Session, user: User, *, label: str) -> str:
    """An API token of the user's company, shown this once: `cat_<lookup>_<secret>`. Only its hash is kept."""
    lookup, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            company_id=user.company_id,
            user=user,
            label=label,
            lookup=lookup,
            secret_hash=_hash(secret),
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
    if prefix != "cat" or token is None or not hmac.compare_digest(token.secret_hash, _hash(secret)):
        return None
    if token.revoked_at or token.user.disabled_at or token.user.role is None:
        return None
    return token


def record_token_use(connection: Connection, token_id: int) -> None:
    """Note that a token was used now."""
    connection.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=clock.utcnow()))


def find_person(session: Session, company_id: int, email: str) -> User | None:
    """The company's person with this e-mail, with a log-in or without, or None."""
    return session.scalars(select(User).where(User.company_id == company_id, User.email == email.lower())).first()


def _hash(secret: str) -> str:
    """SHA-256 is enough for what is random and long; argon2 is for what people choose."""
    return hashlib.sha256(secret.encode()).hexdigest()
