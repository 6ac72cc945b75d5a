"""The inspector: an address of the portal's own that shows what arrives, verifies it, and keeps little of it."""

import re
import threading
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select
from werkzeug.datastructures import Headers
from werkzeug.serving import make_server

from portal import clock
from portal.company import endpoint, inspector
from portal.database.db import db, reading
from portal.models import AuditEntry
from portal.rules.payload import encode_body, sample_payload
from portal.runtime import runtime
from portal.webhook import USER_AGENT, sign
from portal.worker import run
from portal.working_models import InspectedRequest
from tests.conftest import BOTH, running_worker
from tests.factories import endpoint_of, make_company, make_user, secret_of
from tests.views.conftest import Person

BODY = encode_body(sample_payload())


@pytest.fixture
def path(admin, company) -> str:
    """Where the company's inspector takes what is sent."""
    admin.post("/inspector")
    db.session.expire_all()
    return f"/inspector/{company.inspector_token}"


def send(person, path, body=BODY, **headers):
    return person.open(path, method="POST", data=body, headers={"Content-Type": "application/json"} | headers)


def signed(company, body=BODY, *, secret=None, at=None):
    secret = secret or secret_of(company)
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    return headers | sign("msg_1", body, (secret,), at=at or clock.utcnow())


def kept(company) -> list[InspectedRequest]:
    db.session.rollback()
    return list(inspector.requests_of(db.session, company.id, now=clock.utcnow()))


def test_one_click_makes_an_address_that_nobody_guesses(admin, company):
    assert "Criar endereço de teste" in admin.get("/webhook").text
    page = admin.get(admin.post("/inspector").location).text
    db.session.expire_all()
    assert len(company.inspector_token) == 32
    assert f"http://localhost/inspector/{company.inspector_token}" in page
    assert "Abrir o inspetor" in admin.get("/webhook").text
    token = company.inspector_token
    admin.post("/inspector")
    db.session.expire_all()
    assert company.inspector_token == token
    assert db.session.query(AuditEntry).filter_by(action="inspector.opened").count() == 1


def test_what_anybody_sends_is_answered_as_by_a_receiver_and_shown(admin, nobody, path):
    answer = send(nobody, path)
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "OK", "text/plain")
    page = admin.get("/inspector").text
    for words in ("Sem assinatura", "Content-Type", "Contato Teste", f"{len(BODY)} bytes"):
        assert words in page


@BOTH
def test_the_signature_is_judged_by_the_companys_key(nobody, company, path):
    now = clock.utcnow()
    send(nobody, path, **signed(company))
    send(nobody, path, body=BODY + b" ", **signed(company))
    send(nobody, path, **signed(company, at=now - timedelta(hours=1)))
    send(nobody, path, **signed(company, secret=endpoint.new_secret()))
    send(nobody, path)
    verdicts = [each.signature for each in reversed(kept(company))]
    assert verdicts == ["valid", "invalid", "invalid", "invalid", "unsigned"]


def test_the_old_key_counts_for_as_long_as_it_signs(nobody, admin, company, path):
    headers = signed(company)
    admin.post("/webhook/secret", {"rotate": "yes"})
    send(nobody, path, **headers)
    endpoint_of(company).old_secret_until = clock.utcnow() - timedelta(seconds=1)
    send(nobody, path, **headers)
    assert [each.signature for each in kept(company)] == ["invalid", "valid"]


def test_what_arrives_is_shown_as_inert_text(admin, nobody, path):
    send(nobody, path, body=b'{"a": "<script>alert(1)</script>\\u202e"}', **{"X-Odd": '"><img src=x>'})
    page = admin.get("/inspector").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_bodies_that_are_no_text_are_shown_too(admin, nobody, path):
    for body in (b"", b"\x00\xff\xfe", b"not JSON \x1b[31m"):
        assert send(nobody, path, body=body).status_code == 200
    assert "Sem corpo." in admin.get("/inspector").text


def test_what_opens_something_is_not_kept(admin, nobody, company, path):
    nobody.client.set_cookie("session", "abc")
    send(nobody, path, Authorization="Bearer xyz", **{"X-Long": "y" * 5000})
    shown = dict(kept(company)[0].headers)
    assert (shown["Cookie"], shown["Authorization"], len(shown["X-Long"])) == ("…", "…", 2000)


def test_a_large_body_is_cut_and_a_huge_one_is_refused(admin, nobody, company, path):
    large = b'{"a":"' + b"x" * 100_000 + b'"}'
    send(nobody, path, body=large, **signed(company, large))
    (only,) = kept(company)
    assert (len(only.body), only.size, only.signature) == (64 * 1024, len(large), "valid")
    assert "Cortado em 64 KiB" in admin.get("/inspector").text
    assert send(nobody, path, body=b"x" * (1024 * 1024 + 1)).status_code == 413
    assert len(kept(company)) == 1


def test_only_so_much_is_taken_in_a_minute(admin, nobody, path):
    with time_machine.travel(clock.utcnow(), tick=False) as moved:
        statuses = [send(nobody, path).status_code for _ in range(31)]
        assert statuses == [200] * 30 + [429]
        assert "até 30 vezes por minuto" in admin.get("/inspector").text
        moved.shift(timedelta(seconds=61))
        assert send(nobody, path).status_code == 200


