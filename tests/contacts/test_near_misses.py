"""Where a contact stands decides who is listed, counted, sent and settled: each misses another state by one fact."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import insert, select

from portal.audit import Actor
from portal.contacts import doubts, matching, merging, syncing, undoing
from portal.contacts.classifying import ContactGone
from portal.contacts.filtering import ContactFilter, select_contacts
from portal.contacts.standing import SHOWN_STATES, SYNC_STATES, standings_of
from portal.database.db import db
from portal.database.tables import Base
from portal.models import Classification, Company, Contact, Delivery
from tests.conftest import URL
from tests.factories import (
    NOON,
    actor_of,
    classify_contact,
    insert_deliveries,
    make_company,
    make_contact,
    save,
    set_url,
)
from tests.outbox.stock import WAITING

MOMENT, HOUR = timedelta(microseconds=1), timedelta(hours=1)
SET = {"interest_level": 2, "classified_at": NOON - HOUR}
TOLD = SET | {"delivered_level": 2, "delivered_frozen_at": NOON}
CHANGED = TOLD | {"data_changed_at": NOON + MOMENT}
REMOVED = TOLD | {"interest_level": None}
SENDING, FAILED, CANCELLED = ({"status": status} for status in ("sending", "failed", "cancelled"))
HIGH = {"interest_level": 3}
MERGED = {"former_contact_id": 900}
AT = {"created_at": NOON + MOMENT}

Facts = Mapping[str, Any]
STOCK: Mapping[str, tuple[str, str, Facts, Sequence[Facts]]] = {
    "nothing said": ("never_sent", "never_sent", {}, ()),
    "in sync": ("in_sync", "in_sync", TOLD, ()),
    "never sent": ("never_sent", "never_sent", SET, ()),
    "waits": ("waiting", "waiting", SET, [{}]),
    "is being sent": ("waiting", "waiting", SET, [SENDING]),
    "another level waits": ("out_of_sync", "out_of_sync", SET, [HIGH]),
    "the level waits behind another": ("waiting", "waiting", SET, [HIGH, {}]),
    "another level waits behind it": ("out_of_sync", "out_of_sync", SET, [{}, HIGH]),
    "a merged one waits": ("never_sent", "never_sent", SET, [MERGED]),
    "a merged one waits behind": ("waiting", "waiting", SET, [{}, MERGED | HIGH]),
    "failed": ("out_of_sync", "out_of_sync", SET, [FAILED]),
    "failed, of level 3": ("out_of_sync", "out_of_sync", SET | HIGH, [FAILED]),
    "cancelled": ("out_of_sync", "out_of_sync", SET, [CANCELLED]),
    "a merged one failed": ("never_sent", "never_sent", SET, [FAILED | MERGED]),
    "told another level": ("out_of_sync", "out_of_sync", TOLD | HIGH, ()),
    "removed": ("in_sync", "level_removed", REMOVED, ()),
    "removed before it arrived": ("in_sync", "in_sync", {}, [CANCELLED]),
    "removed on its way": ("in_sync", "waiting", {}, [{}]),
    "told, and removed on its way": ("in_sync", "waiting", REMOVED, [{}]),
    "doubtful": ("in_sync", "with_warning", TOLD | {"delivered_warning": "error_in_json"}, ()),
    "doubtful otherwise": ("in_sync", "with_warning", TOLD | {"delivered_warning": "error_words"}, ()),
    "doubtful, told another level": (
        *("out_of_sync", "out_of_sync"),
        TOLD | HIGH | {"delivered_warning": "error_in_json"},
        (),
    ),
    "with another warning": ("in_sync", "in_sync", TOLD | {"delivered_warning": "shape_changed"}, ()),
    "doubtful to the CRM before": ("never_sent", "never_sent", SET | {"delivered_warning": "error_in_json"}, ()),
    "changed": ("in_sync", "data_changed", CHANGED, ()),
    "changed as it was told": ("in_sync", "in_sync", TOLD | {"data_changed_at": NOON}, ()),
    "changed, and waits": ("in_sync", "waiting", CHANGED, [AT]),
    "changed since what waits": ("in_sync", "data_changed", CHANGED, [{"created_at": NOON}]),
    "changed, a merged one waits": ("in_sync", "data_changed", CHANGED, [AT | MERGED]),
    "changed, and failed": ("in_sync", "data_changed", CHANGED, [AT | FAILED]),
    "changed and removed": ("in_sync", "data_changed", CHANGED | {"interest_level": None}, ()),
    "changed and told another level": ("out_of_sync", "out_of_sync", CHANGED | HIGH, ()),
    "changed, never told": ("never_sent", "never_sent", SET | {"data_changed_at": NOON}, ()),
}
"""The state to the CRM, the state that is shown, the contact's facts, and its deliveries."""


