"""The report by e-mail: to whoever asks for it, on Mondays or on the 1st, once, in their language."""

import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from portal.database.db import db
from portal.i18n import speaking
from portal.models import User
from portal.notices.reports import ReportMail
from portal.report.mailing import find_due, subscribe
from tests import factories
from tests.conftest import BOTH, URL
from tests.factories import make_contact, make_delivery, make_user, mark_delivered
from tests.notices.conftest import MailHost

pytestmark = BOTH

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


def mailer(app) -> ReportMail:
    return ReportMail(db.engine, app.extensions["portal"].settings, partial(speaking, app))


def look(app, at: datetime) -> bool:
    db.session.commit()
    with time_machine.travel(at, tick=False):
        return mailer(app).send_due()


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


def test_a_report_that_cannot_be_written_holds_up_no_other(app, company, mail_host, caplog):
    logging.getLogger("portal").propagate = True
    for email, facts in (("ana@x.test", {"timezone": "Nowhere/Land"}), ("bia@x.test", {"locale": "zz"})):
        user = asking(company, "week", email=email)
        for name, value in facts.items():
            setattr(user, name, value)
    asking(company, "week", email="caio@x.test")
    assert look(app, MONDAY)
    assert [message["To"] for message in mail_host.messages] == ["caio@x.test"]
    undated = db.session.query(User.id).filter_by(email="ana@x.test").scalar()
    assert logged(caplog) == [
        {"action": "report_failed", "user_id": undated},
        {"action": "report_failed"},
        {"action": "report_sent", "company_id": company.id},
    ]


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the log says of reports, besides words."""
    facts = ("action", "company_id", "user_id")
    told = [vars(record) for record in dict.fromkeys(caplog.records)]
    return [{name: record[name] for name in facts if name in record} for record in told if "action" in record]


@pytest.mark.parametrize(
    ("timezone", "every", "at", "subject"),
    [  # the clocks go back in the night to Sunday, the 1st; that Monday's report covers an hour more than a week
        ("America/New_York", "month", "2026-11-01T12:00Z", "Outubro: 2 contatos de nível alto; 0 no CRM, 2 não"),
        ("America/New_York", "week", "2026-11-02T12:00Z", "De 26/10/2026 a 01/11/2026: 2 contatos de nível alto; "),
        # They go forward at Sunday's midnight, which that day does not have.
        ("Asia/Beirut", "week", "2027-03-29T04:00Z", "De 22/03/2027 a 28/03/2027: 2 contatos de nível alto; "),
    ],
)
def test_at_seven_by_the_reader_s_clock_also_where_it_was_just_set(
    app, company, mail_host, timezone, every, at, subject
):
    asking(company, every).timezone = timezone
    due = datetime.fromisoformat(at)
    midnight = due - timedelta(hours=7 if every == "week" else 8)
    for moment in (midnight - timedelta(minutes=1), midnight - timedelta(hours=30), midnight + timedelta(minutes=1)):
        with time_machine.travel(moment, tick=False):
            make_delivery(make_contact(company), 3)
    look(app, due - timedelta(days=2))  # the ones before
    mail_host.arrived.clear()
    look(app, due - timedelta(seconds=1))
    assert mail_host.messages == []
    look(app, due)
    (message,) = mail_host.messages
    assert message["Subject"].startswith(subject)


def test_what_was_due_while_the_portal_was_off_is_sent_once_when_it_is_back(app, company, mail_host):
    asking(company, "week")
    back = MONDAY + timedelta(days=17, hours=5)
    for _round in range(2):
        look(app, back)
    look(app, back + timedelta(days=3))
    (message,) = mail_host.messages
    assert message["Subject"].startswith("De 09/03/2026 a 15/03/2026")


def test_of_two_workers_that_see_it_due_one_sends_it(app, company, mail_host):
    asking(company, "week")
    with time_machine.travel(MONDAY, tick=False):
        (issue,) = find_due(db.session, now=MONDAY)
        db.session.rollback()
        mailer(app)._send(issue)
        assert mailer(app)._send(issue)
    assert len(mail_host.messages) == 1


def test_each_company_s_people_get_its_own_numbers_whoever_else_is_refused(app, company, mail_host, caplog):
    """One server says no for good to one reader, and later to another; nobody gets it twice."""
    logging.getLogger("portal").propagate = True
    other = factories.make_company("Outra", url=URL)
    with time_machine.travel(SATURDAY, tick=False):
        make_delivery(make_contact(other), 3)
    other.locale = "en"
    for at, name in ((company, "ana"), (company, "bia"), (other, "caio"), (other, "davi")):
        asking(at, "week", email=f"{name}@x.test")
    mail_host.refusals = {"ana@x.test": "550 no such user", "caio@x.test": "451 later"}
    assert not look(app, MONDAY)
    acts = [("report_failed", company), ("report_sent", company), ("report_failed", other), ("report_sent", other)]
    assert logged(caplog) == [{"action": action, "company_id": each.id} for action, each in acts]
    mail_host.refusals = {}
    assert look(app, MONDAY + timedelta(minutes=1))
    assert [(message["To"], message["Subject"]) for message in mail_host.messages] == [
        ("bia@x.test", "De 23/02/2026 a 01/03/2026: 2 contatos de nível alto; 1 no CRM, 1 não"),
        *((f"{name}@x.test", "From 2/23/26 to 3/1/26: 1 contact of high interest; 0 in the CRM, 1 not")
          for name in ("davi", "caio")),
    ]  # fmt: skip
