"""The hand-over pack: one text file about a delivery for the CRM vendor's support, with personal data masked."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import clock
from portal.deliveries.log import is_erased
from portal.rules.masking import Masker, mask_body, mask_query
from portal.views.deliveries import get_delivery_or_404
from portal.web import access
from portal.web.exchange import pretty_json, readable, shown_headers
from portal.web.files import attachment

bp = access.Pages("handover", __name__, url_prefix="/deliveries")


@bp.get("/<webhook_id>/support.txt", access="member")
def download(webhook_id: str) -> ResponseReturnValue:
    """What was sent, what came back, when, and what the rule says: to be sent on without showing who the contact is."""
    delivery = get_delivery_or_404(webhook_id)
    masker = Masker(delivery.body or b"")
    text = render_template(
        "deliveries/support.txt",
        delivery=delivery,
        attempts=delivery.attempts[::-1],
        is_erased=is_erased(delivery),
        body=mask_body(delivery.body) if delivery.body else None,
        mask=masker.mask,
        answer_of=lambda body: masker.mask(readable(pretty_json(body).encode(errors="replace"))),
        mask_query=mask_query,
        shown_headers=shown_headers,
        moment=lambda at: moment_text(at, ZoneInfo(current_user.company.timezone)),
        now=clock.utcnow(),
    )
    return attachment(text, f"{_('entrega')}-{webhook_id}.txt", "text/plain")


def moment_text(at: datetime, zone: ZoneInfo) -> str:
    """`2026-03-10 09:00:00 -03:00 (America/Sao_Paulo), 2026-03-10 12:00:00 UTC`."""
    local, form = at.astimezone(zone), "%Y-%m-%d %H:%M:%S"
    offset = local.isoformat()[-6:]
    return f"{local.strftime(form)} {offset} ({zone.key}), {at.astimezone(UTC).strftime(form)} UTC"
