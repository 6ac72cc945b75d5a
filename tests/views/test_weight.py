"""Pages are light: 60 kB of HTML at most, with full lists too, of which a quarter is sent."""

import pytest

from portal.database.db import db
from tests.factories import classify_contact, make_contact, make_delivery, mark_delivered, set_url

LISTS = (
    "/",
    "/contacts",
    "/contacts/1",
    "/deliveries",
    "/deliveries?status=failed",
    "/audit",
    "/webhook",
    "/integration",
)


@pytest.fixture
def full_lists(company, receiver):
    """More contacts and deliveries than a page shows, with names of ordinary length and every state among them."""
    set_url(company, receiver.url)
    for number in range(51):
        contact = make_contact(
            company,
            name=f"Maria Aparecida dos Santos {number}",
            role="Coordenadora de Qualidade",
            current_company="Papel e Celulose Araucária",
        )
        classify_contact(contact, 1)
        delivery = make_delivery(contact, 3)
        if number % 2:
            mark_delivered(delivery)
        else:
            delivery.status, delivery.reason = "failed", "client_error"
    db.session.commit()


@pytest.mark.slow
def test_a_full_list_is_light(admin, full_lists):
    for url in LISTS:
        assert len(admin.get(url).data) < 60_000, url
        sent = admin.get(url, headers={"Accept-Encoding": "br, gzip"})
        assert sent.headers["Content-Encoding"] == "br"
        assert len(sent.data) < 15_000, url
