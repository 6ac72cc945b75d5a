"""What a company's room looks for: of the rest each misses by one fact, each count by one, each moment by the least."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.datastructures import Headers

from portal import audit, outbox
from portal.company import asking, endpoint, inspector, outages, testing
from portal.company.outages import OutageFacts
from portal.company.refusals import TooManyTests
from portal.database.db import db
from portal.models import AuditEntry, Company
from portal.runtime import runtime
from portal.working_models import CrmRecord, HeldDelivery, InspectedRequest, Outage
from tests.conftest import BOTH, URL
from tests.factories import NOON, actor_of, endpoint_of, make_company, make_contact, make_delivery, set_url
from tests.outbox.test_outbox import answered

MOMENT, MINUTE, DAY = timedelta(microseconds=1), timedelta(minutes=1), timedelta(days=1)


def arrive(company: Company, *ages: timedelta) -> list[int]:
    """Requests that arrived so long before noon. Returns their numbers."""
    plain = {"company_id": company.id, "signature": "valid", "headers": [], "body": b"", "size": 0}
    rows = [InspectedRequest(received_at=NOON - age, **plain) for age in ages]
    db.session.add_all(rows)
    db.session.commit()
    return [row.id for row in rows]


def left() -> list[int]:
    db.session.commit()
    return list(db.session.scalars(select(InspectedRequest.id).order_by(InspectedRequest.id)))


def take(company: Company, body: bytes = b"", headers: Headers | None = None) -> InspectedRequest:
    headers = Headers() if headers is None else headers
    return inspector.take(db.session, company.id, headers=headers, body=body, vault=runtime().vault, now=NOON)


@pytest.mark.parametrize(("arrived", "age", "is_busy"), [(29, 0, False), (30, 0, True), (30, 1, False), (31, 1, True)])
def test_an_address_is_too_busy_with_thirty_in_the_last_minute(
    company: Company, arrived: int, age: int, is_busy: bool
) -> None:
    """`age`: how many of them arrived a minute ago to the moment."""
    arrive(company, *[MINUTE] * age, *[MINUTE - MOMENT] * (arrived - age))
    arrive(make_company("Outra"), *[MOMENT] * 30)
    assert inspector.is_too_busy(db.session, company.id, now=NOON) is is_busy


def test_what_arrived_is_shown_and_kept_for_a_day_to_its_own_company(company: Company) -> None:
    old, young, new = arrive(company, DAY, DAY - MOMENT, MOMENT)
    (others,) = arrive(make_company("Outra"), MOMENT)
    for after, expected in ((0, [new, young]), (old, [new, young]), (young, [new]), (new, [])):
        found = inspector.requests_of(db.session, company.id, now=NOON, after=after)
        assert [row.id for row in found] == expected
    inspector.forget_old(db.session.connection(), now=NOON)
    assert left() == [young, new, others]
    inspector.clear(db.session, company.id)
    assert left() == [others]


def test_the_last_fifty_are_kept(company: Company) -> None:
    others = arrive(make_company("Outra"), *[MOMENT] * 2)
    mine = [take(company).id for _ in range(52)]
    assert left() == [*others, *mine[2:]]


def test_so_much_of_a_request_is_kept_and_no_more(company: Company) -> None:
    names = [f"X-{number}" for number in range(57)]
    headers = Headers(
        [("Cookie", "a"), ("AUTHORIZATION", "a"), ("Proxy-Authorization", "a"), *((n, "") for n in names)]
    )
    kept = [["Cookie", "…"], ["AUTHORIZATION", "…"], ["Proxy-Authorization", "…"], *([name, ""] for name in names)]
    row = take(company, b"x" * 65_537, headers)
    assert (row.company_id, row.size, row.body, row.received_at) == (company.id, 65_537, b"x" * 65_536, NOON)
    assert (row.headers, row.signature) == (kept, "unsigned")
    headers.add("X-Last", "")
    assert take(company, headers=headers).headers == kept
    long = [take(company, headers=Headers([("X", "a\0" * 1000 + more)])).headers for more in ("", "b")]
    assert long == [[["X", "a\ufffd" * 1000]]] * 2


def test_an_address_is_its_companys_and_goes_with_what_arrived(company: Company) -> None:
    other, actor = make_company("Outra"), actor_of(company)
    for each in (company, other, company):
        inspector.open_inspector(db.session, each, actor_of(each))
    tokens = [each.inspector_token or "" for each in (company, other)]
    assert [inspector.find_company(db.session, token) for token in (*tokens, "", "x")] == [company, other, None, None]
    _, (others,) = arrive(company, MOMENT), arrive(other, MOMENT)
    for _ in range(2):
        inspector.close_inspector(db.session, company, actor)
    assert (company.inspector_token, other.inspector_token, left()) == (None, tokens[1], [others])
    done = db.session.query(AuditEntry).filter(AuditEntry.action.startswith("inspector.")).all()
    assert Counter((row.company_id, row.action) for row in done) == {
        (company.id, "inspector.opened"): 1,
        (other.id, "inspector.opened"): 1,
        (company.id, "inspector.closed"): 1,
    }


@pytest.mark.parametrize(("looks", "age", "passes"), [(29, 0, True), (30, 0, False), (30, 1, True), (31, 1, False)])
def test_the_last_minute_has_thirty_looks_at_addresses(company: Company, looks: int, age: int, passes: bool) -> None:
    """`age`: how many of them were a minute ago to the moment. Other acts and another company's looks do not count."""
    db.session.query(AuditEntry).delete()
    other = make_company("Outra")
    for number in range(looks):
        for each, action in (
            (company, "webhook.address_checked"),
            (company, "webhook.paused"),
            (other, "webhook.address_checked"),
        ):
            with time_machine.travel(NOON - (MINUTE if number < age else MINUTE - MOMENT), tick=False):
                audit.record(db.session, actor_of(each), action, subject=URL)
    db.session.commit()
    with time_machine.travel(NOON, tick=False):
        if passes:
            asking.take_turn(db.session, actor_of(company), URL)
            return
        with pytest.raises(TooManyTests) as refused:
            asking.take_turn(db.session, actor_of(company), URL)
        assert refused.value.wait_seconds == 60


