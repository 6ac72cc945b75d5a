"""Contacts: found, classified by one click, shown in full, written."""

import re
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from portal.audit import Actor
from portal.contacts import listing
from portal.contacts.body import payload_of
from portal.contacts.classifying import classify
from portal.contacts.standing import SHOWN_STATES
from portal.database.db import db
from portal.models import Contact, Delivery
from tests.conftest import URL
from tests.factories import (
    classify_contact,
    endpoint_of,
    make_company,
    make_contact,
    make_delivery,
    make_user,
    mark_delivered,
    save,
    set_url,
)


def names_in(page):
    return [name for name in ("Ana", "Élio", "Zoé") if f">{name}</a>" in page]


@pytest.fixture
def three(company):
    ana = make_contact(company, name="Ana")
    other = make_user(company, role=None, name="Outro", email="outro@example.com")
    elio = make_contact(company, name="Élio")
    elio.owner = other
    make_contact(company, name="Zoé").owner = ana.owner
    classify_contact(ana, 3)
    return ana, elio


def test_the_list_goes_by_name(member, three):
    page = member.get("/contacts").text
    assert page.index(">Ana<") < page.index(">Élio<") < page.index(">Zoé<")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=elio", ["Élio"]),
        ("search=ZOÉ", ["Zoé"]),
        ("level=3", ["Ana"]),
        ("level=none", ["Élio", "Zoé"]),
        ("level=9", []),
        ("campaign=99", []),
        ("campaign=x", []),
        ("search=%25", []),
    ],
)
def test_the_list_is_filtered_by_its_address(member, three, query, found):
    assert names_in(member.get(f"/contacts?{query}").text) == found


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("waiting", ["Ana"]),
        ("in_sync", ["Zoé"]),
        ("never_sent", ["Élio"]),
        ("out_of_sync", []),
        ("", ["Ana", "Élio", "Zoé"]),
        ("late", []),
    ],
)
def test_the_list_is_filtered_by_what_the_crm_knows(member, company, three, state, found):
    set_url(company, "https://crm.example.com/hook")
    make_delivery(three[0], level=2)
    zoe = db.session.query(Contact).filter_by(name="Zoé").one()
    mark_delivered(make_delivery(zoe))
    for name in ("state", "sync"):
        page = member.get(f"/contacts?{name}={state}").text
        assert names_in(page) == found
        assert (f'value="{state}" selected' in page) == (state in SHOWN_STATES)


def test_the_list_is_filtered_by_owner(member, three):
    assert names_in(member.get(f"/contacts?owner={three[1].owner_id}").text) == ["Élio"]


@pytest.mark.parametrize("search", ["ELIO@EXEMPLO", "elio-sá", "ELIO-SA", "açucar", "Acucar & filhos"])
def test_a_contact_is_found_by_its_e_mail_linkedin_id_and_company_too(member, company, three, search):
    item = {"name": "Élio", "email": "elio@exemplo.com.br", "linkedin_public_id": "elio-sá"}
    item["current_company"] = "Açúcar & Filhos"
    save(company, {"contact": item | {"id": three[1].id}})
    assert names_in(member.get("/contacts", query_string={"search": search}).text) == ["Élio"]


@pytest.mark.slow
def test_long_lists_go_on_where_the_last_page_ended(member, company):
    for number in range(30):
        make_contact(company, name=f"Pessoa {number:02}")
    first = member.get("/contacts").text
    assert "Pessoa 19" in first
    assert "Pessoa 20" not in first
    cursor = db.session.query(Contact).filter_by(name="Pessoa 19").one().id
    second = member.get(f"/contacts?cursor={cursor}").text
    assert "Pessoa 19" not in second
    assert "Pessoa 20" in second


@pytest.mark.parametrize("cursor", ["x", "-1", "99999999999999999999", "²", "0"])
def test_a_strange_cursor_begins_again(member, three, cursor):
    assert names_in(member.get("/contacts", query_string={"cursor": cursor}).text) == ["Ana", "Élio", "Zoé"]


def test_the_list_says_that_the_crm_learns_of_a_level_only_where_it_does(member, company, receiver):
    assert "Nenhuma URL de destino está configurada" in member.get("/contacts").text
    set_url(company, receiver.url)
    assert "o seu CRM fica sabendo em seguida" in member.get("/contacts").text
    endpoint_of(company).state = "paused"
    assert "o seu CRM fica sabendo quando o envio voltar" in member.get("/contacts").text


