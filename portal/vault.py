"""Secrets that the database holds, sealed with a key that it does not hold, each for one purpose of one company."""

import base64
import binascii
import hashlib
import hmac
import os
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Purpose = Literal["webhook_secret", "webhook_header", "second_factor", "second_factor_draft", "chat_address"]

REMEMBERED = 256  # secrets kept in memory as they are read, so that each delivery does not open its endpoint's again
# How sealed texts begin: `v2.<key>.<nonce and ciphertext>`, or as Fernet writes them, which knows no purpose.
FORM, OLD_FORM = "v2", "gAAAAA"
OLD_PURPOSES: tuple[Purpose, ...] = ("webhook_secret", "second_factor")
NONCE_BYTES = 12


class SecretError(Exception):
    """A stored secret cannot be opened."""


class WrongKey(SecretError):
    """A stored secret was sealed with another secret key than the one in use."""


class DamagedSecret(SecretError):
    """A stored secret is damaged, or was sealed for another purpose or another company."""


class Vault:
    """Seals and opens short secrets with keys derived from the installation's secret key."""

    def __init__(self, secret_key: str) -> None:
        key = _derive(secret_key, b"catacliente sealed secrets")
        self._cipher = AESGCM(key)
        self._key_name = _derive(key.hex(), b"catacliente key name")[:6].hex()
        self._old = Fernet(base64.urlsafe_b64encode(_derive(secret_key, b"catacliente webhook secrets")))
        self._marking = _derive(secret_key, b"catacliente marks")
        self._open = lru_cache(REMEMBERED)(self._open_unremembered)
        self._is_proven = False  # whether it opened anything: from then on, what seems to need another key is damaged

    def mark(self, text: str) -> str:
        """A keyed hash: tells whether a text is the one that was marked, and nothing to who lacks the key."""
        return hmac.new(self._marking, text.encode(), hashlib.sha256).hexdigest()

    def seal(self, secret: str, *, purpose: Purpose, company_id: int) -> str:
        """The secret as text that may be stored, and that only the same purpose of the same company opens."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, secret.encode(), _owner(purpose, company_id))
        return f"{FORM}.{self._key_name}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, *, purpose: Purpose, company_id: int) -> str:
        """The secret behind stored text. Raises DamagedSecret, and WrongKey as long as this key opened nothing."""
        try:
            secret = self._open(sealed, purpose, company_id)
        except WrongKey as error:
            if self._is_proven:
                raise DamagedSecret(DamagedSecret.__doc__) from error
            raise
        self._is_proven = True
        return secret

    def _open_unremembered(self, sealed: str, purpose: Purpose, company_id: int) -> str:
        if is_old(sealed) and purpose in OLD_PURPOSES:
            try:
                return self._old.decrypt(sealed).decode()
            except InvalidToken as error:  # or it is damaged: the two cannot be told apart
                raise WrongKey(WrongKey.__doc__) from error
        form, *rest = sealed.split(".")
        if form == FORM and len(rest) == 2 and rest[0] != self._key_name:
            raise WrongKey(WrongKey.__doc__)
        beginning = f"{FORM}.{self._key_name}."
        if not sealed.startswith(beginning):
            raise DamagedSecret(DamagedSecret.__doc__)
        try:
            held = base64.b64decode(sealed.removeprefix(beginning), altchars=b"-_", validate=True)
            nonce, ciphertext = held[:NONCE_BYTES], held[NONCE_BYTES:]
            return self._cipher.decrypt(nonce, ciphertext, _owner(purpose, company_id)).decode()
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise DamagedSecret(DamagedSecret.__doc__) from error


def is_old(sealed: str) -> bool:
    """Whether an older version sealed it, for no purpose and no company."""
    return sealed.startswith(OLD_FORM)


def _derive(secret: str, use: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=use).derive(secret.encode())


def _owner(purpose: Purpose, company_id: int) -> bytes:
    return f"{purpose}:{company_id}".encode()
