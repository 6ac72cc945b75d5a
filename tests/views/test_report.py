"""The report as a page and a file: the sentence, numbers that open as many contacts, and any span."""

import csv
import io
import re
from datetime import date, timedelta
from html import unescape

import pytest
from playwright.sync_api import expect

from portal.contacts.reaching import Reached
from portal.database.db import db
from portal.models import AuditEntry, Contact, User
from portal.report.words import say_reached
from tests.conftest import URL
from tests.factories import classify_contact, make_contact, make_delivery, mark_delivered, save, set_url
from tests.report.test_report import SINCE, UNTIL, ZONE, on
from tests.views.browser import NARROWEST, WIDE, Watched

MARCH = "/report?month=2026-03"


@pytest.fixture
def march(company):
    set_url(company, URL)
    with on(4):
        for name in ("Ana", "Bia"):
            mark_delivered(make_delivery(make_contact(company, name=name), 3))
        make_delivery(make_contact(company, name="Caio"), 3)
        mark_delivered(make_delivery(make_contact(company, name="Davi"), 1), warning="error_words")


@pytest.mark.usefixtures("march")
@pytest.mark.parametrize("reader", ["admin", "member"])
def test_every_number_of_the_page_opens_as_many_contacts(request, reader):
    person = request.getfixturevalue(reader)
    page = person.get(MARCH).text
    assert "3 contatos de nível alto; 2 no CRM, 1 não." in page
    numbers = re.findall(r'<a href="(/contacts\?[^"]*reached[^"]*)">(\d+)</a>', page)
    assert len(numbers) >= 4 * 3
    for address, number in set(numbers):
        shown = person.get(unescape(address)).text
        assert re.search(rf">{number} contatos?</p>", shown), address
        assert "Do relatório: <strong>nível" in shown


@pytest.mark.usefixtures("march")
def test_a_span_a_campaign_and_what_cannot_be(admin, company):
    assert "De 01/03/2026 a 03/03/2026: nenhum contato" in admin.get("/report?since=2026-03-01&until=2026-03-03").text
    assert "4 de março de 2026: 3 contatos" in admin.get("/report?since=2026-03-04&until=2026-03-04").text
    assert "nenhum contato" in admin.get(f"{MARCH}&campaign=999").text
    for span in ("since=2026-03-04&until=2026-03-01", "since=2020-01-01&until=2026-01-01"):
        assert "O período precisa terminar depois de começar" in admin.get(f"/report?{span}").text
        answer = admin.get(f"/report/report.csv?{span}&campaign=999&_external=1&_scheme=ftp")
        assert (answer.status_code, answer.location) == (303, f"/report?{span}&campaign=999")
    mark_delivered(make_delivery(make_contact(company), 3))
    for address in ("/report", "/report?month=x"):
        assert ": 1 contato de nível alto; está no CRM." in admin.get(address).text


@pytest.mark.usefixtures("march")
def test_no_table_says_the_same_again(admin, company):
    campaign = db.session.query(Contact.campaign_id).filter_by(name="Ana").scalar()
    assert tables(admin.get(MARCH).text) == ["Por nível", "Por responsável", "Por semana"]
    save(company, {"contact": {"name": "Eva"}, "campaign": {"name": "Outra"}})
    db.session.commit()
    assert tables(admin.get(MARCH).text) == ["Por nível", "Por campanha", "Por responsável", "Por semana"]
    assert "Por campanha" not in tables(admin.get(f"{MARCH}&campaign={campaign}").text)


def tables(page: str) -> list[str]:
    return re.findall(r"<caption[^>]*>([^<]+)</caption>", page)


@pytest.mark.usefixtures("march")
def test_on_paper_it_says_whose_it_is_of_when_and_what_narrows_it(admin, company):
    contact = db.session.query(Contact).first()
    campaign, owner = contact.campaign, contact.owner
    page = admin.get(f"{MARCH}&campaign={campaign.id}&owner={owner.id}").text
    line = re.search(r'<p class="print-only">([^<]*)</p>', page).group(1)
    for words in (
        company.name,
        "De 1 de março de 2026 a 31 de março de 2026",
        campaign.name,
        owner.name,
        "impresso em",
    ):
        assert unescape(words) in unescape(line)


@pytest.mark.usefixtures("march")
def test_the_file_has_the_numbers_of_the_page(admin):
    answer = admin.get("/report/report.csv?month=2026-03")
    header, *rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";")
    assert header == ["Por", "Nome", "De", "Até", "Nível", "Contatos", "No CRM", "Com aviso", "Não"]
    assert rows[0] == ["Tudo", "", "2026-03-01", "2026-03-31", "3", "3", "2", "0", "1"]
    assert rows[2] == ["Tudo", "", "2026-03-01", "2026-03-31", "1", "1", "0", "1", "0"]
    assert {row[0] for row in rows} == {"Tudo", "Campanha", "Responsável", "Semana"}
    assert db.session.query(AuditEntry).filter_by(action="report.exported").one().actor == admin.email


