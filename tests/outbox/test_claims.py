"""Claiming at its borders: what is due to the microsecond, and what guards itself when two come at once."""

import re
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, insert, select

from portal import outbox
from portal.clock import utcnow
from portal.database.db import always_take_indexes, db
from portal.database.driver import Statement
from portal.egress import origin_of
from portal.models import Classification, Company, Delivery, Endpoint
from portal.outbox import Claim, Rules
from portal.outbox.arrivals import NOTE
from portal.outbox.claims import LEND, target_of
from portal.outbox.mending import CLOCK_TOLERANCE
from portal.outbox.settling import MOVE_ON
from portal.rules.circuit import LONGEST_PAUSE
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from tests import factories
from tests.conftest import BOTH, URL

LEASE = timedelta(seconds=15)
MOMENT = timedelta(microseconds=1)

pytestmark = BOTH


@pytest.fixture
def due_at(company: Company) -> datetime:
    """When the one delivery that there is is due."""
    delivery = factories.make_delivery(factories.make_contact(company))
    assert delivery.next_attempt_at is not None
    db.session.rollback()
    return delivery.next_attempt_at


def claim_due(now: datetime) -> list[Claim]:
    with db.engine.begin() as connection:
        return claim_in(connection, now)


def claim_in(connection: Connection, now: datetime, *, limit: int = 9) -> list[Claim]:
    return outbox.claim_due(connection, now=now, lease=LEASE, limit=limit, room_for=lambda *_: 9)


def has_due(now: datetime) -> bool:
    with db.engine.begin() as connection:
        return outbox.has_due(connection, now=now)


def test_beyond_the_limit_one_goes_of_each_company_that_may_go_besides(company: Company) -> None:
    companies = [company, *(factories.make_company(f"Empresa {number}", url=URL) for number in range(3))]
    for each in companies:
        for _ in range(3):
            factories.make_delivery(factories.make_contact(each))
    ids = [each.id for each in companies]
    db.session.rollback()
    asked: list[tuple[int, int]] = []

    def goes_besides(company_id: int, lent: Sequence[int]) -> bool:
        asked.append((company_id, len(lent)))
        return company_id in ids[1:]

    def claim(limit: int, room: int) -> list[int]:
        with db.engine.begin() as connection:
            claims = outbox.claim_due(
                connection,
                now=utcnow(),
                lease=LEASE,
                limit=limit,
                room_for=lambda company_id, _: 0 if company_id == ids[3] else room,
                goes_besides=goes_besides,
            )
        return sorted(claim.company_id for claim in claims)

    assert claim(limit=0, room=2) == ids[1:3]
    assert sorted(lent for _, lent in asked) in ([0, 0, 1], [0, 1, 1], [0, 1, 2])
    assert claim(limit=0, room=0) == []
    assert claim(limit=9, room=2) == sorted([ids[0], ids[1], ids[2]] * 2)


def test_companies_that_are_full_are_not_even_looked_at(company: Company) -> None:
    other = factories.make_company("Outra", url=URL)
    for each in (company, other):
        factories.make_delivery(factories.make_contact(each))
    ids, asked = [company.id, other.id], list[int]()
    db.session.rollback()

    def room_for(company_id: int, _: Sequence[int]) -> int:
        asked.append(company_id)
        return 0

    def look(full: list[int]) -> tuple[bool, list[int]]:
        asked.clear()
        with db.engine.begin() as connection:
            has_due = outbox.has_due(connection, now=utcnow(), full=full)
            outbox.claim_due(connection, now=utcnow(), lease=LEASE, limit=9, room_for=room_for, full=full)
        return has_due, sorted(asked)

    assert look([]) == (True, ids)
    assert look(ids[:1]) == (True, ids[1:])
    assert look([*range(1000, 1300), *ids]) == (False, [])


def test_looking_and_claiming_agree_to_the_microsecond(due_at: datetime) -> None:
    assert (has_due(due_at - MOMENT), claim_due(due_at - MOMENT)) == (False, [])
    assert has_due(due_at)
    assert len(claim_due(due_at)) == 1
    assert not has_due(due_at)