class People:
    """The contacts of `STOCK` by name, and another company's just like them."""

    def __init__(self) -> None:
        self.company, self.other = make_company(), make_company("Outra")
        self.ids: dict[str, int] = {}
        for company in (self.other, self.company):
            set_url(company, URL)
            self._insert(company, make_contact(company).id)
        db.session.commit()

    def _insert(self, company: Any, first_id: int) -> None:
        template = dict(db.session.execute(select(Contact.__table__).where(Contact.id == first_id)).mappings().one())
        common = {name: value for name, value in template.items() if name != "id"} | {"data_changed_at": None}
        number = 0
        for name, (_, _, facts, deliveries) in STOCK.items():
            made = insert(Contact).values(common | {"name": name, "search_name": name} | facts).returning(Contact.id)
            self.ids[name] = contact_id = db.session.execute(made).scalar_one()
            for each in deliveries:
                number += 1
                row = dict.fromkeys(Delivery.__table__.c.keys()) | WAITING | {"reason": "timeout"} | each
                row |= {"company_id": company.id, "contact_id": contact_id, "webhook_id": f"{company.id}-{number}"}
                insert_deliveries(db.session.connection(), [{key: row[key] for key in row if key != "id"}])
        db.session.query(Contact).filter_by(id=first_id).delete()

    def names(self, ids: Sequence[int]) -> list[str]:
        """In the order of the numbers given. A stranger's number has no name."""
        found = {number: name for name, number in self.ids.items()}
        return [found[number] for number in ids]

    def read(self) -> dict[str, Any]:
        db.session.expire_all()
        rows = db.session.execute(select(Contact.__table__)).mappings()
        return {f"{row['company_id']} {row['name']}": dict(row) for row in rows}


@pytest.fixture
def people(app: Flask) -> People:
    return People()


def test_what_a_contact_is_said_to_be_it_is_found_by(people: People) -> None:
    def found(**asked: Any) -> set[str]:
        query = select_contacts(people.company.id, ContactFilter(**asked)).with_only_columns(Contact.id)
        return set(people.names(db.session.scalars(query).all()))

    contacts = db.session.query(Contact).filter_by(company_id=people.company.id).all()
    standings = {contact.name: standings_of(db.session, contacts)[contact.id] for contact in contacts}
    said = {name: (standing.sync, standing.shown) for name, standing in standings.items()}
    assert said == {name: states[:2] for name, states in STOCK.items()}
    assert set(said.values()) <= set(product(SYNC_STATES, SHOWN_STATES))
    for state in SYNC_STATES:
        assert found(sync=state) == {name for name, (sync, _) in said.items() if sync == state}, state
    for state in SHOWN_STATES:
        assert found(state=state) == {name for name, (_, shown) in said.items() if shown == state}, state
    changed = {name for name, (_, _, facts, _) in STOCK.items() if facts.get("data_changed_at") == NOON + MOMENT}
    assert {name for name, standing in standings.items() if standing.data_changed} == changed
    assert (found(data_changed="true"), found(data_changed="false")) == (changed, STOCK.keys() - changed)
    for warning in ("error_in_json", "error_words", "shape_changed"):
        warned = {name for name, standing in standings.items() if standing.warning == warning}
        assert (
            found(warning=warning)
            == warned
            == {
                name
                for name, (_, _, facts, _) in STOCK.items()
                if facts.get("delivered_warning") == warning and facts.get("delivered_level")
            }
        )
    assert found(level="3") == {name for name, (_, _, facts, _) in STOCK.items() if facts.get("interest_level") == 3}
    assert found(level="none") == {name for name, (_, _, facts, _) in STOCK.items() if not facts.get("interest_level")}


