"""Why, in groups: each failure and warning once, with one note; settled or sent again for all of a group."""

import re
from datetime import timedelta

import pytest

from portal.clock import utcnow
from portal.contacts.notes import MAX_NOTE
from portal.database.db import db
from portal.models import Attempt, AuditEntry, Delivery
from portal.working_models import CauseNote
from tests.conftest import URL
from tests.factories import (
    NOON,
    classify_contact,
    do_tasks,
    endpoint_of,
    make_contact,
    make_delivery,
    mark_delivered,
    set_url,
)

RESUME = 'href="/webhook#situacao"'


@pytest.fixture
def troubled(company):
    """Two contacts that failed for one cause, one for another, and one that was received with words of an error."""
    set_url(company, URL)
    for reason in ("html_page", "html_page", "timeout"):
        fail(make_delivery(make_contact(company)), reason)
    mark_delivered(make_delivery(make_contact(company)), warning="error_words")
    return company


def fail(delivery: Delivery, reason: str) -> None:
    delivery.status, delivery.reason, delivery.next_attempt_at, delivery.attempt_count = "failed", reason, None, 1
    db.session.add(
        Attempt(delivery_id=delivery.id, number=1, trigger="classification", started_at=NOON, url=URL, reason=reason)
    )
    db.session.commit()


def groups(page: str) -> list[tuple[str, str]]:
    """The heading and the number of each group."""
    return re.findall(r'<li class="cause.*?<h3>([^<]+?)\s*<.*?cause-side">\s*<a[^>]*>(\d+) contatos?', page, re.DOTALL)


def test_each_cause_is_a_group_with_the_failures_first(member, troubled):
    found = groups(member.get("/causes").text)
    assert [number for _, number in found] == ["2", "1", "1"]
    assert [words for words, _ in found[:2]] == ["Página HTML na resposta", "Sem resposta a tempo"]
    assert "erro" in found[2][0]


def test_the_causes_and_what_has_none_are_as_many_as_have_not_arrived(member, troubled, monkeypatch):
    monkeypatch.setattr("portal.views.home.CAUSES", 1)
    for _ in range(2):
        make_delivery(make_contact(troubled))  # wait for their first answer
    classify_contact(make_contact(troubled), 3)
    db.session.query(Delivery).filter_by(interest_level=3).delete()
    db.session.commit()
    home, page = member.get("/").text, member.get("/causes").text
    assert "6 contatos não chegaram ao seu CRM." in home
    assert foot(home) == "Mais 1 contato por outro motivo. " + foot(page)
    assert foot(page) == (
        "Mais 2 contatos na fila, ainda sem resposta. Mais 1 contato sem um envio que falhou: é preciso enviá-lo."
    )


def test_of_a_long_queue_a_cause_has_at_least_so_many_contacts(member, troubled, monkeypatch):
    assert "pelo menos" not in member.get("/causes").text
    monkeypatch.setattr("portal.contacts.syncing.LOOK_BACK", 1)
    assert re.search(r"pelo menos \d contatos?<", member.get("/causes").text)


def foot(page: str) -> str:
    words = re.search(r'</ul>\s*<p class="card-foot">(.*?)</p>', page, re.DOTALL)
    return " ".join(re.sub("<[^>]+>", " ", words[1] if words else "").split())


def test_one_note_is_shown_wherever_the_cause_is(admin, member, troubled):
    text = "Falei com o suporte,\nprotocolo <123>"
    answer = admin.post("/causes", {"cause": "html_page", "text": f"  {text} ", "next": "/causes"})
    assert (answer.status_code, answer.location) == (303, "/causes")
    admin.post("/causes", {"cause": "error_words", "text": "Já confirmei"})
    for url in ("/causes", "/"):
        assert "Falei com o suporte,\nprotocolo &lt;123&gt;" in member.get(url).text
    for url in ("/causes", "/warnings"):
        assert "Já confirmei" in member.get(url).text
    assert [entry.subject for entry in db.session.query(AuditEntry).filter_by(action="cause.noted")] == [
        f"html_page: {text}",
        "error_words: Já confirmei",
    ]


def test_a_note_is_changed_and_taken_away(admin, troubled):
    for text in ("um", "dois", "dois", ""):
        admin.post("/causes", {"cause": "timeout", "text": text})
    assert db.session.query(CauseNote).count() == 0
    assert db.session.query(AuditEntry).filter_by(action="cause.noted").count() == 3


def test_a_note_is_the_company_s_own_and_bounded(admin, stranger, member, troubled):
    admin.post("/causes", {"cause": "timeout", "text": "segredo"})
    assert "segredo" not in stranger.get("/causes").text
    assert member.post("/causes", {"cause": "timeout", "text": "x"}).status_code == 403
    assert admin.post("/causes", {"cause": "nonsense", "text": "x"}).status_code == 400
    page = admin.post("/causes", {"cause": "timeout", "text": "x" * (MAX_NOTE + 1)}, follow_redirects=True).text
    assert f"São no máximo {MAX_NOTE} caracteres." in page
    assert db.session.query(CauseNote).one().text == "segredo"


def test_a_group_is_sent_again_and_settled_as_one(admin, troubled):
    page = admin.get("/causes").text
    (resend,) = re.findall(r'href="(/deliveries/resend\?[^"]*reason=html_page[^"]*)"', page)
    confirm = admin.get(resend.replace("&amp;", "&")).text
    assert "Reenviar 2 entregas?" in confirm
    newest_id = re.search(r'name="newest_id" value="(\d+)"', confirm)[1]
    admin.post(resend.replace("&amp;", "&"), {"newest_id": newest_id})
    assert do_tasks().counts == {"resent": 2}
    seen_at = re.search(r'name="seen_at" value="([^"]+)"', page)[1]
    answer = admin.post("/warnings", {"warning": "error_words", "seen_at": seen_at, "next": "/causes"})
    assert answer.location == "/causes"
    left = groups(admin.get("/causes").text)
    assert [number for _, number in left] == ["1", "2"]  # what was sent again is under way


def test_without_trouble_there_is_nothing_to_explain(member):
    assert "Nada a explicar" in member.get("/causes").text


@pytest.mark.parametrize(("state", "is_held"), [("active", False), ("failing", True), ("paused", True)])
def test_what_is_held_is_offered_to_be_resumed_and_not_to_be_sent(admin, member, troubled, state, is_held):
    delivery = make_delivery(make_contact(troubled))
    fail(delivery, "server_error")
    delivery.status, delivery.next_attempt_at = "pending", utcnow() + timedelta(hours=1)
    endpoint_of(troubled).state = state
    db.session.commit()
    send_all = "/deliveries/resend?status=pending&amp;reason=server_error"
    send_one = f'action="/deliveries/{delivery.webhook_id}/resend"'
    for url, send in (("/causes", send_all), (f"/deliveries/{delivery.webhook_id}", send_one)):
        page = admin.get(url).text.partition("<main")[2]
        assert (RESUME in page, send in page) == (is_held, not is_held), url
        assert RESUME not in member.get(url).text.partition("<main")[2]
    assert (RESUME in admin.get("/").text.partition("<main")[2]) == is_held
    assert 'id="situacao"' in admin.get("/webhook").text