def test_a_lease_ends_to_the_microsecond(due_at: datetime) -> None:
    (claim,) = claim_due(due_at)
    assert claim.lease_expires_at == due_at + LEASE
    assert (has_due(due_at + LEASE - MOMENT), has_due(due_at + LEASE)) == (False, True)


def test_of_two_workers_who_claim_at_once_one_gets_a_delivery(due_at: datetime) -> None:
    engine, second = db.engine, []

    def claim_second() -> None:
        with engine.begin() as connection:
            second.append(claim_in(connection, due_at))

    with engine.begin() as connection:
        first = claim_in(connection, due_at)
        thread = threading.Thread(target=claim_second)
        thread.start()
        thread.join(0.5)  # on SQLite it waits for the first, on PostgreSQL for nobody
    thread.join(60)
    assert (len(first), second) == (1, [[]])


def test_of_two_workers_who_see_that_a_probe_is_due_one_asks(company: Company, due_at: datetime) -> None:
    factories.make_delivery(factories.make_contact(company))
    endpoint = factories.endpoint_of(company)
    endpoint.state, endpoint.next_probe_at = "failing", due_at
    db.session.commit()
    engine, second = db.engine, []

    def claim_second() -> None:
        with engine.begin() as connection:
            second.extend(claim_in(connection, due_at))

    with engine.begin() as connection:
        first = claim_in(connection, due_at)
        thread = threading.Thread(target=claim_second)
        thread.start()
        thread.join(0.5)  # by now it waits for the first, and on PostgreSQL has seen the endpoint as it was
    thread.join(60)
    assert (len(first), second) == (1, [])


def test_a_probe_takes_a_delivery_before_its_time(company: Company, due_at: datetime) -> None:
    endpoint = factories.endpoint_of(company)
    endpoint.state, endpoint.next_probe_at = "failing", due_at - timedelta(hours=1)
    db.session.commit()
    (probe,) = claim_due(due_at - timedelta(hours=1))
    assert probe.is_probe


def test_the_key_before_signs_until_its_last_moment_and_not_in_it(app: Flask) -> None:
    now = utcnow()
    stored = Endpoint(secret="new", old_secret="old", old_secret_until=now)
    assert outbox.signing_secrets(stored, now=now) == ("new",)
    assert outbox.signing_secrets(stored, now=now - timedelta(microseconds=1)) == ("new", "old")


def test_with_nothing_waiting_nothing_is_due(company: Company, due_at: datetime) -> None:
    (claim,) = claim_due(due_at)
    with db.engine.begin() as connection:
        gone = Outcome(started_at=due_at, duration_ms=1, url=URL, reason="gone", status_code=410)
        outbox.settle(connection, [(claim, gone)], Rules(parse_schedule("0s"), now=due_at, jitter=lambda: 0.0))
    endpoint = factories.endpoint_of(company)
    for endpoint.state, endpoint.url in (("failing", URL), ("active", None)):
        endpoint.next_probe_at = due_at
        db.session.commit()
        assert not has_due(due_at + LEASE)


@pytest.mark.parametrize(
    ("facts", "ahead", "brought_to"),
    [
        ({"attempt_count": 0}, timedelta(hours=1), timedelta(0)),
        ({"attempt_count": 3, "next_trigger": "manual"}, timedelta(hours=1), timedelta(0)),
        ({"attempt_count": 3, "next_trigger": "retry"}, timedelta(hours=1), timedelta(hours=1)),
        ({"attempt_count": 3, "next_trigger": "retry"}, timedelta(days=9), timedelta(days=2)),
        ({"attempt_count": 0}, timedelta(minutes=5), timedelta(minutes=5)),
        ({"attempt_count": 0}, timedelta(minutes=5) + MOMENT, timedelta(0)),
    ],
    ids=[
        "never tried",
        "sent again",
        "a retry",
        "a retry beyond all pauses",
        "a clock that differs",
        "one that ran ahead",
    ],
)
def test_what_a_clock_ahead_wrote_is_mended(
    due_at: datetime, facts: dict[str, object], ahead: timedelta, brought_to: timedelta
) -> None:
    delivery = db.session.query(Delivery).one()
    for name, value in facts.items():
        setattr(delivery, name, value)
    delivery.next_attempt_at = due_at + ahead
    db.session.commit()
    with db.engine.begin() as connection:
        outbox.pull_forward(connection, now=due_at, longest=timedelta(days=2), lease=LEASE)
    db.session.expire_all()
    assert delivery.next_attempt_at == due_at + brought_to


