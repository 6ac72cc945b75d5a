"""Encryption of the secrets that the database holds, with a key that the database does not hold."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class WrongKey(Exception):
    """A stored secret was encrypted with another secret key than the one in use."""


class Vault:
    """Encrypts and decrypts short secrets with a key derived from the installation's secret key."""

    def __init__(self, secret_key: str) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"catacliente webhook secrets").derive(secret_key.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def encrypt(self, secret: str) -> str:
        """The secret as text that may be stored."""
        return self._fernet.encrypt(secret.encode()).decode()

    def decrypt(self, stored: str) -> str:
        """The secret behind stored text. Raises WrongKey when another key encrypted it."""
        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken as error:
            raise WrongKey("A stored secret was encrypted with another secret key.") from error