def test_what_many_send_to_one_company_leaves_what_came_to_another(company, monkeypatch, admin):
    monkeypatch.setattr(inspector, "KEPT_REQUESTS", 2)
    for receiving in (make_company("Outra"), company):
        for number in range(4):
            body, now = str(number).encode(), clock.utcnow()
            inspector.take(db.session, receiving.id, headers=Headers(), body=body, vault=runtime().vault, now=now)
        db.session.commit()
    bodies = [row.body for row in db.session.query(InspectedRequest).order_by(InspectedRequest.id)]
    assert bodies == [b"2", b"3"] * 2


@BOTH
def test_only_the_last_ones_are_kept_and_nothing_longer_than_a_day(nobody, company, path, app):
    with time_machine.travel(clock.utcnow(), tick=False) as moved:
        for number in range(60):
            send(nobody, path, body=str(number).encode())
            moved.shift(timedelta(seconds=3))
        found = kept(company)
        assert [each.body for each in found] == [str(number).encode() for number in range(59, 9, -1)]
        newer = inspector.requests_of(db.session, company.id, now=clock.utcnow(), after=found[2].id)
        assert [each.body for each in newer] == [b"59", b"58"]
        moved.shift(timedelta(days=1))
        assert kept(company) == []
        db.session.rollback()
        with db.engine.begin() as connection:
            inspector.forget_old(connection, now=clock.utcnow())
        assert db.session.query(InspectedRequest).count() == 0
        db.session.rollback()


def test_an_unknown_address_takes_nothing(nobody, path):
    assert send(nobody, "/inspector/" + "x" * 32).status_code == 404
    assert nobody.get(path).status_code == 405
    assert db.session.query(InspectedRequest).count() == 0


def test_another_company_sees_nothing_of_it(nobody, stranger, admin, company, path):
    stranger.post("/inspector")
    send(nobody, path)
    assert "Contato Teste" not in stranger.get("/inspector").text
    assert "recebido-" not in stranger.get("/inspector/live?after=0&left=9").text
    stranger.post("/inspector/clear")
    stranger.post("/inspector/close")
    assert len(kept(company)) == 1
    assert company.inspector_token in admin.get("/inspector").text


def test_the_address_is_taken_away_with_what_arrived(admin, nobody, company, path):
    send(nobody, path)
    admin.post("/inspector/close")
    assert send(nobody, path).status_code == 404
    assert kept(company) == []
    assert "Ainda não há um endereço de teste." in admin.get("/inspector").text


def test_what_arrives_is_put_into_an_open_page(admin, nobody, company, path):
    page = admin.get("/inspector").text
    assert 'hx-get="/inspector/live?after=0&amp;left=900"' in page
    assert "recebido-" not in admin.get("/inspector/live?after=0&left=900").text
    send(nobody, path)
    news = admin.get("/inspector/live?after=0&left=900").text
    assert 'id="recebidos" hx-swap-oob="afterbegin"' in news
    newest = kept(company)[0].id
    assert f"after={newest}&amp;left=899" in news
    assert re.findall(r'id="recebido-\d+"( open)?>', news) == [" open"], "the first one is seen at once"
    assert "hx-get" not in admin.get(f"/inspector/live?after={newest}&left=1").text
    send(nobody, path)
    news = admin.get(f"/inspector/live?after={newest}&left=9").text
    assert re.findall(r'id="recebido-\d+"( open)?>', news) == [""]


def test_the_address_is_put_into_the_field_to_be_tested(admin, company, path):
    page = admin.get("/webhook?inspector=yes").text
    assert f'value="http://localhost{path}"' in page
    assert "Este é o inspetor do portal" in page
    assert endpoint_of(company).url is None


def test_the_portals_own_guard_holds_for_it_and_the_page_says_so(make_app):
    app = make_app(allowed_networks=(), base_url="http://127.0.0.1:8000")
    with app.app_context():
        company = make_company("Sem rede")
        admin = Person(app.test_client(), make_user(company))
        page = admin.get(admin.post("/inspector").location).text
        assert "O portal não pode enviar a este endereço." in page
        assert "inspector=yes" not in page
        url = f"http://127.0.0.1:8000/inspector/{company.inspector_token}"
        assert admin.post("/webhook/test", {"url": url}).status_code == 422
        assert send(Person(app.test_client(), None), f"/inspector/{company.inspector_token}").status_code == 200


def test_a_worker_forgets_what_is_a_day_old(nobody, company, path, app, monkeypatch):
    monkeypatch.setattr(run, "HOUSEKEEPING_SECONDS", 0.1)
    send(nobody, path)
    kept(company)[0].received_at -= timedelta(days=1)
    db.session.commit()
    send(nobody, path, body=b"new")
    with running_worker(app):
        for _ in range(100):
            with reading():
                left = list(db.session.scalars(select(InspectedRequest.body)))
            db.session.rollback()
            if left == [b"new"]:
                break
            clock.sleep(0.05)
    assert left == [b"new"]


@pytest.fixture
def served(app):
    """The application on a real port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_test_of_the_webhook_goes_there_by_the_normal_way_and_its_signature_is_valid(admin, company, path, served):
    page = admin.get(admin.post("/webhook/test", {"url": served + path}).location).text
    assert "O teste deu certo." in page
    (only,) = kept(company)
    assert (only.signature, only.body) == ("valid", BODY)