def test_one_click_classifies_and_queues_a_delivery(member, company, receiver):
    set_url(company, receiver.url)
    contact = make_contact(company)
    answer = member.post(f"/contacts/{contact.id}/level", {"level": "3", "next": "/contacts?level=none"})
    assert (answer.status_code, answer.location) == (303, "/contacts?level=none")
    delivery = db.session.query(Delivery).one()
    assert (delivery.interest_level, delivery.actor, delivery.status) == (3, member.email, "pending")


def test_one_click_with_htmx_answers_with_the_row(member, company, receiver):
    set_url(company, receiver.url)
    contact = make_contact(company, name="Ana")
    answer = member.post(f"/contacts/{contact.id}/level", {"level": "2"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith("<tr")
    assert "Na fila" in answer.text
    assert 'data-key="2" aria-pressed="true"' in answer.text


def test_the_cross_removes_the_level_and_sends_nothing(member, company, receiver):
    set_url(company, receiver.url)
    contact = make_contact(company)
    classify_contact(contact, 1)
    assert member.post(f"/contacts/{contact.id}/level", {"level": "none"}).status_code == 303
    assert db.session.get(Contact, contact.id).interest_level is None
    assert db.session.query(Delivery).count() == 1


@pytest.mark.parametrize("level", ["", "0", "4", "None", "3.0", "²"])
def test_an_unknown_level_is_refused(member, company, level):
    contact = make_contact(company)
    assert member.post(f"/contacts/{contact.id}/level", {"level": level}).status_code == 400


def test_a_classification_never_sends_people_off_the_portal(member, company):
    contact = make_contact(company)
    answer = member.post(f"/contacts/{contact.id}/level", {"level": "1", "next": "//evil.example"})
    assert answer.location == f"/contacts/{contact.id}"


def test_the_badge_of_a_contact_on_its_way_looks_for_news(member, company, receiver):
    set_url(company, receiver.url)
    contact = make_contact(company)
    delivery = make_delivery(contact)
    assert "hx-get" in member.get(f"/contacts/live?id={contact.id}&left=5").text
    mark_delivered(delivery)
    news = member.get(f"/contacts/live?id={contact.id}&left=5").text
    assert "Em dia" in news
    assert "hx-get" not in news


def test_the_history_names_who_changed_the_level_of_this_company_alone(person, company):
    rui = make_user(company, name="Rui Sá", email="rui@x.example")
    make_user(make_company("Outra"), name="Vera", email="vera@x.example")
    contact = make_contact(company)
    for level, actor in enumerate((rui.email, "vera@x.example", "console"), 1):
        classify(db.session, Actor(company.id, actor), contact.id, level)
    db.session.commit()
    page = person(rui).get(f"/contacts/{contact.id}").text
    assert re.findall(r'row-more">([^<]+) · <time', page) == ["Terminal", "vera@x.example", "Rui Sá"]


@pytest.mark.parametrize(("shown", "is_said"), [(2, True), (3, False)])
def test_of_a_long_history_the_latest_changes_are_shown_and_that_is_said(member, company, monkeypatch, shown, is_said):
    contact = make_contact(company)
    for level in (1, 2, 3):
        classify_contact(contact, level)
    monkeypatch.setattr(listing, "HISTORY_CAP", shown)
    page = member.get(f"/contacts/{contact.id}").text
    history = page.partition('<ol class="history">')[2].partition("</ol>")[0]
    assert history.count("<li>") == shown
    assert (f"São mostradas as últimas {shown} mudanças de nível." in page) is is_said


def test_a_contact_shows_every_field_and_its_history(member, company, receiver):
    set_url(company, receiver.url)
    contact = make_contact(
        company,
        name="Ana",
        role="Diretora",
        location="Recife",
        phone="+55 81 9",
        skills=[{"skill": "Vendas", "endorsements": 7}],
        experiences=[{"experience": "Gerente", "company_link": "https://x.example"}],
        invite_date="2026-01-22 12:28:47",
    )
    classify_contact(contact, 1)
    page = member.get(f"/contacts/{contact.id}").text
    for text in (
        "Diretora",
        "Recife",
        "+55 81 9",
        "Vendas",
        "Gerente",
        "22 de jan. de 2026 12:28:47",
        "ana@example.com",
    ):
        assert text in page


def test_a_link_from_data_is_only_followed_when_it_is_a_web_address(member, company):
    contact = make_contact(company, current_company_link="javascript:alert(1)")
    page = member.get(f"/contacts/{contact.id}").text
    assert "javascript:alert(1)" in page
    assert 'href="javascript' not in page


def test_foreign_text_stays_text(member, company):
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
    contact = make_contact(company, name=hostile, role=hostile, phone=hostile[:100])
    classify_contact(contact, 1)
    for url in ("/contacts", f"/contacts/{contact.id}", f"/contacts/{contact.id}/edit", "/"):
        page = member.get(url).text
        assert "<script>alert" not in page
        assert "<img" not in page


FORM = {"name": "Nova Pessoa", "campaign": "Varejo", "owner": "", "accept_date": "", "reply_date": ""}
"""As a browser sends it: a field that is not filled in comes as an empty text."""


def test_a_first_contact_comes_with_the_campaign_that_every_edge_falls_back_on(member, company):
    field = re.compile(r'<input[^>]*name="campaign"[^>]*>')
    assert 'value="Geral"' in field.search(member.get("/contacts/new").text)[0]
    save(company, {"contact": {"name": "Ana"}, "campaign": {"name": "Norte"}})
    assert 'value="Norte"' in field.search(member.get("/contacts/new").text)[0]
    save(company, {"contact": {"name": "Rui"}, "campaign": {"name": "Sul"}})
    assert 'value="Sul"' in field.search(member.get("/contacts/new").text)[0]


def test_a_contact_is_written(member):
    form = FORM | {"owner": member.email, "skills": "Vendas; 3\n\nExcel", "experiences": "Gerente; https://x.example"}
    answer = member.post("/contacts/new", form)
    contact = db.session.query(Contact).one()
    assert answer.location == f"/contacts/{contact.id}"
    assert (contact.name, contact.campaign.name, contact.owner.email) == ("Nova Pessoa", "Varejo", member.email)
    assert contact.skills == [{"skill": "Vendas", "endorsements": 3}, {"skill": "Excel", "endorsements": None}]
    assert contact.experiences == [{"experience": "Gerente", "company_link": "https://x.example"}]
    assert contact.collect_date is not None


def test_what_names_nobody_is_not_saved_and_the_page_says_so(member):
    given = {"owner": member.email, "email": "arroba", "linkedin_public_id": "https://www.linkedin.com/company/xis"}
    answer = member.post("/contacts/new", FORM | given)
    page = member.get(answer.location).text
    assert "O e-mail não foi salvo" in page
    assert "O LinkedIn não foi salvo" in page
    contact = db.session.query(Contact).one()
    assert (contact.email, contact.linkedin_public_id) == (None, None)


def test_editing_without_a_change_changes_nothing(member, company):
    contact = make_contact(
        company, name="Ana", invite_date="2026-01-22 12:28:47", skills=[{"skill": "a; b", "endorsements": 1}]
    )
    before = facts_of(contact)
    page = member.get(f"/contacts/{contact.id}/edit")
    assert 'value="2026-01-22T12:28:47"' in page.text
    form = {
        "name": "Ana",
        "campaign": contact.campaign.name,
        "owner": contact.owner.email,
        "linkedin_public_id": contact.linkedin_public_id,
        "invite_date": "2026-01-22T12:28:47",
        "collect_date": local(contact),
        "skills": "a; b; 1",
    }
    assert member.post(f"/contacts/{contact.id}/edit", form).status_code == 303
    db.session.expire_all()
    assert facts_of(db.session.get(Contact, contact.id)) == before


class Form(HTMLParser):
    """What a browser sends of the page's main form when nobody touches it."""

    def __init__(self, page):
        super().__init__()
        self.values, self.name, self.text, self.is_in = {}, None, "", False
        self.feed(page)

    def handle_starttag(self, tag, pairs):
        given = dict(pairs)
        self.is_in = "form-page" in (given.get("class") or "") if tag == "form" else self.is_in
        if not self.is_in:
            return
        if tag == "input" and (given.get("type") != "checkbox" or "checked" in given):
            self.values[given["name"]] = given.get("value", "")
        elif tag in ("textarea", "select"):
            self.name, self.text = given["name"], ""
        elif tag == "option" and "selected" in given:
            self.text = given["value"]

    def handle_data(self, data):
        if self.name and self.lasttag == "textarea":
            self.text += data

    def handle_endtag(self, tag):
        if tag in ("textarea", "select") and self.name:
            self.values[self.name] = re.sub(r"\r?\n", "\r\n", re.sub(r"^\r?\n", "", self.text))
            self.name = None
        self.is_in = self.is_in and tag != "form"


def form_of(page):
    return Form(page).values


SAID = {"sender_name": "Ana", "message": "Olá,\ntudo bem?", "date": "2026-01-22 12:30:00.25", "pending_message": 1}
STRANGE = {
    "contact": {
        "name": "Ana",
        "role": "  Sócia ",
        "invite_date": "2026-01-22 12:28:47.5",
        "skills": [{"skill": "a; b", "endorsements": None}, {"skill": "c", "endorsements": 2}],
        "experiences": [{"experience": " x ", "company_link": None}],
    },
    "messages": [SAID, {"sender_name": "", "message": "sem data", "date": None, "pending_message": 0}],
}


def test_a_form_that_nobody_touched_changes_nothing_whatever_is_stored(member, company):
    contact = save(company, STRANGE)
    before = payload_of(contact), contact.updated_at, [message.id for message in contact.messages]
    url = f"/contacts/{contact.id}/edit"
    assert member.post(url, form_of(member.get(url).text)).status_code == 303
    contact = db.session.get(Contact, contact.id)
    assert (payload_of(contact), contact.updated_at, [message.id for message in contact.messages]) == before


def test_the_thread_is_written_changed_and_shortened_by_the_form(member, company):
    contact = save(company, STRANGE)
    url = f"/contacts/{contact.id}/edit"
    form = form_of(member.get(url).text)
    form |= {"thread-0-message": "", "thread-2-sender_name": "Rui", "thread-2-message": "nova", "thread-2-pending": "y"}
    assert member.post(url, form).status_code == 303
    messages = db.session.get(Contact, contact.id).messages
    assert [(each.sender_name, each.message, each.pending) for each in messages] == [
        ("", "sem data", False),
        ("Rui", "nova", True),
    ]


def test_of_a_long_thread_the_form_shows_the_end_and_keeps_the_beginning(member, company):
    said = [SAID | {"message": f"mensagem {number}"} for number in range(40)]
    contact = save(company, {"contact": {"name": "Ana"}, "messages": said})
    url = f"/contacts/{contact.id}/edit"
    page = member.get(url).text
    assert ("mensagem 9<" in page, "mensagem 10<" in page) == (False, True)
    assert member.post(url, form_of(page) | {"thread-0-message": "outra"}).status_code == 303
    texts = [message.message for message in db.session.get(Contact, contact.id).messages]
    assert texts == [*(f"mensagem {number}" for number in range(10)), "outra", *(s["message"] for s in said[11:])]


def test_a_form_says_that_the_messages_are_too_long_and_keeps_what_was_typed(member, company):
    contact = save(company, {"contact": {"name": "Ana"}, "messages": [SAID | {"message": "x" * 20_000}] * 24})
    url = f"/contacts/{contact.id}/edit"
    typed = form_of(member.get(url).text) | {"thread-24-message": "y" * 20_000}
    answer = member.post(url, typed)
    assert "As mensagens passam de 2.000, ou de 500.000 caracteres" in answer.text
    assert "y" * 20_000 in answer.text
    assert len(db.session.get(Contact, contact.id).messages) == 24


def test_a_form_without_the_thread_leaves_it_alone(member, company):
    contact = save(company, STRANGE)
    given = {"name": "Ana B.", "campaign": "Geral", "owner": contact.owner.email}
    assert member.post(f"/contacts/{contact.id}/edit", given).status_code == 303
    assert len(db.session.get(Contact, contact.id).messages) == 2


def local(contact):
    return contact.collect_date.astimezone(ZoneInfo("America/Sao_Paulo")).strftime("%Y-%m-%dT%H:%M:%S")


def facts_of(contact):
    names = ("name", "linkedin_public_id", "skills", "experiences", "invite_date", "owner_id", "campaign_id", "email")
    return [getattr(contact, name) for name in names]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 301),
        ("campaign", "  "),
        ("owner", "somebody@else.example"),
        ("skills", "Vendas; muitos"),
        ("invite_date", "ontem"),
        ("phone", "9" * 101),
    ],
)
def test_the_form_says_at_the_field_what_is_wrong(member, field, value):
    answer = member.post("/contacts/new", FORM | {"owner": member.email} | {field: value})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert db.session.query(Contact).count() == 0


