"""Companies and their people: who may log in, and as what."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor
from portal.company.endpoint import create_endpoint
from portal.database.filters import get_own
from portal.models import AccessLink, Company, Contact, User
from portal.outbox import hold_company, mark_changed
from portal.people.links import create_link, drop_links, use_link
from portal.people.logging_in import may_log_in
from portal.people.passwords import InvalidAccount, end_sessions, set_password
from portal.vault import Vault

USER_STATES = ("active", "invited", "without_login", "disabled")


def state_of(user: User) -> str:
    """One of USER_STATES: who was invited has not chosen a password yet, and comes by no proxy."""
    if not may_log_in(user):
        return "disabled" if user.role else "without_login"
    return "active" if user.password_hash or user.proxied_at else "invited"


def is_empty(session: Session) -> bool:
    """Whether nobody can log in yet: the installation waits for its set-up."""
    return not session.scalar(select(exists().where(User.role.is_not(None))))


def get_or_create_company(session: Session, name: str, *, vault: Vault) -> Company:
    """The company of that name; a new one comes with its endpoint."""
    if company := find_company(session, name):
        return company
    company = Company(name=name, created_at=clock.utcnow())
    try:
        with session.begin_nested():
            session.add(company)
    except IntegrityError:  # somebody else made it meanwhile
        return session.scalars(select(Company).where(Company.name == name)).one()
    create_endpoint(session, company, vault=vault)
    return company


def find_company(session: Session, name: str) -> Company | None:
    """The company of that name, unless it was closed, or None."""
    return session.scalars(select(Company).where(Company.name == name, Company.closed_at.is_(None))).first()


def change_company(session: Session, actor: Actor, company: Company, *, name: str, timezone: str) -> bool:
    """Give a company its name and zone. Returns False, and changes nothing, when another has the name."""
    other = find_company(session, name)
    if other is not None and other.id != company.id:
        return False
    try:
        with session.begin_nested():
            company.name, company.timezone = name, timezone
    except IntegrityError:  # another takes it this moment
        return False
    audit.record(session, actor, "company.changed", subject=timezone)
    return True


def add_user(session: Session, company: Company, *, name: str, email: str, role: str, password: str | None) -> User:
    """Give somebody a log-in; a person who so far only owned contacts keeps them. Raises InvalidAccount.

    Nobody is told before a password is chosen whether somebody of another company has the address.
    """
    email = normalise_email(email)
    hold_company(session, company.id)  # nobody else makes a person of this address meanwhile
    user = session.scalars(select(User).where(User.company_id == company.id, User.email == email)).first()
    if user is not None and user.role is not None:
        raise InvalidAccount("email", "taken")
    if user is None:
        session.add(user := User(company=company, email=email, created_at=clock.utcnow()))
    elif user.name != name:
        mark_changed(session, company.id, Contact.owner_id == user.id)
    user.name, user.role = name, role
    if password is not None:
        set_password(user, password)
    session.flush()
    return user


def set_up(
    session: Session,
    link: AccessLink,
    *,
    company: str,
    name: str,
    email: str,
    password: str,
    vault: Vault,
    ip: str | None,
) -> User:
    """Make a company and its first admin, by the link of a portal that nobody uses yet. Raises InvalidAccount."""
    made = get_or_create_company(session, company, vault=vault)
    user = add_user(session, made, name=name, email=email, role="admin", password=password)
    use_link(session, link)
    audit.record(session, Actor(made.id, user.email, ip), "company.created")
    return user


def admit(
    session: Session, company: Company, *, name: str, email: str, role: str, password: str | None, actor: Actor
) -> tuple[User, str | None]:
    """Give somebody a log-in: with this password, or by an invitation, as `invite`. Raises InvalidAccount."""
    if password is None:
        return invite(session, company, name=name, email=email, role=role, actor=actor)
    user = add_user(session, company, name=name, email=email, role=role, password=password)
    audit.record(session, actor, "user.added", subject=user.email)
    return user, None


def invite(session: Session, company: Company, *, name: str, email: str, role: str, actor: Actor) -> tuple[User, str]:
    """Give somebody a log-in, and the token of the link by which they choose a password. Raises InvalidAccount."""
    user = add_user(session, company, name=name, email=email, role=role, password=None)
    audit.record(session, actor, "user.invited", subject=f"{user.email}: {role}")
    return user, create_link(session, purpose="invitation", user=user)


def change_role(session: Session, user: User, role: str, *, actor: Actor) -> None:
    """Make somebody admin or member and end their sessions. Raises InvalidAccount for the last admin."""
    if user.role == role:
        return
    if role != "admin":
        _keep_an_admin(session, user)
    audit.record(session, actor, "user.role_changed", subject=f"{user.email}: {user.role} -> {role}")
    user.role = role
    end_sessions(user)


def change_profile(session: Session, user: User, *, name: str, language: str, timezone: str | None) -> None:
    """What somebody says of themselves. The name is in the bodies of the person's contacts."""
    if name != user.name:
        mark_changed(session, user.company_id, Contact.owner_id == user.id)
    user.name, user.locale, user.timezone = name, language, timezone


def change_password(session: Session, user: User, password: str, *, actor: Actor) -> None:
    """Set another password; every session and link of the user ends. Raises InvalidAccount."""
    set_password(user, password)
    drop_links(session, user.id)
    audit.record(session, actor, "password.changed")


def disable(session: Session, user: User, *, actor: Actor) -> None:
    """Shut somebody out at once: sessions, links and API tokens. Raises InvalidAccount for the last admin."""
    if user.disabled_at is not None:
        return
    _keep_an_admin(session, user)
    user.disabled_at, user.proxied_at = clock.utcnow(), None
    end_sessions(user)
    drop_links(session, user.id)
    audit.record(session, actor, "user.disabled", subject=user.email)


def enable(session: Session, user: User, *, actor: Actor) -> None:
    """Let somebody in again, with the password they had."""
    if user.disabled_at is None:
        return
    user.disabled_at = None
    audit.record(session, actor, "user.enabled", subject=user.email)


get_user = partial(get_own, User)


def people_of(session: Session, company_id: int) -> Sequence[User]:
    """Everybody who owns contacts or may: the company's people, by name."""
    return session.scalars(select(User).where(User.company_id == company_id).order_by(User.name, User.id)).all()


def find_person(session: Session, company_id: int, email: str) -> User | None:
    """The company's person with this e-mail, with a log-in or without, or None."""
    return session.scalars(select(User).where(User.company_id == company_id, User.email == email.lower())).first()


def normalise_email(email: str) -> str:
    """The address in lower case, without outer spaces. Raises InvalidAccount when it is none."""
    email = email.strip().lower()
    local, _, domain = email.partition("@")
    if not local or "." not in domain or len(email) > 254 or any(c.isspace() or not c.isprintable() for c in email):
        raise InvalidAccount("email", "not_an_email")
    return email


def _keep_an_admin(session: Session, user: User) -> None:
    """Raise InvalidAccount when no other admin could log in: somebody who has not chosen a password yet cannot."""
    # So two admins cannot take each other's role at the same moment.
    session.execute(select(Company.id).where(Company.id == user.company_id).with_for_update())
    others = User.company_id == user.company_id, User.id != user.id, User.role == "admin"
    may_log_in = User.disabled_at.is_(None), User.password_hash.is_not(None)
    if user.is_admin and not session.scalar(select(exists().where(*others, *may_log_in))):
        raise InvalidAccount("role", "last_admin")
