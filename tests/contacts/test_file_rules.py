"""What holds for the contacts of a file: whose level wins, who is elsewhere, who looks alike."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import pytest

from portal.contacts.checking import characters_of
from portal.contacts.items import MAX_THREAD
from portal.contacts.saved import FileRules, Saved
from portal.contacts.threads import Thread, add_messages, join_threads
from portal.database.db import db
from portal.models import Company, Contact, Delivery, User
from tests.conftest import BOTH
from tests.contacts.test_saving import save_many
from tests.factories import classify_contact, make_company, make_user

KEEP, REPLACE = FileRules(), FileRules(keeps_levels=False)


@pytest.fixture
def company(app, receiver) -> Company:
    return make_company(url=receiver.url)


@pytest.fixture
def owner(company) -> User:
    return make_user(company, email="dona@example.com")


def item(name: str = "Ana", *, campaign: str = "Geral", level: int | None = None, **facts: Any) -> dict[str, Any]:
    levels = {} if level is None else {"interest_level": level}
    return {"contact": {"name": name, **facts, **levels}, "campaign": {"name": campaign}}


def one(results: list[Saved]) -> Saved:
    (result,) = results
    return result


@BOTH
def test_a_file_changes_the_level_of_a_file_and_not_that_of_a_person(company, owner):
    ana = item(email="ana@x.test")
    save_many(company, owner, [item(email="ana@x.test", level=1)], rules=KEEP)
    again = one(save_many(company, owner, [item(email="ana@x.test", level=2)], rules=KEEP))
    assert (again.classified, again.is_level_kept) == (True, False)
    contact = db.session.query(Contact).one()
    classify_contact(contact, 3)
    db.session.commit()
    kept = one(save_many(company, owner, [item(email="ana@x.test", level=2)], rules=KEEP))
    assert (kept.classified, kept.is_level_kept, kept.saved_at) == (False, True, None)
    same = one(save_many(company, owner, [item(email="ana@x.test", level=3)], rules=KEEP))
    assert not same.is_level_kept, "both say the same"
    nothing = one(save_many(company, owner, [ana], rules=REPLACE))
    assert not nothing.classified
    assert db.session.query(Contact).one().interest_level == 3
    assert db.session.query(Delivery).count() == 3
    replaced = one(save_many(company, owner, [item(email="ana@x.test", level=2)], rules=REPLACE))
    assert (replaced.classified, replaced.previous_level) == (True, 3)


def test_a_level_that_somebody_removed_stays_removed(company, owner):
    save_many(company, owner, [item(email="ana@x.test", level=1)], rules=KEEP)
    classify_contact(db.session.query(Contact).one(), None)
    db.session.commit()
    assert one(save_many(company, owner, [item(email="ana@x.test", level=1)], rules=KEEP)).is_level_kept
    assert db.session.query(Contact).one().interest_level is None


@BOTH
def test_who_is_in_another_campaign_is_named_and_added_or_changed_there(company, owner):
    save_many(company, owner, [item(linkedin_public_id="ana-lima", campaign="Verão")])
    found = item(linkedin_public_id="ana-lima", role="Gerente", campaign="Inverno")
    changed = one(save_many(company, owner, [found], rules=FileRules(updates_elsewhere=True)))
    assert (changed.elsewhere, changed.created, changed.differences) == ("Verão", False, {"role": (None, "Gerente")})
    added = one(save_many(company, owner, [found], rules=KEEP))
    assert (added.elsewhere, added.created) == ("Verão", True)
    again = one(save_many(company, owner, [found], rules=KEEP))
    assert (again.elsewhere, again.created) == (None, False)
    assert [contact.campaign.name for contact in db.session.query(Contact).order_by(Contact.id)] == ["Verão", "Inverno"]


def test_a_name_alone_is_nobody_elsewhere(company, owner):
    save_many(company, owner, [item(campaign="Verão")])
    assert one(save_many(company, owner, [item(campaign="Inverno")], rules=KEEP)).elsewhere is None


def test_without_rules_nobody_is_looked_for_elsewhere(company, owner):
    save_many(company, owner, [item(email="ana@x.test", campaign="Verão")])
    assert one(save_many(company, owner, [item(email="ana@x.test", campaign="Inverno")])).elsewhere is None


def test_one_name_and_e_mail_under_two_ids_looks_alike(company, owner):
    first, second, other = save_many(
        company,
        owner,
        [
            item("Ana Lima", email="ana@x.test", linkedin_public_id="ana-1"),
            item("ana lima", email="ana@x.test", linkedin_public_id="ana-2"),
            item("Bia", email="ana@x.test", linkedin_public_id="bia"),
        ],
        rules=KEEP,
    )
    assert (first.alike_id, second.alike_id, other.alike_id) == (None, first.contact_id, None)


NEW = [
    (item("Ana", current_company="Xis", email="ana@x.test"), True),
    (item("ANA", current_company="Xis", linkedin_public_id="ana"), True),
    (item("Ana", current_company="Xis"), False),  # the list says by its rows how many these are
    (item("Ana", email="ana@x.test"), False),
    (item("Ana", current_company="Xis", email="ana@x.test", campaign="Outra"), False),
]


@BOTH
@pytest.mark.parametrize(("new", "is_alike"), NEW, ids=[str(number) for number in range(len(NEW))])
def test_who_gains_an_id_or_an_e_mail_looks_like_whom_only_name_and_company_told(company, owner, new, is_alike):
    known = one(save_many(company, owner, [item("Ana", current_company="Xis", role="CTO")]))
    found = one(save_many(company, owner, [new], rules=KEEP))
    assert found.alike_id == (known.contact_id if is_alike else None)


@BOTH
def test_of_two_who_have_one_name_and_company_only_those_without_a_linkedin_id_look_alike(company, owner):
    ana = {"current_company": "Xis", "campaign": "Geral"}
    first = one(save_many(company, owner, [item("Ana", linkedin_public_id="ana-1", **ana)]))
    assert one(save_many(company, owner, [item("Ana", linkedin_public_id="ana-2", **ana)], rules=KEEP)).alike_id is None
    assert (
        one(save_many(company, owner, [item("Ana", email="a@x.test", **ana)], rules=KEEP)).alike_id == first.contact_id
    )


def test_what_changed_is_told_with_what_was(company, owner):
    save_many(company, owner, [item(email="ana@x.test", role="Gerente")])
    changed = item("Ana Lima", email="ana@x.test", role="Gerente", phone="+55 11 5555")
    changed["contact_owner"] = {"email": "outra@example.com"}
    assert one(save_many(company, owner, [changed])).differences == {
        "name": ("Ana", "Ana Lima"),
        "phone": (None, "+55 11 5555"),
        "owner": ("dona@example.com", "outra@example.com"),
    }
    assert one(save_many(company, owner, [changed])).differences == {}


def thread(*texts: str) -> dict[str, Any]:
    return item(email="ana@x.test") | {"messages": [{"message": text, "sender_name": "Bia"} for text in texts]}


@BOTH
def test_messages_of_a_table_are_added_to_the_thread_once(company, owner):
    rules = FileRules(adds_messages=True)
    save_many(company, owner, [thread("um", "dois")])
    added = one(save_many(company, owner, [thread("dois", "três")], rules=rules))
    assert added.differences == {"messages": (2, 3)}
    contact = db.session.query(Contact).one()
    assert [message.message for message in contact.messages] == ["um", "dois", "três"]
    again = one(save_many(company, owner, [thread("dois", "três")], rules=rules))
    assert (again.changed, again.saved_at) == (False, None)


@BOTH
def test_a_full_thread_keeps_its_newest_messages_and_says_how_many_it_lost(company, owner, monkeypatch):
    monkeypatch.setattr("portal.contacts.threads.MAX_ITEMS", 2)
    texts = ["um", "dois", "três", "quatro"]
    told = [
        item(email="ana@x.test") | {"messages": [{"message": text, "date": f"2024-03-0{day}"}]}
        for day, text in enumerate(texts, 1)
    ]
    rules = FileRules(adds_messages=True)

    def kept() -> list[str]:
        return [message.message for message in db.session.query(Contact).populate_existing().one().messages]

    assert [saved.lost_messages for saved in save_many(company, owner, told, rules=rules)] == [0, 0, 1, 1]
    assert kept() == ["três", "quatro"]
    again = save_many(company, owner, told, rules=rules)
    assert [(saved.lost_messages, saved.saved_at) for saved in again] == [(1, None), (1, None), (0, None), (0, None)]
    assert kept() == ["três", "quatro"], "the same messages, given again, change nothing"


@BOTH
def test_a_full_thread_that_begins_with_the_newest_loses_its_oldest(company, owner, monkeypatch):
    monkeypatch.setattr("portal.contacts.threads.MAX_ITEMS", 2)

    def told(*days: int) -> dict[str, Any]:
        messages = [{"message": f"dia {day}", "date": f"2024-03-0{day}"} for day in days]
        return item(email="ana@x.test") | {"messages": messages}

    save_many(company, owner, [told(4, 2)])
    rules = FileRules(adds_messages=True)
    added = one(save_many(company, owner, [told(5, 4, 3, 2, 1)], rules=rules))
    kept = [message.message for message in db.session.query(Contact).one().messages]
    assert (kept, added.lost_messages) == (["dia 4", "dia 5"], 3)
    again = one(save_many(company, owner, [told(5, 4, 3, 2, 1)], rules=rules))
    assert again.saved_at is None, "the same messages, given again, change nothing"


def test_of_one_moment_those_stay_in_a_full_thread_that_were_there(monkeypatch):
    monkeypatch.setattr("portal.contacts.threads.MAX_ITEMS", 2)
    held, new = [{"message": text, "date": None} for text in ("um", "dois")], {"message": "três", "date": None}
    assert add_messages(held, [new]) == (held, 1)
    assert add_messages(held, held) == (held, 0)


def said(day: int, characters: int) -> dict[str, Any]:
    date = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return {"sender_name": "Bia", "message": "x" * (characters - 3), "date": date, "pending": False}


def added(told: Iterable[dict[str, Any]], thread: Sequence[dict[str, Any]] = ()) -> Thread:
    """The thread after these messages have come one after the other, as rows of a file bring them."""
    held = list(thread)
    for message in told:
        held, _ = add_messages(held, [message])
    return held


@pytest.mark.parametrize("size", [lambda day: 20_000, lambda day: 100 + day * 7919 % 20_000], ids=["long", "uneven"])
def test_a_thread_of_many_characters_keeps_its_newest_messages(size: Callable[[int], int]):
    told = [said(day, size(day)) for day in range(90)]
    kept, lost = add_messages([], told)
    assert kept == told[lost:]
    assert MAX_THREAD - 20_300 < sum(map(characters_of, kept)) <= MAX_THREAD
    assert [add_messages(kept, told), add_messages(kept, told[:lost])] == [(kept, lost), (kept, lost)]
    in_turn, backwards = added(told), added(reversed(told))
    assert in_turn == kept == sorted(backwards, key=itemgetter("date"))
    assert added(told, in_turn) == kept, "the same messages, given again, change nothing"
    assert join_threads(told[:50], told[50:]) == (kept, lost)


def test_a_thread_that_was_longer_stays_as_it_is_until_something_newer_comes():
    thread = [said(day, 20_000) for day in range(1, 40)]
    assert add_messages(thread, [said(0, 10)]) == (thread, 1)
    assert add_messages(thread, thread) == (thread, 0)
    kept, lost = add_messages(thread, [said(40, 10)])
    assert (kept, lost) == ([*thread[15:], said(40, 10)], 15)


@BOTH
def test_a_table_says_how_many_messages_there_was_no_room_for(company, owner):
    rules = FileRules(adds_messages=True)
    told = [{**said(day, 20_000), "pending_message": 0} for day in range(30)]
    for message in told:
        message["date"] = message["date"].isoformat()
        del message["pending"]
    lost = [
        one(save_many(company, owner, [item(email="ana@x.test") | {"messages": [each]}], rules=rules)).lost_messages
        for each in told
    ]
    assert lost == [0] * 24 + [1] * 6
