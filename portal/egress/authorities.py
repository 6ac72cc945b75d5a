"""The certificate authorities that receivers are checked against: certifi's, and those that the operator adds."""

import os
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi

BUNDLE = "authorities.pem"
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@dataclass(frozen=True)
class Authorities:
    """What an operator adds: certificates as PEM, each of which can be read."""

    file: str
    certificates: tuple[str, ...]


def read_authorities(file: str) -> Authorities:
    """Read a PEM file. Raises ValueError, its message the end of a sentence for the operator."""
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror}).") from error
    found = tuple(_BEGIN + "".join(each.partition(_END)[:2]) for each in text.split(_BEGIN)[1:])
    if not found:
        raise ValueError("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).")
    for number, certificate in enumerate(found, 1):
        try:
            ssl.create_default_context(cadata=ssl.PEM_cert_to_DER_cert(certificate))
        except (ValueError, ssl.SSLError) as error:
            raise ValueError(f"is damaged: its certificate number {number} cannot be read.") from error
    return Authorities(file, found)


def write_bundle(authorities: Authorities, folder: Path) -> str:
    """Join certifi's authorities and these in one file of the folder, as libcurl wants them; returns its path."""
    joined = "\n".join((Path(certifi.where()).read_text(encoding="utf-8"), *authorities.certificates))
    bundle = folder / BUNDLE
    if not bundle.exists() or bundle.read_text(encoding="utf-8") != joined:
        fresh = bundle.with_name(f"{BUNDLE}.{os.getpid()}.{secrets.token_hex(4)}")
        fresh.write_text(joined, encoding="utf-8")
        fresh.replace(bundle)  # another process may be reading the one before
    return str(bundle)
