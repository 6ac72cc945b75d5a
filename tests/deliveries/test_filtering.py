"""The filter of the log: every edge has the same fields, and what does not exist matches nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.api.deliveries import DeliveryFilterSchema, DeliveryQuerySchema
from portal.api.protocol.fields import ListQuerySchema
from portal.cli.deliveries import filter_options
from portal.database.db import db
from portal.deliveries import filtering, log, resending
from portal.deliveries.filtering import DeliveryFilter, read_filter, select_deliveries
from portal.models import Company, Delivery
from tests.conftest import BOTH, URL
from tests.factories import NOON, make_company, make_contact, make_delivery


@pytest.fixture
def delivery(company: Company) -> Delivery:
    return make_delivery(make_contact(company, name="Ana Souza"))


def found(company: Company, wanted: DeliveryFilter) -> int:
    counts = log.count_matching_by_status(db.session, company.id, wanted).values()
    items = log.page_deliveries(db.session, company.id, wanted).items
    newer = log.count_newer(db.session, company.id, wanted, than_id=0)
    seen = resending.look(db.session, company.id, wanted)
    assert sum(counts) == len(items) == newer == seen.count() + seen.left_out
    return newer


def test_every_edge_has_the_same_fields() -> None:
    def short(names: Any) -> set[str]:
        return {name.removesuffix("_id") for name in names}

    def noop() -> None: ...

    filter_options(noop)
    assert {each.name for each in noop.__click_params__} == set(filtering.NAMES)  # type: ignore[attr-defined]
    assert short(DeliveryFilterSchema().fields) == set(filtering.NAMES)
    query = set(DeliveryQuerySchema().fields) - set(ListQuerySchema().fields)
    assert short(query) == set(filtering.NAMES)


def test_a_field_counts_in_all_that_is_read_of_the_log(company: Company, delivery: Delivery) -> None:
    make_delivery(make_contact(company, name="Bia"), 3)
    assert found(company, DeliveryFilter()) == 2
    owner, moment = delivery.owner, delivery.created_at
    for asked in (
        {"level": 2},
        {"contact": delivery.contact_id},
        {"contact_id": str(delivery.contact_id)},
        {"search": " souza "},
        {"search": delivery.webhook_id},
    ):
        assert found(company, read_filter(db.session, company.id, asked)) == 1, asked
    for asked in (
        {"campaign": "Geral"},
        {"owner": owner.email.upper(), "trigger": "classification"},
        {"owner": owner.id, "campaign": delivery.campaign_id},
        {"since": moment, "status": "pending", "reason": "", "level": None},
    ):
        assert found(company, read_filter(db.session, company.id, asked)) == 2, asked
    assert found(company, read_filter(db.session, company.id, {"until": moment})) == 0


@BOTH
@pytest.mark.parametrize(("spanned", "long_ago"), [(8000, 10_000), (1, 10_000), (1, 0)])
def test_what_was_made_while_the_clock_was_off_hides_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch, spanned: int, long_ago: int
) -> None:
    monkeypatch.setattr(filtering, "SPANNED", spanned)
    monkeypatch.setattr(filtering, "LONG_AGO", long_ago)
    made = [make_delivery(make_contact(company, name=f"Ana {n}")) for n in range(6)]
    for delivery, days in zip(made, (0, 400, 0, 1, -400, 1), strict=True):
        delivery.created_at = NOON + timedelta(days=days)
        delivery.status = "failed"
    db.session.commit()
    day = timedelta(days=1)
    for since, until, number in (
        (None, NOON + day, 3),
        (NOON, NOON + day, 2),
        (NOON, NOON + 2 * day, 4),
        (NOON, None, 5),
        (NOON + 9 * day, NOON + 10 * day, 0),
        (datetime.max.replace(tzinfo=UTC), None, 0),
        (None, datetime.min.replace(tzinfo=UTC), 0),
    ):
        assert found(company, DeliveryFilter(since=since, until=until)) == number
    starts = [NOON, NOON + day, NOON + 2 * day]
    assert [each.failed for each in log.count_by_day(db.session, company.id, DeliveryFilter(), starts=starts)] == [2, 2]


@BOTH
@pytest.mark.parametrize("within", [-1, 10_000])
def test_a_search_that_finds_many_contacts_finds_their_deliveries(
    company: Company, monkeypatch: pytest.MonkeyPatch, within: int
) -> None:
    monkeypatch.setattr(filtering, "FEW", 1)
    monkeypatch.setattr(filtering, "COMMON_WITHIN", within)
    other = make_company("Outra", url=URL)
    for owner, name in ((company, "Ana Um"), (company, "Bia"), (other, "Ana Dois"), (company, "Ana")):
        make_delivery(make_contact(owner, name=name))
    db.session.commit()
    wanted = read_filter(db.session, company.id, {"search": "ana"})
    assert wanted.is_common is (within > 0)
    assert found(company, wanted) == 2


@pytest.mark.parametrize("name", sorted(set(filtering.NAMES) - {"search"}))
def test_what_does_not_exist_matches_nothing(company: Company, delivery: Delivery, name: str) -> None:
    wanted = read_filter(db.session, company.id, {name: "nonsense"})
    assert wanted.unknown == (name,)
    assert found(company, wanted) == 0
    assert resending.choose(db.session, company.id, wanted, risks=resending.RISKS) == []


def test_a_row_of_another_company_does_not_exist(company: Company, delivery: Delivery) -> None:
    other = make_company("Outra")
    assert read_filter(db.session, other.id, {"campaign": "Geral"}).unknown == ("campaign",)
    for asked in ({"campaign": delivery.campaign_id}, {"owner": delivery.owner_id}):
        assert read_filter(db.session, other.id, asked).unknown == tuple(asked)


def test_the_ends_of_the_calendar_are_times_too(company: Company, delivery: Delivery) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for days in range(3):
        step = timedelta(days=days)
        assert found(company, DeliveryFilter(since=first + step, until=last - step)) == 1


@pytest.mark.parametrize("asked", ["yes", "warning"])
def test_what_is_outstanding_is_looked_for_among_the_companys_contacts_alone(company: Company, asked: str) -> None:
    query = select_deliveries(db.session, company.id, DeliveryFilter(outstanding=asked))
    assert "contact.company_id = " in str(query.with_only_columns(Delivery.id).compile(db.engine))


@BOTH
@pytest.mark.parametrize(
    ("asked", "is_looked_for"),
    [
        ({}, True),
        ({"level": 1}, True),
        ({"reason": "ok_json"}, True),
        ({"campaign_id": 1}, True),
        ({"campaign_id": 999}, False),
        ({"contact_id": 999}, False),
        ({"search": "nobody"}, False),
        ({"warning": "error_in_json"}, False),
        ({"outstanding": "yes"}, False),
    ],
)
def test_where_a_time_long_ago_stands_is_looked_for_where_more_than_a_few_match(
    company: Company, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], is_looked_for: bool
) -> None:
    monkeypatch.setattr(filtering, "LONG_AGO", 1)
    for _ in range(3):
        make_delivery(make_contact(company))
    db.session.commit()
    looks: list[int] = []
    monkeypatch.setattr(filtering, "numbers_within", lambda *_, most: looks.append(most))
    filtering.narrow_down(db.session, company.id, DeliveryFilter(until=NOON - timedelta(days=9), **asked))
    assert looks == [filtering.SPANNED_LONG_AGO] * is_looked_for