def test_a_form_sets_nothing_that_it_does_not_show(member, company, stranger):
    hidden = {"company_id": "2", "interest_level": "3", "id": "7", "role_": "admin"}
    member.post("/contacts/new", FORM | {"owner": member.email} | hidden)
    contact = db.session.query(Contact).one()
    assert (contact.company_id, contact.interest_level) == (company.id, None)


def test_a_person_of_another_company_cannot_be_made_owner(member, stranger):
    answer = member.post("/contacts/new", FORM | {"owner": stranger.email})
    assert answer.status_code == 422


def test_an_empty_list_says_how_to_begin(member):
    assert "Nenhum contato ainda" in member.get("/contacts").text


def test_the_data_of_now_are_sent_by_a_click_and_only_then(member, company):
    set_url(company, "https://crm.example.com/hook")
    contact = make_contact(company, name="Ana")
    mark_delivered(make_delivery(contact))
    url = f"/contacts/{contact.id}"
    assert "Enviar os dados atuais" not in member.get(url).text
    save(company, {"contact": {"id": contact.id, "role": "Sócia"}})
    page = member.get(url).text
    assert "O CRM tem os dados de antes" in page
    assert f'action="{url}/send"' in page
    assert db.session.query(Delivery).count() == 1
    for _ in range(2):
        assert member.post(f"{url}/send").location == url
    assert [row.trigger for row in db.session.query(Delivery).order_by(Delivery.id)] == ["classification", "sync"]
    page = member.get(url).text
    assert "Enviar os dados atuais" not in page
    assert '<span class="visually-hidden">para</span>' not in page  # the level stayed: no change is drawn


