"""The second factor: a code of six digits that an app shows and changes every 30 seconds (TOTP, RFC 6238).

Recovery codes stand in for it when the phone is lost, each once. Only their hashes are kept; they are long and random,
so that a hash tells nothing.
"""

import hmac
import secrets
from datetime import timedelta

import pyotp
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor
from portal.models import User
from portal.people.logging_in import count_guess, forget_guess
from portal.people.passwords import end_sessions, hash_secret
from portal.vault import Vault

STEP_SECONDS = 30
DRIFT_STEPS = 1  # a phone's clock may be so many steps ahead or behind
ISSUER = "Catacliente"
RECOVERY_CODES = 10
APP_DIGITS = 6
DIGITS, GROUP = 20, 4  # of a recovery code: 66 random bits, as people copy them


def new_secret() -> str:
    """160 random bits, as apps expect them."""
    return pyotp.random_base32()


def app_address(secret: str, email: str) -> str:
    """What the QR code holds: `otpauth://totp/...`."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=email, issuer_name=ISSUER)


def turn_on(session: Session, user: User, code: str, *, secret: str, vault: Vault, actor: Actor) -> bool:
    """Ask for codes of this secret from now on; not when `code` is none of them."""
    step = find_step(secret, code)
    if step is None:
        return False
    user.totp_secret = vault.seal(secret, purpose="second_factor", company_id=user.company_id)
    user.totp_step = step
    end_sessions(user)
    audit.record(session, actor, "second_factor.enabled")
    return True


def turn_off(session: Session, user: User, *, actor: Actor) -> None:
    """Ask for no code any more."""
    if user.totp_secret is None:
        return
    user.totp_secret, user.totp_step, user.recovery_hashes = None, None, None
    audit.record(session, actor, "second_factor.removed", subject=user.email)


def accept_code(session: Session, user: User, code: str, *, vault: Vault, ip: str) -> bool:
    """Whether `code` is the app's or a recovery code, not used before; it is used up. A wrong one counts as a guess.

    Only who knows the password comes so far, so guesses count whatever the address. Raises TooManyFailures when they
    have to slow down, and DamagedSecret when no code can be checked.
    """
    guess = count_guess(session, f"second factor of {user.id}", ip=ip, anywhere=True)
    actor = Actor(user.company_id, user.email, ip)
    if is_recovery := is_recovery_code(code):
        accepted = use_recovery_code(session, user, code)
    else:
        secret = vault.open(user.totp_secret or "", purpose="second_factor", company_id=user.company_id)
        step = find_step(secret, code)
        accepted = step is not None and _use_up(session, user, step)
    if accepted:
        forget_guess(session, guess)
    audit.record(
        session,
        actor,
        "login.code_refused" if not accepted else "login.recovered" if is_recovery else "login.succeeded",
    )
    return accepted


def find_step(secret: str, code: str) -> int | None:
    """The number of the 30 seconds that this code belongs to, now or one step off; None when it is no such code."""
    totp, now = pyotp.TOTP(secret, interval=STEP_SECONDS), clock.utcnow()
    typed = _digits_of(code).encode()
    for drift in range(-DRIFT_STEPS, DRIFT_STEPS + 1):
        moment = now + timedelta(seconds=drift * STEP_SECONDS)
        if hmac.compare_digest(totp.at(moment).encode(), typed):
            return totp.timecode(moment)
    return None


def _use_up(session: Session, user: User, step: int) -> bool:
    """Note the step, unless it or a later one was noted already: two log-ins at once cannot share a code."""
    is_earlier = User.id == user.id, or_(User.totp_step.is_(None), User.totp_step < step)
    changed = session.execute(update(User).where(*is_earlier).values(totp_step=step))
    return bool(changed.rowcount)  # type: ignore[attr-defined]


def make_recovery_codes(session: Session, user: User, *, actor: Actor) -> list[str]:
    """New codes, in place of all that the user had; nobody sees them again."""
    codes = [f"{secrets.randbelow(10**DIGITS):0{DIGITS}}" for _ in range(RECOVERY_CODES)]
    user.recovery_hashes = [hash_secret(code) for code in codes]
    audit.record(session, actor, "second_factor.codes_made")
    return ["-".join(code[start : start + GROUP] for start in range(0, DIGITS, GROUP)) for code in codes]


def is_recovery_code(typed: str) -> bool:
    """Whether this has the form of a recovery code, however it is grouped."""
    return _has_digits(typed, DIGITS)


def is_app_code(typed: str) -> bool:
    """Whether this has the form of an app's code, however it is grouped."""
    return _has_digits(typed, APP_DIGITS)


def _has_digits(typed: str, count: int) -> bool:
    digits = _digits_of(typed)
    return len(digits) == count and digits.isdecimal()


def use_recovery_code(session: Session, user: User, typed: str) -> bool:
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
