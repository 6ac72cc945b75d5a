"""The inspector's page, and the public address that it shows."""

from urllib.parse import urljoin

from flask import Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import Headers

from portal import clock
from portal.company import inspector
from portal.database.db import db, reading
from portal.database.paging import row_number
from portal.egress import AddressError
from portal.runtime import runtime
from portal.web import access, bodies
from portal.web.extensions import csrf
from portal.web.redirects import see_other

LIVE_LOOKS = 900  # how often an open page looks for what arrived, every two seconds: for half an hour

bp = access.Pages("inspector", __name__, url_prefix="/inspector")


@bp.get("", access="admin")
def index() -> str:
    """What arrived, newest first, and the address to send to."""
    company_id, token = current_user.company_id, current_user.company.inspector_token
    requests = inspector.requests_of(db.session, company_id, now=clock.utcnow()) if token else []
    address = address_of(token) if token else None
    db.session.rollback()  # checking the address asks the name service: no transaction waits for that
    return render_template(
        "inspector/index.html",
        address=address,
        refusal=refusal_of(address) if address else None,
        requests=requests,
        newest=requests[0].id if requests else 0,
        left=LIVE_LOOKS,
        kept=inspector.KEPT_REQUESTS,
        most=inspector.MAX_A_MINUTE,
    )


@bp.get("/live", access="admin")
def live() -> ResponseReturnValue:
    """What arrived since the page looked last; an empty answer leaves the page alone."""
    after, left = request.args.get("after", 0, type=row_number), request.args.get("left", 0, type=row_number) - 1
    requests = inspector.requests_of(db.session, current_user.company_id, now=clock.utcnow(), after=after)
    newest = requests[0].id if requests else after
    return render_template("inspector/_live.html", requests=requests, is_first=not after, newest=newest, left=left)


@bp.post("", access="admin")
def open_address() -> ResponseReturnValue:
    inspector.open_inspector(db.session, current_user.company, access.current_actor())
    db.session.commit()
    return see_other(url_for(".index"))


@bp.post("/close", access="admin")
def close_address() -> ResponseReturnValue:
    inspector.close_inspector(db.session, current_user.company, access.current_actor())
    db.session.commit()
    return see_other(url_for("webhook.index"))


@bp.post("/clear", access="admin")
def clear() -> ResponseReturnValue:
    inspector.clear(db.session, current_user.company_id)
    db.session.commit()
    return see_other(url_for(".index"))


@bp.post("/<token>", access="public")
@csrf.exempt
@bodies.up_to(inspector.MAX_BODY_BYTES)
def receive(token: str) -> ResponseReturnValue:
    """Take what anybody sends who knows the address, and answer as a receiver should."""
    now = clock.utcnow()
    with reading():  # a stranger with a wrong token holds nobody up who wants to write
        company = access.or_404(inspector.find_company(db.session, token))
        too_busy = inspector.is_too_busy(db.session, company.id, now=now)
        db.session.rollback()
    if too_busy:
        return Response("Too many requests.\n", 429, {"Retry-After": "60"}, mimetype="text/plain")
    body = request.get_data(cache=False)
    inspector.take(db.session, company.id, headers=Headers(request.headers), body=body, vault=runtime().vault, now=now)
    db.session.commit()
    return Response("OK", mimetype="text/plain")


def address_of(token: str) -> str:
    """Where the inspector of that token is reached: under the portal's address, else the one that the reader uses."""
    return urljoin(runtime().settings.base_url or request.host_url, url_for("inspector.receive", token=token))


def refusal_of(address: str) -> str | None:
    """Why the portal itself may not send to that address, in words; None when it may."""
    try:
        runtime().egress.check(address)
    except AddressError as error:
        return error.sentence
    return None