@pytest.mark.parametrize("longest", [timedelta(days=2), LEASE])
def test_a_probe_is_no_later_than_its_longest_pause_however_long_a_retry_may_wait(
    company: Company, longest: timedelta
) -> None:
    latest = LONGEST_PAUSE
    for late in (timedelta(0), CLOCK_TOLERANCE, CLOCK_TOLERANCE + timedelta(microseconds=1)):
        factories.endpoint_of(company).next_probe_at = factories.NOON + latest + late
        db.session.commit()
        with db.engine.begin() as connection:
            outbox.pull_forward(connection, now=factories.NOON, longest=longest, lease=LEASE)
        db.session.expire_all()
        kept = late if late <= CLOCK_TOLERANCE else timedelta(0)
        assert factories.endpoint_of(company).next_probe_at == factories.NOON + latest + kept


def test_companies_share_a_claim_evenly(app: Flask) -> None:
    for name in ("Acme", "Beta", "Casa"):
        company = factories.make_company(name, url=URL)
        for _ in range(5):
            factories.make_delivery(factories.make_contact(company))
    db.session.rollback()
    with db.engine.begin() as connection:
        claims = claim_in(connection, utcnow(), limit=6)
    assert sorted(Counter(claim.company_id for claim in claims).values()) == [2, 2, 2]


def test_what_a_company_cannot_use_goes_to_the_others_in_the_same_claim(company: Company) -> None:
    """One has many due that wait for the first of their contact; one has a few, one has plenty."""
    blocked, few = factories.make_contact(company), factories.make_company("Outra", url=URL)
    plenty = factories.make_company("Terceira", url=URL)
    for level in (1, 2, 3):
        factories.make_delivery(blocked, level)
    for each, number in ((few, 2), (plenty, 20)):
        for _ in range(number):
            factories.make_delivery(factories.make_contact(each))
    ids = [company.id, few.id, plenty.id]
    db.session.rollback()
    with db.engine.begin() as connection:
        claims = claim_in(connection, utcnow(), limit=12)
    lent = Counter(claim.company_id for claim in claims)
    assert [lent[company_id] for company_id in ids] == [1, 2, 9]
    assert len({claim.delivery_id for claim in claims}) == 12


def test_a_company_is_asked_when_those_before_it_have_nothing_that_may_go(company: Company) -> None:
    """Whichever comes first by chance: what is due of eight waits for what is being sent, and the limit is one."""
    for each in (factories.make_company(f"Empresa {number}", url=URL) for number in range(8)):
        contact = factories.make_contact(each)
        for level in (1, 2):
            factories.make_delivery(contact, level)
    db.session.rollback()
    with db.engine.begin() as connection:
        assert len(claim_in(connection, utcnow(), limit=16)) == 8
    factories.make_delivery(factories.make_contact(company))
    company_id = company.id
    db.session.rollback()
    with db.engine.begin() as connection:
        assert [claim.company_id for claim in claim_in(connection, utcnow(), limit=1)] == [company_id]


def test_what_a_company_got_in_a_claim_is_no_loan_to_others_when_it_is_asked_again(company: Company) -> None:
    """Six may go of the slow together. The first round gives each of the two four, of which one has but one."""
    other = factories.make_company("Outra", url=URL)
    for each, count in ((company, 9), (other, 1)):
        for _ in range(count):
            factories.make_delivery(factories.make_contact(each))
    company_id, now = company.id, utcnow()
    db.session.rollback()

    def room_for(_: int, lent: Sequence[int]) -> int:
        return 6 - len(lent)

    with db.engine.begin() as connection:
        claims = outbox.claim_due(connection, now=now, lease=LEASE, limit=8, room_for=room_for)
        connection.rollback()
    assert Counter(claim.company_id for claim in claims) == {company_id: 5, other.id: 1}