NOT_COMING = {
    *("failed", "cancelled", "never sent", "a merged one waits", "a merged one failed"),
    *("another level waits", "another level waits behind it", "doubtful to the CRM before", "changed, never told"),
}
HIGHEST = {
    *("failed, of level 3", "told another level", "doubtful, told another level", "changed and told another level"),
}
UNKNOWN = (
    NOT_COMING
    | HIGHEST
    | {
        *("waits", "is being sent", "the level waits behind another", "a merged one waits behind"),
    }
)
"""The CRM does not know their level."""
OLD = {"changed", "changed since what waits", "changed, a merged one waits", "changed, and failed"}


def test_what_the_crm_does_not_know_and_will_not_by_itself_is_to_be_sent_the_highest_level_first(
    people: People,
) -> None:
    in_order = [name for name in STOCK if name in HIGHEST] + [name for name in STOCK if name in NOT_COMING]
    assert people.names(syncing.find_out_of_sync(db.session, people.company.id)) == in_order
    counted = syncing.count_out_of_sync(db.session, people.company.id)
    assert list(counted.items()) == [(3, len(HIGHEST)), (2, len(NOT_COMING))]
    backlog = syncing.backlog_of(db.session, people.company.id)
    assert (backlog.contacts, backlog.high, backlog.since) == (len(UNKNOWN), len(HIGHEST), NOON - HOUR)
    assert backlog.waiting == len(UNKNOWN - HIGHEST - NOT_COMING)
    assert backlog.stuck == len(in_order)


@pytest.mark.parametrize(
    ("send", "sent"),
    [
        (syncing.bring_in_sync, NOT_COMING | HIGHEST),
        (partial(syncing.bring_in_sync, needs=syncing.lacks_something), NOT_COMING | HIGHEST | OLD),
        (syncing.send_current_of, NOT_COMING | HIGHEST | OLD),
    ],
)
def test_each_who_lacks_something_is_sent_once_and_nobody_else(people: People, send: Any, sent: set[str]) -> None:
    newest = db.session.scalar(select(Delivery.id).order_by(Delivery.id.desc()).limit(1)) or 0
    everybody = [*db.session.scalars(select(Contact.id)), 10**9]
    number = send(db.session, actor_of(people.company), everybody)
    assert (number if isinstance(number, int) else len(number)) == len(sent)
    made = db.session.query(Delivery).filter(Delivery.id > newest).order_by(Delivery.id).all()
    names = people.names([each.contact_id or 0 for each in made])
    assert names == sorted(names, key=lambda name: (name not in HIGHEST, people.ids[name]))
    assert set(names) == sent
    assert {(each.trigger, each.status, each.company_id) for each in made} == {("sync", "pending", people.company.id)}
    for each in made:
        assert (each.interest_level, each.previous_level) == (each.contact.interest_level, each.contact.delivered_level)
    assert not send(db.session, actor_of(people.company), everybody)


DOUBTFUL = {"doubtful", "doubtful, told another level"}