def test_a_contact_without_a_level_is_not_sent(member, company):
    set_url(company, "https://crm.example.com/hook")
    contact = make_contact(company)
    member.post(f"/contacts/{contact.id}/send")
    assert "Um contato sem nível não é enviado" in member.get(f"/contacts/{contact.id}").text
    assert db.session.query(Delivery).count() == 0


def test_the_data_of_now_of_those_that_are_ticked_are_sent_at_once(member, company):
    set_url(company, "https://crm.example.com/hook")
    contacts = [make_contact(company, name=name) for name in ("Ana", "Rui", "Sem nível")]
    for contact in contacts[:2]:
        mark_delivered(make_delivery(contact))
        save(company, {"contact": {"id": contact.id, "role": "Sócia"}})
    assert 'formaction="/contacts/send"' in member.get("/contacts?state=data_changed").text
    ids = [str(contact.id) for contact in contacts]
    for _ in range(2):
        assert member.post("/contacts/send", {"contact": ids}).status_code == 303
    assert db.session.query(Delivery).filter_by(trigger="sync").count() == 2


def test_a_contact_without_a_level_says_what_the_crm_keeps_and_whether_it_is_told(member, company):
    contact = make_contact(company)
    assert "Nada é enviado até que haja uma URL de destino." in member.get(f"/contacts/{contact.id}").text
    set_url(company, URL)
    assert "Ao escolher um, o CRM é avisado." in member.get(f"/contacts/{contact.id}").text
    mark_delivered(make_delivery(contact, 3))
    classify_contact(contact, None)
    page = member.get(f"/contacts/{contact.id}").text
    assert "O CRM continua com 3: a remoção de um nível não é enviada." in page
    assert "Em dia" not in page
    assert "O CRM continua com o nível" in page[page.index(f'id="sync-{contact.id}"') :]


def test_a_level_whose_delivery_was_purged_is_not_said_to_be_older_than_the_address(member, company):
    set_url(company, URL)
    contact = make_contact(company)
    db.session.delete(make_delivery(contact, 2))
    db.session.commit()
    assert "ou o envio já saiu do registro" in member.get(f"/contacts/{contact.id}").text
