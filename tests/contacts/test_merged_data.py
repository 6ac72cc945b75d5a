"""Whether the CRM has the old data of who stays of two that were merged: where the body of now says another thing.

What told of the one that went vouches for nothing: it tells the CRM of another number.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from portal.contacts import merging
from portal.contacts.body import freeze_body
from portal.contacts.standing import standings_of
from portal.database.db import db
from portal.models import Company, Contact, Delivery
from portal.tasks import store
from tests.conftest import BOTH
from tests.contacts.test_merging import claim_due, settle
from tests.factories import (
    actor_of,
    classify_contact,
    do_tasks,
    make_delivery,
    make_import,
    mark_delivered,
    save,
)

UNTOLD = ("interest_level", "collect_date")
TWINS = ("Ana Lima,Moinho,Sócia", "Ana Lima,Moinho,Diretora")


def twins(company: Company, rows: tuple[str, ...] = TWINS) -> list[Contact]:
    """The people of a list, by its rows: only a name and a company tell who they are."""
    store.start(db.session, make_import(company, "\n".join(["Nome,Empresa,Cargo", *rows]).encode()))
    do_tasks()
    db.session.expire_all()
    return db.session.query(Contact).order_by(Contact.id).all()


def change(contact: Contact, **facts: Any) -> None:
    save(contact.company, {"contact": {"id": contact.id} | facts})


def merge(kept: Contact, other: Contact) -> None:
    merging.merge(db.session, actor_of(kept.company), kept.id, other.id)
    db.session.commit()


def tell(contact: Contact, level: int = 2) -> None:
    mark_delivered(make_delivery(contact, level))


def told(body: bytes) -> dict[str, Any]:
    """What a body says that a change of is shown."""
    said: dict[str, Any] = json.loads(body)
    facts = {name: value for name, value in said["contact"].items() if name not in UNTOLD}
    return {"contact": facts, "contact_owner": said["contact_owner"], "campaign": said["campaign"]}


def nothing(kept: Contact, other: Contact) -> None:
    """Both are as the list made them."""


def fill_other(kept: Contact, other: Contact) -> None:
    change(other, phone="11 5555")


def change_kept(kept: Contact, other: Contact) -> None:
    change(kept, phone="11 9999")


def change_and_tell_other(kept: Contact, other: Contact) -> None:
    change(kept, phone="11 9999")
    tell(other)


def change_and_tell_again(kept: Contact, other: Contact) -> None:
    change(kept, phone="11 9999")
    tell(kept, 3)


def leave_other_waiting(kept: Contact, other: Contact) -> None:
    change(kept, phone="11 9999")
    make_delivery(other)


def more_in_thread(kept: Contact, other: Contact) -> None:
    save(
        other.company,
        {"contact": {"id": other.id}, "messages": [{"sender_name": "Ana", "message": "Oi", "date": None}]},
    )


def collected(kept: Contact, other: Contact) -> None:
    change(other, collect_date="2026-03-01 10:00:00")


def later_nothing(company: Company) -> None:
    """Nothing comes after the merge."""


def later_the_list(company: Company) -> None:
    twins(company)


def later_another_list(company: Company) -> None:
    twins(company, (TWINS[0], "Ana Lima,Moinho,Presidente"))


def later_arrives(company: Company) -> None:
    for claim in claim_due():
        settle(claim, "ok_text")


def later_told(company: Company) -> None:
    kept = db.session.query(Contact).one()
    classify_contact(kept, None)
    tell(kept, 1)


BEFORE = (
    nothing,
    fill_other,
    change_kept,
    change_and_tell_other,
    change_and_tell_again,
    leave_other_waiting,
    more_in_thread,
    collected,
)
AFTER = (later_nothing, later_the_list, later_another_list, later_arrives, later_told)


@BOTH
@pytest.mark.parametrize("stays", [0, 1], ids=["the older stays", "the newer stays"])
@pytest.mark.parametrize("before", BEFORE)
def test_the_crm_has_the_old_data_where_its_last_body_says_another_thing(
    company: Company, stays: int, before: Callable[[Contact, Contact], None]
) -> None:
    both = twins(company)
    kept, other = both[stays], both[1 - stays]
    tell(kept)
    before(kept, other)
    kept_id = kept.id
    merge(kept, other)
    for after in AFTER:
        after(company)
        db.session.expire_all()
        one = db.session.get_one(Contact, kept_id)
        own = db.session.query(Delivery).filter_by(contact_id=kept_id, former_contact_id=None, status="delivered")
        last = own.order_by(Delivery.id.desc()).first()
        assert last is not None
        is_old = told(last.body) != told(freeze_body(one))
        assert standings_of(db.session, [one])[one.id].data_changed == is_old, after


def test_who_is_told_of_nothing_has_no_old_data_whatever_the_other_was_told_of(company: Company) -> None:
    kept, other = twins(company)
    tell(other)
    change(kept, phone="11 9999")
    merge(kept, other)
    one = db.session.get_one(Contact, kept.id)
    found = standings_of(db.session, [one])[one.id]
    assert (found.data_changed, found.shown) == (False, "never_sent")
