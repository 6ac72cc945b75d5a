"""The hand-over pack: a text file for the CRM vendor's support that shows what happened, and not to whom."""

import json

import pytest

from portal.database.db import db
from portal.demo.server import Reply
from portal.models import Attempt, Delivery, User
from tests.conftest import running_worker
from tests.factories import forget_body, make_contact, make_delivery, set_url

PERSON = {"name": "Mariana Duarte", "email": "mariana@duarte.example", "phone": "+55 11 98877-6655"}
HEADERS = (("X-Request-Id", "req-77"), ("Set-Cookie", "session=abcdef"))
ECHO = b'{"error":"no field for mariana@duarte.example","sent":{"name":"Mariana Duarte","tel":"5511988776655"}}'


@pytest.fixture
def delivery(app, company, receiver) -> Delivery:
    """Sent once, and refused with an answer that repeats what came."""
    receiver.reply = Reply(
        422, ECHO, "application/json", (("X-Request-Id", "req-77"), ("Set-Cookie", "session=abcdef"))
    )
    set_url(company, receiver.url + "hook?token=s3cr3t")
    made = make_delivery(make_contact(company, **PERSON), level=3)
    db.session.rollback()
    with running_worker(app):
        receiver.wait_for(1)
    return db.session.get_one(Delivery, made.id)


def pack_of(person, delivery):
    return person.get(f"/deliveries/{delivery.webhook_id}/support.txt")


def test_the_pack_is_a_file_of_plain_text(member, delivery):
    answer = pack_of(member, delivery)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="entrega-{delivery.webhook_id}.txt"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert f"/deliveries/{delivery.webhook_id}/support.txt" in member.get(f"/deliveries/{delivery.webhook_id}").text


def test_it_holds_what_support_needs(member, delivery, receiver):
    text = pack_of(member, delivery).text
    attempt = db.session.query(Attempt).first()
    signature = receiver.received[0].headers["webhook-signature"]
    for words in (
        f"webhook-id: {delivery.webhook_id}",
        "O destino recusou o pedido com o código 422.",
        "A regra: Pela regra da integração, só o código 200",
        "O que fazer: O destino leu os dados, mas algum campo não serve para ele.",
        f"{attempt.started_at:%Y-%m-%d %H:%M:%S} UTC",
        "-03:00 (America/Sao_Paulo)",
        "HTTP 422, 102 bytes",
        "X-Request-Id: req-77",
        '"error": "no field for xxxxxxx@xxxxxx.xxxxxxx"',
        '"interest_level": 3',
        "/hook?token=…",
        f"webhook-signature: {signature[:8]}…",
    ):
        assert words in text, words
    assert signature not in text


def test_it_shows_nobody_and_opens_nothing(member, delivery):
    text = pack_of(member, delivery).text.casefold()
    for secret in ("mariana", "duarte", "98877", "s3cr3t", "abcdef", "ana@", member.email):
        assert secret not in text


def test_its_body_has_the_structure_of_the_real_one(member, delivery):
    text = pack_of(member, delivery).text
    start = text.index("{", text.index("## O corpo enviado"))
    shown = json.loads(text[start : text.rindex("}") + 1])
    real = json.loads(delivery.body)
    assert [list(part) for part in (shown, shown["contact"])] == [list(part) for part in (real, real["contact"])]
    assert shown["contact"]["phone"] == "+00 00 00000-0000"
    assert shown["contact"]["id"] == real["contact"]["id"]


def test_it_is_in_the_readers_language(admin, delivery):
    db.session.get(User, admin.id).locale = "en"
    text = pack_of(admin, delivery).text
    assert "The destination refused the request with code 422." in text
    assert "entrega" not in text


def test_without_the_body_the_answer_is_not_shown_either(member, delivery):
    forget_body(delivery)
    text = pack_of(member, delivery).text
    assert "HTTP 422" in text
    assert "no field for" not in text


def test_a_delivery_that_never_left_has_a_pack_too(member, company, receiver):
    set_url(company, receiver.url)
    waiting = make_delivery(make_contact(company))
    assert "Nenhuma tentativa ainda." in pack_of(member, waiting).text
    assert "support.txt" not in member.get(f"/deliveries/{waiting.webhook_id}").text


def test_another_companys_delivery_has_none(stranger, delivery):
    assert pack_of(stranger, delivery).status_code == 404
