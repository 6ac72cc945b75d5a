"""Links that work once: the first set-up, an invitation, a new password."""

import secrets
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal import clock
from portal.accounts.hashing import hash_secret
from portal.models import AccessLink, User

LINK_LIFETIMES = {"setup": timedelta(days=7), "invitation": timedelta(days=7), "reset": timedelta(days=1)}


def create_link(session: Session, *, purpose: str, user: User | None = None) -> str:
    """A one-time link's token; earlier unused links of the same purpose and user stop working."""
    now = clock.utcnow()
    _use_up(session, purpose=purpose, user_id=user.id if user else None)
    token = secrets.token_urlsafe(32)
    session.add(
        AccessLink(
            purpose=purpose,
            token_hash=hash_secret(token),
            user=user,
            created_at=now,
            expires_at=now + LINK_LIFETIMES[purpose],
        )
    )
    session.flush()
    return token


def find_link(session: Session, token: str, *, purpose: str) -> AccessLink | None:
    """The link that this token opens, if it still does: a disabled person's opens nothing."""
    link = session.scalars(
        select(AccessLink)
        .where(
            AccessLink.token_hash == hash_secret(token),
            AccessLink.purpose == purpose,
            AccessLink.used_at.is_(None),
            AccessLink.expires_at > clock.utcnow(),
        )
        .with_for_update()
    ).first()
    if link is None or (link.user is not None and (link.user.disabled_at or link.user.role is None)):
        return None
    return link


def use_link(session: Session, link: AccessLink) -> None:
    """Use a link up, and with it every other way to set the same person's password."""
    link.used_at = clock.utcnow()
    if link.user_id is not None:
        drop_links(session, link.user_id)


def drop_links(session: Session, user_id: int) -> None:
    """Make every unused link of this person worthless."""
    for purpose in ("invitation", "reset"):
        _use_up(session, purpose=purpose, user_id=user_id)


def _use_up(session: Session, *, purpose: str, user_id: int | None) -> None:
    session.execute(
        update(AccessLink)
        .where(AccessLink.purpose == purpose, AccessLink.user_id == user_id, AccessLink.used_at.is_(None))
        .values(used_at=clock.utcnow())
    )
