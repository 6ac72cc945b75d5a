"""The report: every number is what a plain count of the tables says, and opens as many contacts."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import bindparam, event, text

from portal import report as report_room
from portal.company.knowledge import begin_anew
from portal.contacts import doubts
from portal.contacts.filtering import ContactFilter
from portal.contacts.filtering import read_filter as read_contact_filter
from portal.contacts.listing import count_contacts
from portal.contacts.merging import merge
from portal.contacts.reaching import ARRIVALS, Reached, read_reached
from portal.contacts.syncing import backlog_of
from portal.database.db import db
from portal.database.tables import UTCDateTime
from portal.models import Company, Contact, Delivery
from portal.report import BadSpan, Part, Report, ReportFilter, make_report, read_filter
from portal.report.words import say
from tests import factories
from tests.conftest import BOTH
from tests.factories import classify_contact, make_delivery, mark_delivered, save

ZONE = ZoneInfo("America/Sao_Paulo")
SINCE, UNTIL = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 4, 1, 3, tzinfo=UTC)
MARCH = ReportFilter(since=SINCE, until=UNTIL)

pytestmark = BOTH


def on(day: int, hour: int = 12) -> Any:
    return time_machine.travel(datetime(2026, 3, 1, hour, tzinfo=UTC) + timedelta(days=day - 1), tick=False)


def contact_of(company: Company, name: str, campaign: str) -> Contact:
    return save(company, {"contact": {"name": name, "linkedin_public_id": name}, "campaign": {"name": campaign}})


@pytest.fixture
def march(company: Company) -> None:
    """Five contacts of two campaigns, with what may happen to a level."""
    with on(-3):
        ana, bia, caio, davi, eva = (
            contact_of(company, name, campaign)
            for name, campaign in (("ana", "Norte"), ("bia", "Norte"), ("caio", "Sul"), ("davi", "Sul"), ("eva", "Sul"))
        )
        mark_delivered(make_delivery(eva, 1))  # before the span
    with on(2):
        mark_delivered(make_delivery(ana, 3))
        mark_delivered(make_delivery(bia, 2), warning="error_words")
        make_delivery(caio, 3)  # waits
    with on(11):
        make_delivery(ana, 2)  # on its way
        late = make_delivery(davi, 3)
    with on(12):
        mark_delivered(late, at=datetime.now(UTC))
    with on(20):
        mark_delivered(make_delivery(ana, 3))  # once more in the span
        classify_contact(davi, None)
        mark_delivered(make_delivery(bia, 3), warning="error_words")


def march_report(company: Company, **facts: Any) -> Report:
    return make_report(db.session, company.id, ReportFilter(since=SINCE, until=UNTIL, **facts), zone=ZONE)


COUNT = """
SELECT count(*) FROM contact c WHERE c.company_id = :company AND EXISTS (
  SELECT 1 FROM classification k WHERE k.contact_id = c.id AND k.new_level = :level
  AND k.created_at >= :since AND k.created_at < :until)
"""
ARRIVED = """
 AND EXISTS (SELECT 1 FROM delivery d WHERE d.contact_id = c.id AND d.delivered_at IS NOT NULL AND d.created_at >= (
  SELECT max(k.created_at) FROM classification k WHERE k.contact_id = c.id AND k.new_level = :level
  AND k.created_at >= :since AND k.created_at < :until))
