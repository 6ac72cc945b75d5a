"""Another e-mail for somebody: asked for by themselves or an admin, and confirmed by who opens the link sent there.

Nobody is told before that whether somebody has the address, as with invitations.
"""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.models import AccessLink, Contact, User
from portal.outbox import mark_changed
from portal.people.links import create_link, drop_links, has_recent, issue_link
from portal.people.logging_in import may_log_in
from portal.people.passwords import InvalidAccount, end_sessions, is_taken
from portal.people.users import normalise_email


def ask(session: Session, user: User, email: str, *, actor: Actor) -> str:
    """The token of the link by which the person, logged in, confirms another e-mail. Raises InvalidAccount.

    Who asks for themselves does so once in a while only: the link is mailed to an address that they name.
    """
    email = _read_other(user, email)
    is_own = actor.email == user.email
    if is_own and has_recent(session, user, purpose="email"):
        raise InvalidAccount("email", "too_soon")
    audit.record(session, actor, "email.change_asked", subject=f"{user.email} -> {email}")
    return create_link(session, purpose="email", user=user, email=email, is_mailed=is_own)


def confirm(session: Session, link: AccessLink, *, actor: Actor) -> str:
    """Give the link's person the e-mail that it holds. Returns the old one. Raises InvalidAccount."""
    if link.user is None or link.email is None:
        raise InvalidAccount("email", "not_an_email")
    return change(session, link.user, link.email, actor=actor)


def change_for(session: Session, user: User, email: str, *, actor: Actor) -> tuple[str, str] | None:
    """What an admin does for somebody: at once for who has no password, else by a link that the person confirms.

    Returns the purpose and the token of the link to hand over: `email`, or a new `invitation`; None for who does not
    log in. Raises InvalidAccount.
    """
    if user.password_hash is not None:
        return "email", ask(session, user, email, actor=actor)
    change(session, user, email, actor=actor)
    token = renew_invitation(session, user, actor=actor)
    return None if token is None else ("invitation", token)


def renew_invitation(session: Session, user: User, *, actor: Actor) -> str | None:
    """The token of a new invitation for who has not accepted the one to the old address; None for anybody else."""
    if user.password_hash is not None or not may_log_in(user):
        return None
    return issue_link(session, user, actor=actor)[1]


def change(session: Session, user: User, email: str, *, actor: Actor) -> str:
    """Give somebody another e-mail, and end their sessions and links. Returns the old one. Raises InvalidAccount."""
    email, old = _read_other(user, email), user.email
    _refuse_taken(session, user, email)
    mark_changed(session, user.company_id, Contact.owner_id == user.id)
    try:
        with session.begin_nested():
            user.email, user.proxied_at = email, None
    except IntegrityError as error:  # somebody else took it this moment
        raise InvalidAccount("email", "taken") from error
    end_sessions(user)
    drop_links(session, user.id)
    audit.record(session, actor, "email.changed", subject=f"{old} -> {email}")
    return old


def _read_other(user: User, email: str) -> str:
    email = normalise_email(email)
    if email == user.email:
        raise InvalidAccount("email", "unchanged")
    return email


def _refuse_taken(session: Session, user: User, email: str) -> None:
    is_here = User.email == email, User.id != user.id, User.company_id == user.company_id
    other = session.scalars(select(User).where(*is_here)).first()
    if other is not None:
        raise InvalidAccount("email", "taken_here" if other.role else "owns_contacts")
    if user.role and user.password_hash and is_taken(user, email):
        raise InvalidAccount("email", "taken")