BECAME: Mapping[str, Mapping[str, Any]] = {
    "waiting": {},
    "being sent": {"status": "sending", "lease_token": "x", "lease_expires_at": NOON},
    "arrived": {"status": "delivered", "delivered_at": NOON},
    "arrived last": {"status": "delivered", "delivered_at": NOON + MOMENT},
    "failed": {"status": "failed", "delivered_at": NOON + DAY},
    "superseded": {"status": "superseded"},
    "superseded too": {"status": "superseded"},
    "cancelled": {"status": "cancelled"},
}


@BOTH
def test_what_became_of_what_an_outage_held_up_is_counted_for_itself(company: Company) -> None:
    said = {"reason": "server_error", "status_code": 503}
    first = Outage(company_id=company.id, began_at=NOON - DAY, ended_at=NOON, held=11, **said)
    of_others = Outage(company_id=make_company("Outra", url=URL).id, began_at=NOON, **said)
    lasting = Outage(company_id=company.id, began_at=NOON, **said)
    db.session.add_all([first, of_others, lasting])
    db.session.flush()
    numbers = first.id, lasting.id
    for facts in BECAME.values():
        delivery = make_delivery(make_contact(company))
        for column, value in facts.items():
            setattr(delivery, column, value)
        db.session.add(HeldDelivery(outage_id=numbers[0], delivery_id=delivery.id))
        db.session.commit()
    make_delivery(make_contact(company))
    page = outages.page_outages(db.session, company.id)
    ended = OutageFacts(
        **{"id": numbers[0], "began_at": NOON - DAY, "ended_at": NOON, "held": 11, "last_delivered_at": NOON + MOMENT},
        **{"waiting": 2, "delivered": 2, "failed": 1, "superseded": 2, "cancelled": 1, **said},
    )
    still = OutageFacts(id=numbers[1], began_at=NOON, ended_at=None, held=2, waiting=2, **said)
    assert page.items == [still, ended]
    assert (ended.forgotten, still.forgotten) == (3, 0)
    assert outages.last_outage(db.session, company.id) == still


@pytest.mark.parametrize(
    ("age", "day"),
    [(timedelta(days=6) - MOMENT, "quarta-feira 04/03 09:00"), (timedelta(days=6), "04/03/2026 09:00")],
)
def test_a_day_needs_no_year_for_less_than_six_days(app: Flask, age: timedelta, day: str) -> None:
    began = NOON - timedelta(days=6)
    outage = OutageFacts(id=1, began_at=began, ended_at=None, reason="timeout", status_code=500, held=1)
    with time_machine.travel(began + age, tick=False), app.test_request_context():
        assert outage.message == f"Fora desde {day} (HTTP 500); 1 entrega espera."


def test_what_began_today_needs_no_day(app: Flask) -> None:
    facts: dict[str, Any] = {"id": 1, "began_at": NOON, "reason": "timeout", "status_code": 500, "held": 0}
    with time_machine.travel(NOON + timedelta(hours=1), tick=False), app.test_request_context():
        now = OutageFacts(**facts, ended_at=None)
        assert now.message == "Fora desde 09:00 (HTTP 500); nenhuma entrega espera."
        over = OutageFacts(**facts, ended_at=NOON + timedelta(minutes=5))
        assert over.message == "Fora de 09:00 a 09:05 (HTTP 500); nenhuma entrega esperou."


