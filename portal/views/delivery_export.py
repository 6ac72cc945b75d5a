"""The delivery log as a CSV file: what the filter shows, newest first, for a spreadsheet."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, Flask, Response, current_app
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from portal import clock
from portal.db import db, reading
from portal.deliveries import DeliveryFilter, page_deliveries
from portal.models import Delivery
from portal.tables import write_row
from portal.views import access
from portal.views.deliveries import read_filter
from portal.views.presentation import reason_title

BATCH = 500
DELIMITER = ";"
"""What Excel set to Brazilian Portuguese takes a CSV apart by when it is opened with a double click."""

COLUMNS = (
    _l("Código da entrega"),
    _l("Quando"),
    _l("Estado"),
    _l("Contato"),
    _l("LinkedIn"),
    _l("Campanha"),
    _l("Responsável"),
    _l("Nível anterior"),
    _l("Nível"),
    _l("Origem"),
    _l("Quem"),
    _l("Resultado"),
    _l("Código do resultado"),
    _l("Tentativas"),
    _l("Entregue em"),
    _l("Próxima tentativa"),
)
STATUS_WORDS = {
    "pending": _l("Aguardando"),
    "sending": _l("Enviando"),
    "delivered": _l("Entregue"),
    "failed": _l("Falhou"),
    "superseded": _l("Substituída"),
    "cancelled": _l("Cancelada"),
}
TRIGGER_WORDS = {"classification": _l("Classificação"), "sync": _l("Sincronização"), "test": _l("Teste")}

bp = Blueprint("delivery_export", __name__)


@bp.get("/deliveries.csv")
@access.member
def download() -> ResponseReturnValue:
    """The file, written while it is read: a long log needs no memory and holds no transaction open."""
    company = current_user.company
    zone = ZoneInfo(company.timezone)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    lines = write_lines(app, company.id, read_filter(), zone=zone, locale=str(get_locale()))
    name = f"{_('entregas')}-{clock.utcnow().astimezone(zone):%Y-%m-%d}.csv"
    return Response(lines, mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


def write_lines(app: Flask, company_id: int, wanted: DeliveryFilter, *, zone: ZoneInfo, locale: str) -> Iterator[str]:
    """The file in pieces, a batch each; a byte order mark tells spreadsheets that it is UTF-8."""
    with app.app_context(), force_locale(locale):
        piece = "\ufeff" + csv_text([[str(title) for title in COLUMNS]])
    yield piece
    cursor: str | None = ""
    while cursor is not None:
        # Each batch has a context and a transaction of its own: none stays open while a slow reader takes a piece.
        with app.app_context(), force_locale(locale), reading():
            page = page_deliveries(db.session, company_id, wanted, limit=BATCH, cursor=cursor)
            piece = csv_text([row_of(delivery, zone) for delivery in page.items])
            db.session.rollback()
        yield piece
        cursor = page.next_cursor


def row_of(delivery: Delivery, zone: ZoneInfo) -> list[str]:
    """The cells of one delivery, times in the company's zone."""
    contact = delivery.contact
    return [
        delivery.webhook_id,
        time_text(delivery.created_at, zone),
        str(STATUS_WORDS[delivery.status]),
        contact.name if contact else "" if delivery.is_test else _("Contato apagado"),
        (contact.linkedin_public_id or "") if contact else "",
        delivery.campaign.name if delivery.campaign else "",
        delivery.owner.name if delivery.owner else "",
        str(delivery.previous_level or ""),
        str(delivery.interest_level or ""),
        str(TRIGGER_WORDS.get(delivery.trigger, delivery.trigger)),
        delivery.actor,
        reason_title(delivery.reason) if delivery.reason else "",
        delivery.reason or "",
        str(delivery.attempt_count),
        time_text(delivery.delivered_at, zone),
        time_text(delivery.next_attempt_at, zone),
    ]


def time_text(moment: datetime | None, zone: ZoneInfo) -> str:
    """`2026-03-10 09:00:00`, which spreadsheets take for a time in every language."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" if moment else ""


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Lines of CSV in which no cell is a formula."""
    return "".join(write_row(row, delimiter=DELIMITER) for row in rows)