"""


def plain(company: Company, level: int, since: datetime, until: datetime, more: str = "") -> int:
    times = (bindparam(name, at, UTCDateTime()) for name, at in (("since", since), ("until", until)))
    counted = text(COUNT + more).bindparams(*times)
    return int(db.session.execute(counted, {"company": company.id, "level": level}).scalar_one())


def opened(company: Company, part: Part, level: int, arrival: str | None) -> int:
    """How many contacts the number opens."""
    reached = str(Reached(company.id, level, part.wanted.since, part.wanted.until, arrival))
    asked = {"reached": reached, "campaign": part.wanted.campaign_id, "owner": part.wanted.owner_id}
    wanted = read_contact_filter(db.session, company.id, asked)
    assert wanted.unknown == ()
    return count_contacts(db.session, company.id, wanted)


@pytest.mark.usefixtures("march")
def test_every_number_is_a_plain_count_and_opens_as_many_contacts(company: Company) -> None:
    report = march_report(company)
    assert [[tally.contacts, tally.in_crm, tally.with_warning, tally.missing] for tally in report.whole.levels] == [
        [4, 2, 1, 1],
        [2, 1, 1, 0],
        [0, 0, 0, 0],
    ]
    for part in (report.whole, *report.weeks):
        for tally in part.levels:
            span = (tally.level, part.wanted.since, part.wanted.until)
            assert tally.contacts == plain(company, *span)
            assert tally.in_crm + tally.with_warning == plain(company, *span, ARRIVED)
            doubt = ARRIVED + " AND c.delivered_warning IN ('error_words', 'error_in_json')"
            assert tally.with_warning == plain(company, *span, doubt)
    for part in (report.whole, *report.weeks, *report.campaigns, *report.owners):
        for tally in part.levels:
            assert opened(company, part, tally.level, None) == tally.contacts
            for arrival in ARRIVALS:
                assert opened(company, part, tally.level, arrival) == getattr(tally, arrival)


@pytest.mark.usefixtures("march")
def test_what_past_months_were_told_stays_when_another_crm_takes_the_place(company: Company) -> None:
    """Also which warnings were settled: the CRM before had what it had."""
    with on(21):
        settled = contact_of(company, "fabi", "Norte")
        mark_delivered(make_delivery(settled, 3), warning="error_words")
        doubts.settle(db.session, factories.actor_of(company), contact_id=settled.id)
        db.session.commit()
    before = march_report(company).whole.levels
    assert [tally.with_warning for tally in before] == [1, 1, 0]
    begin_anew(db.session, factories.actor_of(company))
    db.session.commit()
    assert march_report(company).whole.levels == before


def test_a_level_that_is_set_again_counts_as_the_home_page_counts_it_while_the_crm_is_away(company: Company) -> None:
    """The CRM was told of the level, and not of its removal."""
    with on(2):
        ana, bia = contact_of(company, "ana", "Norte"), contact_of(company, "bia", "Norte")
        mark_delivered(make_delivery(ana, 3))
        mark_delivered(make_delivery(bia, 2))
    with on(3):
        for contact in (ana, bia):
            classify_contact(contact, None)
            make_delivery(contact, 3)
    (high, _, _), backlog = march_report(company).whole.levels, backlog_of(db.session, company.id)
    assert (high.in_crm, high.missing, backlog.contacts) == (1, 1, 1)
    assert opened(company, march_report(company).whole, 3, "missing") == 1


@pytest.mark.usefixtures("march")
def test_parts_add_up_and_weeks_begin_on_mondays_within_the_span(company: Company) -> None:
    report = march_report(company)
    for parts in (report.campaigns, report.owners):
        for at, tally in enumerate(report.whole.levels):
            assert sum(part.levels[at].contacts for part in parts) == tally.contacts
    assert [part.name for part in report.campaigns] == ["Norte", "Sul"]
    starts = [part.wanted.since.astimezone(ZONE) for part in report.weeks]
    assert [start.day for start in starts] == [1, 2, 9, 16, 23, 30]
    assert report.weeks[-1].wanted.until == UNTIL
    one = report.weeks[3].wanted
    assert [part.wanted for part in make_report(db.session, company.id, one, zone=ZONE).weeks] == [one]
    assert all(before.wanted.until == after.wanted.since for before, after in pairwise(report.weeks))
    assert march_report(company, campaign_id=report.campaigns[0].wanted.campaign_id).whole.levels[0].contacts == 2


@pytest.mark.usefixtures("march")
def test_one_sentence_says_it(company: Company) -> None:
    with on(25):
        assert say(march_report(company), zone=ZONE) == "Março: 4 contatos de nível alto; 2 no CRM, 1 com aviso, 1 não."
        week = march_report(company).weeks[3]
        report = make_report(db.session, company.id, week.wanted, zone=ZONE)
        assert say(report, zone=ZONE) == "De 16/03/2026 a 22/03/2026: 2 contatos de nível alto; 1 no CRM, 1 com aviso."
        april = ReportFilter(since=UNTIL, until=UNTIL + timedelta(days=30))
        assert say(make_report(db.session, company.id, april, zone=ZONE), zone=ZONE) == (
            "Abril: nenhum contato de nível alto."
        )


@pytest.mark.usefixtures("march")
def test_the_time_to_the_crm_is_that_of_the_first_arrival(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Davi's took a day, the others no time; caio's has not arrived. What is sent again does not arrive later."""
    report = march_report(company)
    assert (report.median_seconds, report.timed) == (0.0, 5)
    with monkeypatch.context() as patch:
        patch.setattr("portal.report.TIMED", 2)
        assert march_report(company).timed == 2
    davi = march_report(company, campaign_id=report.campaigns[1].wanted.campaign_id)
    assert (davi.median_seconds, davi.timed) == (86400.0, 1)
    row = db.session.query(Delivery).join(Contact).filter(Contact.name == "davi").one()
    mark_delivered(row, at=UNTIL + timedelta(days=30))
    again = march_report(company, campaign_id=report.campaigns[1].wanted.campaign_id)
    assert (again.median_seconds, again.timed) == (86400.0, 1)