@pytest.mark.parametrize(
    ("asked", "settled"),
    [
        ({"warning": "error_in_json"}, DOUBTFUL),
        ({"contact_id": "doubtful"}, {"doubtful"}),
        ({"contact_id": "doubtful", "warning": "error_words"}, set()),
        ({"contact_id": "doubtful to the CRM before"}, set()),
        ({"contact_id": "in sync"}, set()),
        ({"warning": "error_in_json", "seen_at": NOON}, DOUBTFUL - {"doubtful"}),
        ({"warning": "error_in_json", "seen_at": NOON + MOMENT}, DOUBTFUL),
    ],
)
def test_warnings_are_settled_of_those_meant_and_of_nobody_else(
    people: People, asked: dict[str, Any], settled: set[str]
) -> None:
    if "contact_id" in asked:
        asked = asked | {"contact_id": people.ids[asked["contact_id"]]}
    row = dict.fromkeys(Delivery.__table__.c.keys()) | WAITING | {"webhook_id": "taken", "delivered_at": NOON + MOMENT}
    row |= {"status": "delivered", "contact_id": people.ids["doubtful"], "company_id": people.company.id}
    insert_deliveries(db.session.connection(), [{name: value for name, value in row.items() if name != "id"}])
    before = people.read()
    assert doubts.settle(db.session, actor_of(people.company), **asked) == len(settled)
    mine = {f"{people.company.id} {name}" for name in settled}
    assert people.read() == before | {name: before[name] | {"delivered_warning": None} for name in mine}


def test_doubts_are_counted_by_their_kind_the_most_frequent_first(people: People) -> None:
    db.session.query(Contact).filter_by(name="with another warning").update({"delivered_warning": "source_code"})
    for name in ("in sync", "with another warning"):
        db.session.query(Contact).filter_by(name=name).update({"delivered_warning": "source_code"})
    found = doubts.doubts_of(db.session, people.company.id)
    assert {(each.warning, each.contacts, each.deliveries, each.delivery_id) for each in found} == {
        ("source_code", 2, 0, 0),
        ("error_in_json", 1, 0, 0),
        ("error_words", 1, 0, 0),
    }
    assert found[0].warning == "source_code"


