"""Links that work once: the first set-up, an invitation, a new password, another e-mail."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor
from portal.models import AccessLink, User
from portal.people.logging_in import find_user, may_log_in
from portal.people.passwords import hash_secret, set_password

LINK_LIFETIMES = {
    "setup": timedelta(days=7),
    "invitation": timedelta(days=7),
    "reset": timedelta(days=1),
    "email": timedelta(days=1),
}
PAUSE = timedelta(minutes=5)  # between two links that somebody has mailed without an admin


def create_link(
    session: Session, *, purpose: str, user: User | None = None, email: str | None = None, is_mailed: bool = False
) -> str:
    """A one-time link's token; earlier unused links of the same purpose and user stop working.

    `is_mailed`: whoever asked for it themselves has it mailed, and the next one only after PAUSE.
    """
    now = clock.utcnow()
    _use_up(session, (purpose,), user_id=user.id if user else None)
    token = secrets.token_urlsafe(32)
    link = AccessLink(purpose=purpose, token_hash=hash_secret(token), user=user, email=email, created_at=now)
    link.expires_at, link.mailed_at = now + LINK_LIFETIMES[purpose], now if is_mailed else None
    session.add(link)
    session.flush()
    return token


def issue_link(session: Session, user: User, *, actor: Actor) -> tuple[str, str]:
    """A link by which somebody chooses the first password, or another one. Returns its purpose and its token."""
    purpose = "reset" if user.password_hash else "invitation"
    audit.record(session, actor, f"{purpose}.issued", subject=user.email)
    return purpose, create_link(session, purpose=purpose, user=user)


def request_reset(session: Session, email: str, *, ip: str) -> tuple[User, str] | None:
    """The person who logs in with this address, and the token of a link for a new password, for whoever forgot it.

    None when nobody does, and when there is a link younger than PAUSE: nobody floods somebody else with mail.
    """
    user = find_user(session, email)
    if user is None or has_recent(session, user, purpose="reset"):
        return None
    audit.record(session, Actor(user.company_id, user.email, ip), "reset.requested")
    return user, create_link(session, purpose="reset", user=user, is_mailed=True)


def has_recent(session: Session, user: User, *, purpose: str) -> bool:
    """Whether a link for this was mailed to the person within the last PAUSE, as they asked for it."""
    is_theirs = AccessLink.user_id == user.id, AccessLink.purpose == purpose
    made = select(AccessLink.id).where(*is_theirs, AccessLink.mailed_at > clock.utcnow() - PAUSE)
    return session.scalars(made.limit(1)).first() is not None


def take_back(session: Session, token: str) -> None:
    """Make a link worthless whose mail did not go: another may be asked for at once."""
    is_this = AccessLink.token_hash == hash_secret(token)
    session.execute(update(AccessLink).where(is_this).values(used_at=clock.utcnow(), mailed_at=None))


def find_link(session: Session, token: str, *, purpose: str) -> AccessLink | None:
    """The link that this token opens, if it still does: a disabled person's opens nothing."""
    is_open = AccessLink.used_at.is_(None), AccessLink.expires_at > clock.utcnow()
    link = session.scalars(_select(token, purpose).where(*is_open).with_for_update()).first()
    is_shut_out = link is not None and link.user is not None and not may_log_in(link.user)
    return None if is_shut_out else link


def why_closed(session: Session, token: str, *, purpose: str) -> str | None:
    """Why a link that was ours opens nothing any more: `used`, also by a newer one, or `expired`; else None."""
    link = session.scalars(_select(token, purpose)).first()
    if link is None or (link.used_at is None and link.expires_at > clock.utcnow()):
        return None
    return "expired" if link.used_at is None else "used"


def _select(token: str, purpose: str) -> Select[AccessLink]:
    return select(AccessLink).where(AccessLink.token_hash == hash_secret(token), AccessLink.purpose == purpose)


def choose_password(session: Session, link: AccessLink, user: User, password: str, *, ip: str | None) -> None:
    """Set the password of the link's user, and use the link up. Raises InvalidAccount."""
    set_password(user, password)
    use_link(session, link)
    actor = Actor(user.company_id, user.email, ip)
    audit.record(session, actor, "password.reset" if link.purpose == "reset" else "invitation.accepted")


def use_link(session: Session, link: AccessLink) -> None:
    """Use a link up, and with it every other of the same person."""
    link.used_at = clock.utcnow()
    if link.user_id is not None:
        drop_links(session, link.user_id)


def drop_links(session: Session, user_id: int) -> None:
    """Make every unused link of this person worthless."""
    _use_up(session, ("invitation", "reset", "email"), user_id=user_id)


def _use_up(session: Session, purposes: Sequence[str], *, user_id: int | None) -> None:
    unused = AccessLink.purpose.in_(purposes), AccessLink.user_id == user_id, AccessLink.used_at.is_(None)
    session.execute(update(AccessLink).where(*unused).values(used_at=clock.utcnow()))
