"""Passwords: what makes a good one, how it is kept, and how it is proven."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache
from importlib.resources import files
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from flask_babel import lazy_gettext as _l
from sqlalchemy import exists, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import object_session

from portal.company.refusals import Refusal
from portal.models import User

MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 8, 128

# 19 MiB and two passes: OWASP's recommendation for argon2id; the library's default takes about a second under load.
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Two passwords at a time, on threads of their own: memory that a thread has used for one is kept for its next.
_hashing = ThreadPoolExecutor(2, thread_name_prefix="hashing")
# Of no account's password, made with the same settings: an unknown account takes as long as a known one.
_DUMMY_HASH = "$argon2id$v=19$m=19456,t=2,p=1$e/FhKpGOywypgSpMbdMKqg$7h/pXAyXCv85C4ZPHte8cMY0c9F0DO5o5MxgB6HDhss"
ACCOUNT_WORDS: dict[str, Any] = {
    "too_short": _l("A senha tem menos de %(min)d caracteres.", min=MIN_PASSWORD_LENGTH),
    "too_long": _l("A senha tem mais de %(max)d caracteres.", max=MAX_PASSWORD_LENGTH),
    "too_common": _l("Esta senha está entre as primeiras que alguém tentaria. Escolha outra."),
    "taken": _l("Alguém já entra no portal com este e-mail."),
    "taken_here": _l("Outra pessoa da empresa já tem este e-mail."),
    "owns_contacts": _l(
        "Este e-mail já é de um responsável por contatos desta empresa, sem acesso ao portal. Um administrador abre "
        "essa pessoa em Equipe, dá a ela outro e-mail e passa os contatos dela; depois, este e-mail fica livre."
    ),
    "unchanged": _l("Este já é o e-mail da conta."),
    "too_soon": _l("Um link acabou de ser enviado. Espere cinco minutos para pedir outro."),
    "not_an_email": _l("Este não é um endereço de e-mail válido."),
    "last_admin": _l("Esta é a única pessoa que administra a empresa. Antes, torne outra pessoa administradora."),
}


class InvalidAccount(Refusal):
    """An account cannot be made or changed as asked. `field` says where, `code` what is wrong."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__(f"{field}: {code}")
        self.field, self.code, self.words = field, code, ACCOUNT_WORDS[code]


def set_password(user: User, password: str) -> None:
    """Set a password and end every session of the user.

    Raises InvalidAccount when it is too short, too long, or one of the first that somebody would try, and for a first
    password when somebody else logs in with the address.
    """
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidAccount("password", "too_short")
    if len(password) > MAX_PASSWORD_LENGTH:
        raise InvalidAccount("password", "too_long")
    if is_obvious(password, user):
        raise InvalidAccount("password", "too_common")
    if user.password_hash is None and is_taken(user, user.email):
        raise InvalidAccount("email", "taken")
    hashed = hash_password(password)
    end_sessions(user)
    session = object_session(user)
    try:
        with session.begin_nested() if session else nullcontext():
            user.password_hash = hashed
    except IntegrityError as error:  # somebody of another company chose the first password at this moment
        raise InvalidAccount("email", "taken") from error


def is_taken(user: User, email: str) -> bool:
    """Whether somebody else logs in with the address, by a password or by a trusted proxy."""
    logs_in = User.role.is_not(None), or_(User.password_hash.is_not(None), User.proxied_at.is_not(None))
    others = User.email == email, User.id != user.id, *logs_in
    session = object_session(user)
    return session is not None and bool(session.scalar(select(exists().where(*others))))


def is_obvious(password: str, user: User) -> bool:
    """Whether it is among the most common passwords, or the person's own name, address or company."""
    plain = password.strip().casefold()
    own = (user.email, user.email.partition("@")[0], user.name, user.company.name)
    return plain in common_passwords() or plain in {word.casefold() for word in own}


@cache
def common_passwords() -> frozenset[str]:
    """The 3000 most common passwords of at least eight characters (OWASP ASVS 5.0, 6.2.4), and some of Brazil's.

    Taken from Django's list (BSD licence), which is ordered by how often they occur in leaks.
    """
    return frozenset(files("portal.people").joinpath("common_passwords.txt").read_text("utf-8").split())


def end_sessions(user: User) -> None:
    """Make every cookie that the user was given worthless."""
    user.session_version = (user.session_version or 0) + 1


def hash_password(password: str) -> str:
    """What is kept of a password."""
    return _hashing.submit(hasher.hash, password).result()


def is_password(password_hash: str | None, password: str) -> bool:
    """Whether that is the password. Without a hash it takes as long, and is not."""
    try:
        known = password_hash or _DUMMY_HASH
        _hashing.submit(hasher.verify, known, password[:MAX_PASSWORD_LENGTH]).result()
    except VerificationError:
        return False
    return password_hash is not None


def hash_secret(secret: str) -> str:
    """SHA-256 is enough for what is random and long; argon2 is for what people choose."""
    return hashlib.sha256(secret.encode()).hexdigest()
