"""Recovery codes: ten long numbers that stand in for the app's code when the phone is lost, each once.

Only their hashes are kept; they are long and random, so that a hash tells nothing.
"""

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.models import User
from portal.people.hashing import hash_secret

COUNT = 10
DIGITS, GROUP = 20, 4
"""66 random bits, as people copy them."""


def make_codes(session: Session, user: User, *, actor: Actor) -> list[str]:
    """New codes, in place of all that the user had; nobody sees them again."""
    codes = [f"{secrets.randbelow(10**DIGITS):0{DIGITS}}" for _ in range(COUNT)]
    user.recovery_hashes = [hash_secret(code) for code in codes]
    audit.record(session, actor, "second_factor.codes_made")
    return ["-".join(code[start : start + GROUP] for start in range(0, DIGITS, GROUP)) for code in codes]


def is_one(typed: str) -> bool:
    """Whether this has the form of a recovery code, however it is grouped."""
    digits = _digits_of(typed)
    return len(digits) == DIGITS and digits.isdecimal()


def use_code(session: Session, user: User, typed: str) -> bool:
    """Whether this is one of the user's codes, which is used up: two log-ins at once cannot share it."""
    query = select(User).where(User.id == user.id).with_for_update().execution_options(populate_existing=True)
    held, digest = session.scalars(query).one(), hash_secret(_digits_of(typed))
    kept = held.recovery_hashes or []
    if digest not in kept:
        return False
    held.recovery_hashes = [each for each in kept if each != digest]
    session.flush()
    return True


def _digits_of(typed: str) -> str:
    return "".join(typed.replace("-", " ").split())
