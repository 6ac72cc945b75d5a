"""Whom a trusted proxy has logged in already, as the header says that PORTAL_REMOTE_USER_HEADER names.

The header counts only in a request that came through a proxy: PORTAL_PROXY_HOPS is set, and the one who speaks to the
portal is of this machine or a private network. Whoever can speak to the portal directly from there can name anybody.
"""

from ipaddress import ip_address

from flask import request

from portal.runtime import runtime


def named_email() -> str | None:
    """The e-mail in the header, in lower case; None without the setting, the header, or a proxy that may say it."""
    header = runtime().settings.remote_user_header
    value = request.headers.get(header, "").strip().lower() if header else ""
    return value[:254] if value and _is_proxy(_peer()) else None


def _peer() -> str:
    """Who speaks to the portal, before it was told for whom."""
    found: dict[str, str | None] = request.environ.get("werkzeug.proxy_fix.orig", {})
    return found.get("REMOTE_ADDR") or ""


def _is_proxy(address: str) -> bool:
    try:
        return not ip_address(address).is_global
    except ValueError:  # a socket of this machine has no address
        return not address