def test_a_level_that_was_taken_away_still_counts_as_reached(admin, company):
    with on(5):
        contact = make_contact(company, name="Eva")
        classify_contact(contact, 2)
        classify_contact(contact, None)
    assert "Médio" in admin.get(MARCH).text


def test_whoever_wants_it_by_mail_says_so(member):
    assert "por-email" not in member.get("/report").text
    for every, kept in (("week", "week"), ("month", "month"), ("", None)):
        answer = member.post("/report/mail", {"every": every})
        assert answer.status_code == 303
        db.session.expire_all()
        assert db.session.query(User).filter_by(role="member").one().report_every == kept
    assert member.post("/report/mail", {"every": "day"}).status_code == 400


def test_the_paper_has_the_numbers_in_dark_ink_and_what_they_mean(chromium, site):
    """Also from a dark screen: paper shows no dark ground behind light words, and takes no clicks."""
    site.receiver.stop()
    contact = db.session.query(Contact).first()
    make_delivery(contact, 3)
    watched = Watched(chromium, site, viewport=WIDE, color_scheme="dark")
    page = watched.log_in(site.admin_email)
    page.goto("/report")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.emulate_media(media="print")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    expect(page.get_by_role("heading", name=re.compile("1 contato de nível alto"))).to_be_visible()
    expect(page.get_by_text("Um contato conta uma vez por nível em cada período")).to_be_visible()
    for gone in ("Baixar CSV", "Salvar", "Mostrar", "Por e-mail"):
        expect(page.get_by_text(gone, exact=True)).to_be_hidden()
    watched.close()


def test_the_whole_file_says_of_each_part_whose_and_of_when_it_is(admin, company):
    set_url(company, URL)
    with on(4):
        owner = {"name": "Rui", "email": "rui@example.com"}
        item = {"contact": {"name": "Ana"}, "campaign": {"name": "Feira"}, "contact_owner": owner}
        mark_delivered(make_delivery(save(company, item), 2), warning="error_words")
        make_delivery(save(company, item | {"contact": {"name": "Bia"}}), 1)
    answer = admin.get("/report/report.csv?since=2026-03-02&until=2026-03-10")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="relatorio-20')
    _, *rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";")
    counts = [["3", "0", "0", "0", "0"], ["2", "1", "0", "1", "0"], ["1", "1", "0", "0", "1"]]
    whole, nothing = ["2026-03-02", "2026-03-10"], [[level, "0", "0", "0", "0"] for level in "321"]
    parts = {
        ("Tudo", "", *whole): counts,
        ("Campanha", "Feira", *whole): counts,
        ("Responsável", "Rui", *whole): counts,
        ("Semana", "", "2026-03-02", "2026-03-08"): counts,
        ("Semana", "", "2026-03-09", "2026-03-10"): nothing,
    }
    assert rows == [[*part, *each] for part, levels in parts.items() for each in levels]


@pytest.mark.parametrize(
    ("arrival", "words"),
    [(None, ""), ("in_crm", ", no CRM"), ("with_warning", ", com aviso"), ("missing", ", não está no CRM")],
)
def test_the_list_says_whom_a_number_counts(app, arrival, words):
    with on(4), app.test_request_context():
        assert say_reached(Reached(1, 2, SINCE, UNTIL, arrival), zone=ZONE) == f"nível 2, Março{words}"


OVERLAPPING = """() => {
  const boxes = [...document.querySelectorAll(".chart-label")].map((each) => each.getBoundingClientRect());
  return boxes.filter((box, place) => place && box.left < boxes[place - 1].right + 4).length;
}"""


@pytest.mark.slow
def test_the_words_of_a_picture_can_be_read_however_many_weeks_it_has(page, site):
    company = db.session.get(User, 1).company
    mark_delivered(make_delivery(make_contact(company, name="Ana"), 3))
    db.session.commit()
    today = date.today()
    page.set_viewport_size(NARROWEST)
    for weeks in (1, 3, 5, 6, 7, 13, 26, 52):
        page.goto(f"/report?since={today - timedelta(weeks=weeks)}&until={today + timedelta(days=30)}")
        assert page.locator(".chart-label").count() > 1
        assert page.evaluate(OVERLAPPING) == 0, weeks
        assert page.locator(".chart-day").count() <= weeks + 1  # nothing is drawn of weeks to come
