"""Whether a form comes from a page of the portal, and what disagrees when it seems not to.

A browser names the page's origin in `Origin`; only where it does not, `Referer` is asked. Either may name
PORTAL_BASE_URL, whatever a proxy makes of Host and port, or the host that was asked. Where both are taken away,
`Sec-Fetch-Site` may say that the origin is the same, which no page can make a browser say. The form's token is checked
too.
"""

import logging
from dataclasses import dataclass

from flask import abort, current_app, g, request

from portal import audit
from portal.audit import Stranger
from portal.database.db import db
from portal.egress.address import DEFAULT_PORTS, origin_of
from portal.runtime import runtime

ACTION = "origin.refused"
LONGEST = 100

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mismatch:
    """What disagrees. `cause`: the page was opened without TLS (`use_https`), is of another origin (`origin`), or
    neither header came (`stripped`).
    """

    cause: str
    header: str
    seen: str
    base_url: str
    host: str

    def __str__(self) -> str:
        return f"{self.header}: {self.seen}, PORTAL_BASE_URL: {self.base_url}, Host: {self.host}"


def check_origin() -> None:
    """Refuse a form, whose token was right, that comes from no page of the portal."""
    if g.get("csrf_valid") and (mismatch := find_mismatch()):
        tell(mismatch)
        g.mismatch = mismatch
        abort(400)


def find_mismatch() -> Mismatch | None:
    """What is wrong with a form's origin, where people reach the portal by https. None when nothing is."""
    base_url = runtime().settings.base_url or ""
    if not runtime().settings.secure_cookies:
        return None
    header, named = named_page()
    seen = _read_origin(named)
    asked = _read_origin(f"{request.scheme}://{request.host}"), _read_origin(f"https://{request.host}")
    if seen in (origin_of(base_url), *asked):
        return None
    if not named and (request.headers.get("Sec-Fetch-Site") == "same-origin" or not request.is_secure):
        return None
    cause = "stripped" if not named else "use_https" if named.startswith("http:") else "origin"
    return Mismatch(cause, header, named[:LONGEST], base_url, request.host[:LONGEST])


def find_lost_tls() -> Mismatch | None:
    """Whether a form lost its session because its page was opened without TLS: browsers keep no secure cookie there."""
    header, named = named_page()
    settings, has_cookie = runtime().settings, current_app.config["SESSION_COOKIE_NAME"] in request.cookies
    if has_cookie or not settings.secure_cookies or not named.startswith("http:"):
        return None
    return Mismatch("use_https", header, named[:LONGEST], settings.base_url or "", request.host[:LONGEST])


def named_page() -> tuple[str, str]:
    """The header that says where the form stood, and the origin that it names; "" when neither header does."""
    origin = request.headers.get("Origin", "null")
    if origin != "null":  # what browsers say when they are told to say nothing
        return "Origin", origin
    scheme, _, rest = (request.referrer or "").partition("://")
    return "Referer", f"{scheme}://{rest.partition('/')[0]}" if rest else ""


def tell(mismatch: Mismatch) -> None:
    """Say to whoever operates the portal what disagrees: in the log, and once a day where `portal doctor` looks."""
    logger.warning("A form was refused. %s", mismatch, extra={"action": "origin_refused", "cause": mismatch.cause})
    actor = Stranger(f"proxy ({mismatch.cause})", request.remote_addr or "")
    audit.note_once_a_day(db.session, actor, ACTION, subject=str(mismatch), of_any_subject=True)


def _read_origin(named: str) -> str | None:
    """An origin with its port, or None when it is none."""
    try:
        return origin_of(named) if named.partition(":")[0] in DEFAULT_PORTS else None
    except ValueError:
        return None