def test_a_claim_ends_where_nobody_has_more_although_some_is_left_of_the_limit(company: Company) -> None:
    companies = [company, *(factories.make_company(f"Empresa {number}", url=URL) for number in range(3))]
    for each in (*companies, *companies[:3]):
        factories.make_delivery(factories.make_contact(each))
    db.session.rollback()
    with db.engine.begin() as connection:
        claims = claim_in(connection, utcnow(), limit=8)
    assert sorted(Counter(claim.company_id for claim in claims).values()) == [1, 2, 2, 2]


def test_claims_and_results_find_their_rows_by_index_in_a_table_that_was_empty_a_moment_ago(due_at: datetime) -> None:
    """PostgreSQL believes such a table to be small until it is analysed, and would read all of it for each claim."""
    (facts,) = db.session.execute(select(Delivery.__table__)).mappings()
    rows = [{**facts, "id": number, "webhook_id": f"msg_{number}", "body": b"{}"} for number in range(9, 109)]
    factories.insert_deliveries(db.session.connection(), rows)
    db.session.commit()
    always_take_indexes(db.engine)  # as a worker does at its start
    asking = [(facts["company_id"], due_at)]
    claiming = plan_of(LEND, asking=asking, room=16, token="t", until=due_at + LEASE)
    settling = plan_of(MOVE_ON, settled=[(9, "t", "delivered", "ok_text", None, 1, None)], now=due_at)
    assert not re.search(r"Seq Scan on delivery|SCAN (delivery|waiting)", claiming + settling)
    for index in ("ix_delivery_(due|open)", "ix_delivery_open", "pk_delivery|delivery USING INTEGER PRIMARY KEY"):
        assert re.search(index, claiming), claiming


def test_what_arrives_is_noted_by_the_index_of_contacts(company: Company) -> None:
    contacts = [{"contact": {"name": f"Pessoa {number}", "interest_level": 2}} for number in range(50)]
    factories.save_many(company, contacts)
    told = db.session.execute(select(Classification.__table__)).mappings().all()
    rows = [{**facts, "id": 100 * number + facts["id"]} for number in range(1, 41) for facts in told]
    db.session.execute(insert(Classification.__table__), rows)
    db.session.commit()
    always_take_indexes(db.engine)  # as a worker does at its start
    plan = plan_of(NOTE, told=[(1,), (2,)])
    assert "ix_classification_contact_id" in plan
    assert not re.search("(SCAN|Seq Scan on) classification|ix_classification_day", plan)


def plan_of(statement: Statement, **values: Any) -> str:
    db.session.rollback()
    with db.engine.begin() as connection:
        compiled = statement.compiled_for(connection.dialect)
        words = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        cursor: Any = connection.connection.cursor()
        cursor.execute(f"{words} {compiled.sql}", compiled.bind(values))
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def test_no_company_is_always_the_first(app: Flask) -> None:
    for name in "ABCD":
        factories.make_delivery(factories.make_contact(factories.make_company(name, url=URL)))
    db.session.rollback()
    first = set()
    for _ in range(20):
        with db.engine.connect() as connection, connection.begin() as transaction:
            (claim,) = claim_in(connection, utcnow(), limit=1)
            first.add(claim.company_id)
            transaction.rollback()
    assert len(first) > 1


def test_another_address_gets_all_of_the_endpoint_but_its_answers_and_its_header(app: Flask) -> None:
    now = factories.NOON
    row: Any = Endpoint(
        url=URL,
        secret="new",
        old_secret="old",
        old_secret_until=now + MOMENT,
        answer_shape="json:id",
        link_pointer="/id",
    )
    row.crm_since, row.header_name, row.header_secret, row.header_origin = now, "X-Key", "sealed", origin_of(URL)
    facts = {"secrets": ("new", "old"), "link_pointer": "/id", "crm_since": now}
    own = facts | {"url": URL, "header": ("X-Key", "sealed"), "known_shapes": "json:id"}
    assert target_of(row, now=now) == target_of(row, now=now, url=URL) == own
    other = "https://other.example/hook"
    assert target_of(row, now=now, url=other) == facts | {"url": other, "header": None, "known_shapes": None}
    path = f"{origin_of(URL)}/elsewhere"
    assert target_of(row, now=now, url=path) == own | {"url": path, "known_shapes": None}
