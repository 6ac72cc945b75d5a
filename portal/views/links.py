"""One-time links as they are shown and mailed."""

from flask import request, url_for

from portal.runtime import runtime


def link_to(view_name: str, token: str) -> str:
    """The whole address of the page that this token opens, under the portal's own name when one is configured."""
    base = runtime().settings.base_url or request.url_root.rstrip("/")
    return f"{base}{url_for(view_name, token=token)}"
