"""The deliveries that a filter shows, newest first, for a spreadsheet."""

from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.database.db import db
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.log import page_deliveries
from portal.models import Delivery
from portal.outbox.next_try import next_try_of
from portal.web import csv_file
from portal.web.csv_file import time_text
from portal.web.presentation import reason_title

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


def reader_of(company_id: int, wanted: DeliveryFilter, zone: ZoneInfo) -> csv_file.Reader[str]:
    """What reads the rows of the deliveries that match."""

    def read(cursor: str | None) -> csv_file.Batch[str]:
        page = page_deliveries(db.session, company_id, wanted, limit=csv_file.BATCH, cursor=cursor)
        return [row_of(delivery, zone) for delivery in page.items], page.next_cursor

    return read


def row_of(delivery: Delivery, zone: ZoneInfo) -> list[str]:
    """The cells of one delivery, times in the company's zone."""
    contact, coming = delivery.contact, next_try_of(delivery)
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
        time_text(coming.at if coming else None, zone),
    ]