@pytest.mark.parametrize("signs_for", [timedelta(0), MOMENT])
def test_people_know_all_of_their_endpoint(company: Company, signs_for: timedelta) -> None:
    place = endpoint_of(company)
    facts = {
        "consecutive_failures": 7,
        "next_probe_at": NOON,
        "last_success_at": NOON - DAY,
        "last_failure_at": NOON - MOMENT,
        "header_name": "X-Key",
        "paused_reason": "gone",
    }
    for name, value in (facts | {"state": "failing", "old_secret": "x", "old_secret_until": NOON + signs_for}).items():
        setattr(place, name, value)
    db.session.commit()
    make_delivery(make_contact(company))
    with time_machine.travel(NOON, tick=False):
        until = NOON + signs_for if signs_for else None
        expected = endpoint.Status(url=URL, state="failing", waiting=1, old_secret_until=until, **facts)
        assert endpoint.describe(db.session, company.id) == expected
    place.url = None
    db.session.commit()
    assert endpoint.describe(db.session, company.id).state == "unset"
    assert not endpoint.is_configured(db.session, company.id)


def test_a_pause_and_a_new_key_change_that_and_no_more(company: Company) -> None:
    def row() -> dict[str, Any]:
        db.session.commit()
        found = endpoint_of(company)
        return {column.name: getattr(found, column.name) for column in found.__table__.c}

    before, actor = row(), actor_of(company)
    with time_machine.travel(NOON, tick=False):
        endpoint.pause(db.session, actor)
        paused = {"state": "paused", "paused_reason": "manual", "next_probe_at": None, "updated_at": NOON}
        assert row() == before | paused
        secret = endpoint.rotate_secret(db.session, actor, vault=runtime().vault)
    with time_machine.travel(NOON + DAY, tick=False):
        endpoint.pause(db.session, actor)
    after = row()
    old = {"old_secret": before["secret"], "old_secret_until": NOON + DAY, "secret": after["secret"]}
    assert after == before | paused | old
    assert endpoint.read_secret(endpoint_of(company), runtime().vault) == secret
    signs = [len(outbox.signing_secrets(endpoint_of(company), now=NOON + DAY - each)) for each in (MOMENT, 0 * DAY)]
    assert signs == [2, 1]


def test_what_waits_leaves_when_sending_is_resumed(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, place = make_delivery(make_contact(company), 3), endpoint_of(company)
    waiting.next_attempt_at, place.state, place.paused_reason = NOON + DAY, "paused", "gone"
    db.session.commit()
    monkeypatch.setattr(outbox, "send", lambda *_given: answered("ok_text"))
    with time_machine.travel(NOON, tick=False):
        testing.resume(db.session, runtime(), actor_of(company))
    db.session.commit()
    db.session.refresh(waiting)
    assert (place.state, place.updated_at, waiting.next_attempt_at) == ("active", NOON, NOON)


@pytest.mark.parametrize(
    ("url", "is_forgotten"),
    [
        ("http://127.0.0.1:8001/webhook", False),
        ("http://127.0.0.1:8001/other", False),
        ("http://127.0.0.1:8002/webhook", True),
        ("http://127.0.0.2:8001/webhook", True),
    ],
)
def test_what_another_origin_knew_of_contacts_is_forgotten(app: Flask, url: str, is_forgotten: bool) -> None:
    company, other = make_company(url="http://127.0.0.1:8001/webhook"), make_company("Outra", url=URL)
    kept = [make_contact(each).id for each in (company, other)]
    db.session.add_all(CrmRecord(contact_id=number, pointer="/id", value="7") for number in kept)
    db.session.commit()
    set_url(company, url)
    assert list(db.session.scalars(select(CrmRecord.contact_id))) == kept[is_forgotten:]


SINCE, UNTIL = NOON, NOON + DAY
SPANS: dict[str, tuple[timedelta, timedelta | None]] = {
    "lasts": (MINUTE, None),
    "lasts from before": (-DAY, None),
    "lasts from the end on": (DAY, None),
    "began at the last moment": (DAY - MOMENT, DAY + MINUTE),
    "ended as it began": (-DAY, timedelta(0)),
    "ended just after": (-DAY, MOMENT),
    "around it": (-DAY, 2 * DAY),
    "within it": (MINUTE, 2 * MINUTE),
    "later": (DAY + MINUTE, DAY + 2 * MINUTE),
}


def test_the_outages_of_a_time_are_those_that_had_a_part_in_it(company: Company) -> None:
    kept = {"reason": "timeout", "held": 0}
    ids: dict[int, str] = {}
    for each in (company, make_company("Outra")):
        for name, (began, ended) in SPANS.items():
            end = None if ended is None else NOON + ended
            db.session.add(row := Outage(company_id=each.id, began_at=NOON + began, ended_at=end, **kept))
            db.session.flush()
            ids[row.id] = f"{each.name} {name}"
    found = [ids[each.id] for each in outages.outages_between(db.session, company.id, SINCE, UNTIL)]
    missing = {"lasts from the end on", "ended as it began", "later"}
    assert found == [f"{company.name} {name}" for name in reversed(SPANS) if name not in missing]
