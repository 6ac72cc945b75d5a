"""The fixed header: one name and value that a company adds to what is sent, such as an API key."""

import base64
import re
from dataclasses import dataclass, field
from typing import Literal

from portal.company.refusals import HeaderRefused
from portal.vault import Vault

MAX_NAME, MAX_VALUE = 100, 4096

REFUSED_NAMES = frozenset(
    {"host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "expect", "upgrade", "cookie"}
    | {"user-agent"}
)
# What the request sets itself, and what frames it.
REFUSED_BEGINNINGS = ("content-", "accept", "proxy-", "webhook-", "svix-")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2


@dataclass(frozen=True, slots=True)
class FixedHeader:
    """A header that may be sent (`read_header`)."""

    name: str
    value: str = field(repr=False)


# Another header, the saved one where it belongs to the address, or none.
HeaderChoice = FixedHeader | Literal["saved"] | None


def read_header(name: str, value: str) -> FixedHeader:
    """The header that somebody typed, without outer spaces. Raises HeaderRefused."""
    name, value = name.strip(), value.strip()
    if not name:
        raise HeaderRefused("name", "required")
    if len(name) > MAX_NAME or not _TOKEN.fullmatch(name):
        raise HeaderRefused("name", "not_a_header_name")
    if name.lower() in REFUSED_NAMES or name.lower().startswith(REFUSED_BEGINNINGS):
        raise HeaderRefused("name", "reserved_header")
    if not value:
        raise HeaderRefused("value", "required")
    if len(value) > MAX_VALUE:
        raise HeaderRefused("value", "too_long")
    if not (value.isascii() and value.isprintable()):
        raise HeaderRefused("value", "not_a_header_value")
    return FixedHeader(name, value)


def seal_header(header: FixedHeader, company_id: int, *, vault: Vault) -> tuple[str, str]:
    """The name, and the value sealed for that company."""
    return header.name, vault.seal(header.value, purpose="webhook_header", company_id=company_id)


def bearer_header(token: str) -> FixedHeader:
    """`Authorization: Bearer`, also when the word was typed with the token. Raises HeaderRefused."""
    bare = re.sub(r"\Abearer\s+", "", token.strip(), flags=re.IGNORECASE)
    return read_header("Authorization", f"Bearer {bare}" if bare else "")


def basic_header(user: str, password: str) -> FixedHeader:
    """`Authorization: Basic` (RFC 7617, in UTF-8). Raises HeaderRefused."""
    if not user.strip():
        raise HeaderRefused("user", "required")
    if ":" in user:
        raise HeaderRefused("user", "colon")
    pair = f"{user.strip()}:{password}".encode()
    return read_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")