def test_the_latest_levels_are_timed(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    for day, hours in ((2, 1), (4, 2), (3, 5)):
        with on(day):
            made = make_delivery(contact_of(company, f"d{day}", "Norte"), 3)
            mark_delivered(made, at=datetime.now(UTC) + timedelta(hours=hours))
    for number, seconds in ((1, 7200.0), (2, 12600.0), (3, 7200.0)):
        monkeypatch.setattr("portal.report.TIMED", number)
        assert (march_report(company).median_seconds, march_report(company).timed) == (seconds, number)


def test_a_span_has_at_most_a_year_and_the_hour_by_which_a_zone_changes(company: Company) -> None:
    for more in (timedelta(0), timedelta(microseconds=1)):
        wanted = ReportFilter(since=SINCE, until=SINCE + timedelta(days=366, hours=1) + more)
        if more:
            with pytest.raises(BadSpan):
                make_report(db.session, company.id, wanted, zone=ZONE)
        else:
            make_report(db.session, company.id, wanted, zone=ZONE)


def test_what_is_classified_when_a_week_begins_counts_in_that_week(company: Company) -> None:
    with time_machine.travel(datetime(2026, 3, 9, tzinfo=ZONE), tick=False):  # a Monday
        make_delivery(contact_of(company, "ana", "Norte"), 3)
    with time_machine.travel(UNTIL, tick=False):
        make_delivery(contact_of(company, "bia", "Norte"), 3)
    report = march_report(company)
    counted = [(part.wanted.since, part.levels[0].contacts) for part in report.weeks if part.levels[0].contacts]
    assert counted == [(datetime(2026, 3, 9, tzinfo=ZONE), 1)]
    assert report.whole.levels[0].contacts == 1  # what comes at the very end is of the next month


def test_campaigns_and_owners_stand_by_name_whichever_came_first(company: Company) -> None:
    with on(2):
        for name in ("Sul", "Norte", "Leste"):
            owner = {"name": name, "email": f"{name}@x.test".lower()}
            make_delivery(
                save(company, {"contact": {"name": name}, "campaign": {"name": name}, "contact_owner": owner}), 3
            )
    report = march_report(company)
    for parts in (report.campaigns, report.owners):
        assert [part.name for part in parts] == ["Leste", "Norte", "Sul"]


@pytest.mark.usefixtures("march")
def test_another_company_sees_nothing_of_it(company: Company) -> None:
    other = factories.make_company("Outra")
    report = make_report(db.session, other.id, MARCH, zone=ZONE)
    assert [tally.contacts for tally in report.whole.levels] == [0, 0, 0]
    assert (report.campaigns, report.owners, report.median_seconds) == ([], [], None)
    campaign = march_report(company).campaigns[0].wanted.campaign_id
    asked = {"since": SINCE, "until": UNTIL, "campaign": campaign}
    assert read_filter(db.session, other.id, asked, zone=ZONE).unknown == ("campaign",)
    reached = read_reached(db.session, other.id, str(Reached(company.id, 3, SINCE, UNTIL)))
    assert count_contacts(db.session, other.id, ContactFilter(reached=reached)) == 0


@pytest.mark.parametrize(
    "asked", ["3", "3,,", "4,2026-03-01T00:00:00Z,2026-04-01T00:00:00Z", "3,2026-03-01T00:00:00,2026-04-01T00:00:00Z",
              "3,2026-03-01T00:00:00Z,2026-04-01T00:00:00Z,all",
              "3,2026-03-01T00:00:00Z,2026-04-01T00:00:00Z,missing,x",
              "3,a,b,c,d"]
)  # fmt: skip
def test_what_says_no_span_is_refused(company: Company, asked: str) -> None:
    assert read_contact_filter(db.session, company.id, {"reached": asked}).unknown == ("reached",)


@pytest.mark.usefixtures("march")
def test_the_classifications_of_a_span_are_found_by_an_index(company: Company) -> None:
    is_sqlite = db.engine.dialect.name == "sqlite"
    if not is_sqlite:  # which looks at how much there is
        shared = "company_id, contact_id, campaign_id, owner_id"
        others = f"SELECT {shared}, 1, 'x', created_at - g * interval '1 hour' FROM classification, "
        facts = f"INSERT INTO classification ({shared}, new_level, actor, created_at) "
        db.session.execute(text(f"{facts}{others}generate_series(2000, 4000) g"))
        db.session.execute(text("ANALYZE classification"))
    asked: list[Any] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    march_report(company)
    plans = []
    for sql, parameters in [each for each in asked if "classification" in each[0]]:
        driver = db.session.connection().connection.cursor()
        driver.execute(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{sql}", parameters)
        plans.append(str(driver.fetchall()))
    assert len(plans) == 2
    for plan in plans:
        assert ("USING COVERING INDEX ix_classification_day" if is_sqlite else "ix_classification_day") in plan
        assert "SCAN classification" not in plan


def test_what_a_merged_contact_was_told_counts_for_who_stays(company: Company) -> None:
    with on(2):
        kept, other = contact_of(company, "ana", "Norte"), contact_of(company, "ana-2", "Norte")
        mark_delivered(make_delivery(kept, 3))
    with on(3):
        mark_delivered(make_delivery(other, 3))
    with on(4):
        merge(db.session, factories.actor_of(company), kept.id, other.id)
        db.session.commit()
    high = march_report(company).whole.levels[0]
    assert (high.level, high.contacts, high.in_crm, high.missing) == (3, 1, 1, 0)


def test_what_a_merged_contact_was_told_says_nothing_of_who_stays(company: Company) -> None:
    with on(2):
        kept, other = contact_of(company, "ana", "Norte"), contact_of(company, "ana-2", "Norte")
        make_delivery(kept, 2)
    with on(3):
        told = make_delivery(other, 3)
    with on(4):
        merge(db.session, factories.actor_of(company), kept.id, other.id)
        db.session.commit()
        db.session.refresh(told)
        mark_delivered(told)
    assert [(tally.in_crm, tally.missing) for tally in march_report(company).whole.levels] == [(1, 0), (0, 1), (0, 0)]


@pytest.mark.parametrize(
    "span", ["0001-01-01T00:00:00+05:00,2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z,9999-12-31T23:59:59-05:00"]
)
def test_the_ends_of_the_calendar_are_refused(company: Company, span: str) -> None:
    assert read_contact_filter(db.session, company.id, {"reached": f"3,{span}"}).unknown == ("reached",)
    since = datetime(9999, 12, 20, tzinfo=UTC)
    for far in (since, datetime(1, 1, 1, tzinfo=UTC)):
        with pytest.raises(BadSpan):
            make_report(db.session, company.id, ReportFilter(since=far, until=far + timedelta(days=10)), zone=ZONE)
    for near in (datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 20, tzinfo=UTC)):
        make_report(db.session, company.id, ReportFilter(since=near, until=near + timedelta(days=10)), zone=ZONE)


def test_what_is_counted_is_as_short_as_the_numbers_of_campaigns_and_people(
    company: Company, march: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def count(words: list[str]) -> Counter[str]:
        seen.extend(words)
        return Counter(words)

    monkeypatch.setattr(report_room, "Counter", count)
    march_report(company)
    assert seen
    assert max(map(len, seen)) <= 6
