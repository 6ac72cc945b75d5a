"""The report by e-mail: to whoever asks for it, on Mondays or on the 1st, once, in their language."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine

from portal.database.db import db
from portal.i18n import speaking
from portal.models import User
from portal.notices import ReportMail
from portal.report.mailing import subscribe
from tests import factories
from tests.conftest import BOTH, URL
from tests.factories import make_contact, make_delivery, make_user, mark_delivered
from tests.notices.conftest import MailHost

SENDER = "Portal <portal@example.com>"
SATURDAY = datetime(2026, 2, 28, 15, tzinfo=UTC)
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)  # 7:00 in São Paulo


@pytest.fixture
def app(make_app, mail_host):
    app = make_app(smtp_url=mail_host.address, mail_from=SENDER, base_url="http://portal.example.com")
    with app.app_context():
        yield app


@pytest.fixture
def company(app):
    with time_machine.travel(SATURDAY, tick=False):
        company = factories.make_company(url=URL)
        mark_delivered(make_delivery(make_contact(company), 3))
        make_delivery(make_contact(company), 3)
        return company


def asking(company, every, **facts) -> User:
    user = make_user(company, **facts)
    with time_machine.travel(SATURDAY, tick=False):
        subscribe(user, every)
    db.session.commit()
    return user


def look(app, at: datetime) -> bool:
    db.session.commit()
    with time_machine.travel(at, tick=False):
        return ReportMail(db.engine, app.extensions["portal"].settings, partial(speaking, app)).send_due()


@BOTH
def test_on_monday_the_week_before_is_told_once_and_only_to_who_asks(app, company, mail_host):
    asking(company, "week", email="bia@example.com", role="member")
    make_user(company)
    look(app, MONDAY - timedelta(seconds=1))
    assert mail_host.messages == []
    look(app, MONDAY)
    look(app, MONDAY + timedelta(days=3))
    ((envelope, message),) = mail_host.arrived
    assert envelope.rcpt_tos == ["bia@example.com"]
    assert message["Subject"] == "De 23/02/2026 a 01/03/2026: 2 contatos de nível alto; 1 no CRM, 1 não"
    text = message.get_content()
    assert "Geral: 2 contatos de nível alto; 1 no CRM, 1 não." in text
    assert "http://portal.example.com/report?since=2026-02-23&until=2026-03-01" in text
    assert "escolha “nunca”" in text
    look(app, MONDAY + timedelta(days=7))
    assert mail_host.messages[1]["Subject"] == "De 02/03/2026 a 08/03/2026: nenhum contato de nível alto"


def test_on_the_1st_the_month_before_in_the_readers_language(app, company, mail_host):
    asking(company, "month").locale = "en"
    look(app, datetime(2026, 3, 1, 10, tzinfo=UTC))
    (message,) = mail_host.messages
    assert message["Subject"] == "February: 2 contacts of high interest; 1 in the CRM, 1 not"


def test_nobody_gets_one_who_may_not_log_in_or_wants_none_any_more(app, company, mail_host):
    asking(company, "week").disabled_at = SATURDAY
    subscribe(asking(company, "week"), None)
    look(app, MONDAY)
    assert mail_host.messages == []


def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(app, company, mail_host: MailHost):
    asking(company, "week")
    mail_host.refusal = "451 later"
    assert not look(app, MONDAY)
    mail_host.refusal = "550 no such user"
    assert look(app, MONDAY + timedelta(minutes=1))
    mail_host.refusal = None
    assert look(app, MONDAY + timedelta(minutes=2))
    assert mail_host.messages == []


def test_there_are_two_rhythms(app, company):
    with pytest.raises(ValueError, match="day"):
        subscribe(make_user(company), "day")


def test_a_report_that_cannot_be_written_holds_up_no_other(app, company, mail_host):
    for email, facts in (("ana@x.test", {"timezone": "Nowhere/Land"}), ("bia@x.test", {"locale": "zz"})):
        user = asking(company, "week", email=email)
        for name, value in facts.items():
            setattr(user, name, value)
    asking(company, "week", email="caio@x.test")
    assert look(app, MONDAY)
    assert [message["To"] for message in mail_host.messages] == ["caio@x.test"]