def test_the_causes_are_those_of_the_last_deliveries_first_what_is_tried_no_more(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = {
        name: db.session.query(Delivery.id).filter_by(contact_id=people.ids[name]).all()[-1][0]
        for name in UNKNOWN
        if STOCK[name][3]
    }
    db.session.query(Delivery).filter_by(id=newest["failed"]).update({"reason": "gone"})
    db.session.query(Delivery).filter_by(id=newest["waits"]).update({"next_attempt_at": NOON})
    db.session.query(Delivery).filter_by(id=newest["cancelled"]).update({"reason": None})
    causes = syncing.causes_of(db.session, people.company.id)
    waiting = [name for name in newest if STOCK[name][3][-1].get("status", "pending") == "pending"]
    failed = [name for name in newest if STOCK[name][3][-1].get("status") == "failed"]
    assert [(each.status, each.reason, each.contacts, each.delivery_id, each.next_attempt_at) for each in causes] == [
        ("failed", "timeout", len(failed) - 1, max(newest[name] for name in failed if name != "failed"), NOON + HOUR),
        ("failed", "gone", 1, newest["failed"], NOON + HOUR),
        ("pending", "timeout", len(waiting), max(newest[name] for name in waiting), NOON),
    ]
    monkeypatch.setattr(syncing, "LOOK_BACK", 2)
    assert sum(each.contacts for each in syncing.causes_of(db.session, people.company.id)) <= 2


@pytest.mark.parametrize(
    ("asked", "is_undone"),
    [
        ({}, True),
        ({"at": timedelta(seconds=15)}, True),
        ({"at": timedelta(seconds=15) + MOMENT}, False),
        ({"set_at": NOON + MOMENT}, False),
        ({"email": "bia@example.com"}, False),
        ({"company": "Outra"}, False),
        ({"contact": "another"}, False),
        ({"again": True}, False),
    ],
    ids=[
        "right",
        "just in time",
        "too late",
        "of another moment",
        "another's",
        "a stranger's",
        "of another",
        "no more",
    ],
)
def test_what_was_just_set_is_undone_by_who_set_it(app: Flask, asked: dict[str, Any], is_undone: bool) -> None:
    company, other = make_company(url=URL), make_company("Outra", url=URL)
    ana, bia = make_contact(company), make_contact(company)
    with time_machine.travel(NOON - HOUR, tick=False):
        classify_contact(ana, 1)
    with time_machine.travel(NOON, tick=False):
        classify_contact(ana, 2)
        classify_contact(bia, 2)
    if asked.get("again"):
        with time_machine.travel(NOON + MOMENT, tick=False):
            classify_contact(ana, 3)
    before = {model: rows_of_table(model) for model in (Contact, Delivery, Classification)}
    actor = Actor((other if "company" in asked else company).id, asked.get("email", "ana@example.com"))
    meant = [bia.id + 99] if "contact" in asked else [ana.id]
    with time_machine.travel(NOON + asked.get("at", timedelta(0)), tick=False):
        done = undoing.undo(db.session, actor, meant, set_at=asked.get("set_at", NOON))
    after = {model: rows_of_table(model) for model in (Contact, Delivery, Classification)}
    assert done == undoing.Undone(taken_back=(ana.id,) if is_undone else ())
    if not is_undone:
        assert after == before
        return
    first, taken = sorted(key for key, row in before[Delivery].items() if row["contact_id"] == ana.id)
    assert after[Delivery] == before[Delivery] | {
        taken: before[Delivery][taken] | {"status": "cancelled", "next_attempt_at": None}
    }
    assert first in after[Delivery]
    assert after[Contact] == before[Contact] | {
        ana.id: before[Contact][ana.id] | {"interest_level": 1, "classified_at": NOON - HOUR}
    }
    assert len(after[Classification]) == len(before[Classification]) - 1


def rows_of_table(model: type[Base]) -> dict[int, dict[str, Any]]:
    db.session.expire_all()
    return {row["id"]: dict(row) for row in db.session.execute(select(model.__table__)).mappings()}


def test_who_merges_says_who_is_gone(app: Flask) -> None:
    company = make_company()
    here, theirs = make_contact(company).id, make_contact(make_company("Outra")).id
    for pair, gone in (((here, theirs), (theirs,)), ((theirs, here), (theirs,)), ((98, 99), (98, 99))):
        with pytest.raises(ContactGone) as refused:
            merging.merge(db.session, actor_of(company), *pair)
        assert refused.value.args == gone


@pytest.mark.parametrize(
    ("facts", "keys"),
    [
        ({"linkedin_public_id": "ana", "email": "a@x.test"}, {("linkedin_public_id", "ana"), ("email", "a@x.test")}),
        ({"name": "Ana", "email": "a@x.test", "current_company": "Ipê"}, {("email", "a@x.test")}),
        ({"name": "Ana", "current_company": "Ipê"}, {("name", "Ana\nIpê")}),
        ({"name": "Ana", "current_company": None}, {("name", "Ana\n")}),
        ({"name": "Ana"}, set()),
    ],
    ids=["both", "the e-mail", "name and company", "no company", "of another campaign"],
)
def test_who_was_merged_is_known_by_what_tells_surely(facts: dict[str, Any], keys: set[tuple[str, str]]) -> None:
    assert matching.former_keys([facts]) == keys


def test_who_is_written_to_says_when(company: Company) -> None:
    with time_machine.travel(NOON, tick=False):
        contact, other = (make_contact(company, name=name) for name in ("Ana", "Bia"))
    with time_machine.travel(NOON + HOUR, tick=False):
        save(company, {"contact": {"id": contact.id, "role": "Outro"}})
    for each, at in ((contact, NOON + HOUR), (other, NOON)):
        db.session.refresh(each)
        assert (each.updated_at, each.created_at) == (at, NOON)
