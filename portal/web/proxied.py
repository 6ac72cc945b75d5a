"""Whom a trusted proxy has logged in already, as the header says that PORTAL_REMOTE_USER_HEADER names.

The header counts only in a request that came through a proxy: PORTAL_PROXY_HOPS is set, and the one who speaks to the
portal is of this machine or a private network. Whoever can speak to the portal directly from there can name anybody.
"""

from ipaddress import ip_address, ip_network

from flask import request
from flask_babel import gettext as _

from portal.runtime import runtime

# Where a proxy may stand: this machine, its link, and private networks.
NEAR = tuple(
    ip_network(block)
    for block in (
        "127.0.0.0/8",
        "::1/128",  # this machine
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",  # private, RFC 1918
        "fc00::/7",  # private, RFC 4193
        "169.254.0.0/16",
        "fe80::/10",  # of this link alone
    )
)


def named_email() -> str | None:
    """The e-mail in the header, in lower case; None without the setting, the header, or a proxy that may say it."""
    header = runtime().settings.remote_user_header
    value = request.headers.get(header, "").strip().lower() if header else ""
    return value[:254] if value and _is_proxy(_peer()) else None


def refusal_of(email: str) -> str | None:
    """Why nobody comes in with this e-mail by other means: the proxy says that somebody else is there. Else None."""
    named = named_email()
    if named in (None, email.strip().lower()):
        return None
    words = _("A sua organização diz que quem está aqui é %(email)s, e só com este e-mail se entra agora.", email=named)
    return str(words)


def _peer() -> str:
    """Who speaks to the portal, before it was told for whom."""
    found: dict[str, str | None] = request.environ.get("werkzeug.proxy_fix.orig", {})
    return found.get("REMOTE_ADDR") or ""


def _is_proxy(address: str) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:  # a socket of this machine has no address
        return not address
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in network for network in NEAR)
