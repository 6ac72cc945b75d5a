"""How settings are read from text. A reader raises ValueError with what follows the name in its sentence."""

import re
from collections.abc import Callable
from datetime import time
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Network = IPv4Network | IPv6Network

MINIMUM_KEY_LENGTH = 32
MINIMUM_TOKEN_LENGTH = 16


def read_bool(text: str) -> bool:
    if text.lower() not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ValueError("is neither 1 nor 0.")
    return text.lower() in ("1", "true", "yes", "on")


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not minimum <= int(text) <= maximum:
            raise ValueError(f"is not a whole number from {minimum} to {maximum}.")
        return int(text)

    return read


def read_seconds(text: str) -> float:
    if not 0 < (seconds := _number(text)) <= 120:
        raise ValueError("is not a number of seconds above 0 and up to 120.")
    return seconds


def read_rate(text: str) -> float:
    if not 0.01 <= (rate := _number(text)) <= 10_000:
        raise ValueError("is not a number of deliveries a second from 0.01 to 10000.")
    return rate


def read_header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,99}", text):
        raise ValueError("is no name of a header such as Remote-Email.")
    return text


def read_networks(text: str) -> tuple[Network, ...]:
    networks = []
    for part in _split(text):
        try:
            networks.append(ip_network(part))
        except ValueError as error:
            raise ValueError(f"holds {part!r}, which is no network such as 10.0.0.0/8.") from error
    return tuple(networks)


def read_base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_plain = parts.port != 0 and not (parts.username or parts.query or parts.fragment or re.search(r"\s", text))
    except ValueError:
        is_plain = False
    if not is_plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no address such as https://portal.example.com.")
    return text.rstrip("/")


def read_hosts(text: str) -> tuple[str, ...]:
    hosts = _split(text)
    for host in hosts:
        if not re.fullmatch(r"\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]", host):
            raise ValueError(f"holds {host!r}, which is no host name such as portal.example.com (or .example.com).")
    return hosts


def read_database_url(text: str) -> str:
    if text.startswith(("postgresql://", "postgres://")):
        text = "postgresql+psycopg://" + text.partition("://")[2]
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    kind = url.drivername if url is not None else None
    if url is None or kind not in ("sqlite", "postgresql+psycopg") or (url.host and kind == "sqlite"):
        raise ValueError("is no address of SQLite (sqlite:///...) or PostgreSQL (postgresql://...).")
    if kind != "sqlite" and "@" in f"{url.host}{url.database}":
        raise ValueError("has an @ in its password: write it as %40, and % as %25.")
    if url.drivername == "sqlite" and (not url.database or url.database == ":memory:"):
        raise ValueError(
            "names no file: sqlite:///portal.db is one here, sqlite:////srv/portal.db one by its whole path."
        )
    return text


def read_key(text: str) -> str:
    if len(text) < MINIMUM_KEY_LENGTH:
        raise ValueError(f"is shorter than {MINIMUM_KEY_LENGTH} characters.")
    return text


def read_token(text: str) -> str:
    if len(text) < MINIMUM_TOKEN_LENGTH or not text.isascii() or not text.isprintable():
        raise ValueError(f"is no token of at least {MINIMUM_TOKEN_LENGTH} plain characters.")
    return text


def read_time_of_day(text: str) -> time | None:
    if text == "off":
        return None
    if not re.fullmatch(r"([01]?[0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("is no time of day such as 03:00, nor off.")
    hour, minute = map(int, text.split(":"))
    return time(hour, minute)


def read_log_format(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("is neither text nor json.")
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
