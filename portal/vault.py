"""Encryption of the secrets that the database holds, with a key that the database does not hold."""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

REMEMBERED = 256
"""Secrets kept in memory as they are read, so that each delivery does not decrypt its endpoint's again."""


class WrongKey(Exception):
    """A stored secret was encrypted with another secret key than the one in use."""


class Vault:
    """Encrypts and decrypts short secrets with a key derived from the installation's secret key."""

    def __init__(self, secret_key: str) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"catacliente webhook secrets").derive(secret_key.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))
        self._read = lru_cache(REMEMBERED)(self._fernet.decrypt)

    def encrypt(self, secret: str) -> str:
        """The secret as text that may be stored."""
        return self._fernet.encrypt(secret.encode()).decode()

    def decrypt(self, stored: str) -> str:
        """The secret behind stored text. Raises WrongKey when another key encrypted it."""
        try:
            return self._read(stored).decode()
        except InvalidToken as error:
            raise WrongKey("A stored secret was encrypted with another secret key.") from error
