"""Outages on the pages: the last at home, all at the webhook, each with its deliveries."""

import re
from datetime import timedelta
from html import unescape

from flask_babel import format_datetime

from portal.clock import utcnow
from portal.company.outages import last_outage
from portal.database.db import db
from portal.models import AuditEntry, User
from portal.notices.due import Notice
from portal.notices.letters import write_notice
from portal.people import tokens
from portal.runtime import runtime
from portal.working_models import Outage
from tests.company.test_outages import arrive, break_down
from tests.conftest import URL
from tests.factories import endpoint_of, make_company, set_url


def test_an_outage_is_shown_at_home_and_at_the_webhook_with_its_deliveries(admin, member, company):
    set_url(company, URL)
    break_down(company, waiting=2)
    home = member.get("/").text
    assert "Queda de agora" in home
    assert "(HTTP 503); 7 entregas esperam." in home
    began_at = last_outage(db.session, company.id).began_at
    until = format_datetime(began_at + timedelta(days=3), "HH:mm")
    gives_up = rf"Se ele não voltar até \S+ \d\d/\d\d {until}, o portal pausa o envio até que alguém o retome\."
    assert re.search(gives_up, home)
    assert re.search(gives_up, admin.get("/webhook").text)
    assert "Testar e retomar" not in home
    assert "Testar e retomar" in admin.get("/").text
    arrive(now=utcnow() + timedelta(hours=1))
    arrive(now=utcnow() + timedelta(hours=1, minutes=1))
    home, webhook = member.get("/").text, admin.get("/webhook").text
    assert "Última queda" in home
    assert "7 entregas esperaram e todas chegaram até" in home
    assert "Se ele não voltar" not in home + webhook
    assert "7 entregas esperaram e todas chegaram até" in webhook
    (address,) = set(re.findall(r"/deliveries\?outage=\d+", home + webhook))
    assert ">7 entregas<" in member.get(address).text
    assert "Queda: <strong>1</strong>" in member.get(address).text


def test_what_is_to_come_is_never_said_to_be_past(admin, company):
    """Three days are over, and only the next probe pauses."""
    set_url(company, URL)
    break_down(company, waiting=2)
    db.session.query(Outage).one().began_at = utcnow() - timedelta(days=4)
    db.session.commit()
    for page in ("/", "/webhook"):
        said = admin.get(page).text
        assert "Se ele não voltar até" not in said
        assert "Se a próxima tentativa também falhar, o portal pausa o envio até que alguém o retome." in said


def test_without_an_outage_nothing_is_said(admin, company):
    assert "queda" not in admin.get("/").text.lower()
    assert "Quedas" not in admin.get("/webhook").text


def test_two_companies_receivers_are_away_each_for_itself(admin, stranger, company):
    """At once, for one reason; one comes back, and the other's goes on, whatever its people do meanwhile."""
    other = make_company("Outra Empresa")
    for each in (company, other):
        set_url(each, URL)
        break_down(each, waiting=2)
    set_url(other, f"{URL}/new")
    assert "7 entregas esperaram: 7 ainda esperam." in stranger.get("/").text
    assert "(HTTP 503); 7 entregas esperam." in admin.get("/").text
    admin.post("/webhook/pause")
    assert endpoint_of(company).state == "paused"
    assert "(HTTP 503); 7 entregas esperam." in admin.get("/").text
    assert [last_outage(db.session, each.id).ended_at is None for each in (company, other)] == [True, False]


def test_the_sentence_is_the_same_wherever_it_is_told(app, admin, company):
    set_url(company, URL)
    break_down(company, waiting=2)
    arrive(now=utcnow() + timedelta(minutes=1))
    outage = last_outage(db.session, company.id)
    said, at = outage.message, endpoint_of(company)
    token = tokens.create_token(db.session, db.session.query(User).first(), label="test")
    recovered = db.session.query(AuditEntry).filter_by(action="webhook.recovered").one().subject
    facts = {"language": "pt_BR", "timezone": company.timezone, "told": "failing", "told_at": outage.began_at}
    notice = Notice(way=type(at), endpoint_id=at.id, company_id=company.id, state="active", delivery_id=None, **facts)
    _subject, letter = write_notice(db.session, notice, base_url=None, limits=runtime().settings.limits)
    db.session.commit()
    asking = {"headers": {"Authorization": f"Bearer {token}", "Accept-Language": "pt-BR"}}
    calls = [app.test_client().get(f"/api/v1/{call}", **asking).json for call in ("outages", "report")]
    assert [calls[0]["items"][0]["message"], calls[1]["outages"][0]["message"]] == [said, said]
    for told in (letter, *(unescape(admin.get(page).text) for page in ("/", "/webhook", "/report"))):
        assert said in told
    assert recovered == f"{outage.began_at:%Y-%m-%dT%H:%MZ}/{outage.ended_at:%Y-%m-%dT%H:%MZ} ({outage.held})"
    assert "portal_outages_total 1.0" in admin.get("/metrics").text
