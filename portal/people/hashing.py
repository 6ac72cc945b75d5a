"""What is kept of a secret that only has to be recognised."""

import hashlib


def hash_secret(secret: str) -> str:
    """SHA-256 is enough for what is random and long; argon2 is for what people choose."""
    return hashlib.sha256(secret.encode()).hexdigest()
