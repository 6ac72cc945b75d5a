"""Merging two contacts: what stays, what goes along, what nobody notices; and finding those that look alike."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, func, select

from portal import clock, outbox
from portal.contacts import doubts, merging
from portal.contacts.alike import Alike
from portal.contacts.checking import check_item
from portal.contacts.classifying import ContactGone
from portal.contacts.merging import find_doubles, find_doubles_of
from portal.contacts.saved import FileRules, Saved
from portal.contacts.saving import save_batch
from portal.contacts.standing import standings_of
from portal.database.db import db
from portal.database.tables import Base
from portal.importing.findings import read_findings
from portal.importing.words import row_explainer
from portal.models import AuditEntry, Classification, Company, Contact, Delivery, Message, Task, User
from portal.outbox import Claim, Rules
from portal.privacy.erasing import erase_contact
from portal.privacy.traces import TELLING, Traces
from portal.rules.retry import parse_schedule
from portal.runtime import runtime
from portal.tasks import store
from portal.webhook import Outcome
from portal.working_models import CrmRecord, ImportedContact
from tests.conftest import BOTH, URL
from tests.factories import (
    actor_of,
    classify_contact,
    do_tasks,
    make_company,
    make_delivery,
    make_import,
    mark_delivered,
    save,
    save_many,
)

pytestmark = BOTH
LEASE = timedelta(seconds=15)


def make(company: Company, name: str = "Maria", **facts: Any) -> Contact:
    messages = facts.pop("messages", [])
    return save(company, {"contact": {"name": name} | facts, "messages": messages})


@pytest.fixture
def kept(company: Company) -> Contact:
    return make(company, linkedin_public_id="maria", role="Diretora")


@pytest.fixture
def other(company: Company) -> Contact:
    return make(company, "Maria S.", email="maria@example.com", role="Sócia", phone="11 5555")


def merge(kept: Contact, other: Contact) -> Contact:
    merging.merge(db.session, actor_of(kept.company), kept.id, other.id)
    db.session.commit()
    return db.session.get_one(Contact, kept.id)


def claim_due(now: Any = None) -> list[Claim]:
    db.session.rollback()
    with db.engine.begin() as connection:
        return outbox.claim_due(connection, now=now or clock.utcnow(), lease=LEASE, limit=9, room_for=lambda *_: 9)


def settle(claim: Claim, reason: str) -> None:
    rules = Rules(parse_schedule("0s,30s,5m"), now=clock.utcnow(), jitter=lambda: 0.0)
    outcome = Outcome(started_at=clock.utcnow(), duration_ms=1, url=URL, reason=reason)
    db.session.rollback()
    with db.engine.begin() as connection:
        outbox.settle(connection, [(claim, outcome)], rules)
    db.session.expire_all()


def test_the_one_that_stays_keeps_what_it_says_and_takes_what_it_lacks(kept: Contact, other: Contact) -> None:
    one = merge(kept, other)
    assert (one.name, one.role, one.linkedin_public_id) == ("Maria", "Diretora", "maria")
    assert (one.email, one.phone) == ("maria@example.com", "11 5555")
    assert db.session.query(Contact).count() == 1
    assert one.search_text.splitlines()[1] == "maria@example.com"
    (entry,) = db.session.query(AuditEntry).filter_by(action="contact.merged")
    assert entry.subject == f"{other.id} -> {kept.id}"


def test_the_level_of_the_one_that_stays_counts_and_nothing_fires(kept: Contact, other: Contact) -> None:
    make_delivery(other, 3)
    before = db.session.query(Delivery).count()
    one = merge(kept, other)
    assert (one.interest_level, db.session.query(Delivery).count()) == (None, before)


def test_messages_go_along_by_their_dates_and_none_comes_twice(company: Company) -> None:
    def said(text: str, day: int | None = None) -> dict[str, Any]:
        date = f"2026-03-{day:02} 10:00:00" if day else None
        return {"sender_name": "Ana", "message": text, "date": date, "pending_message": 0}

    kept = make(company, messages=[said("um", 1), said("sem data"), said("quatro", 4)])
    other = make(company, "Mari", messages=[said("um", 1), said("três", 3)])
    merge(kept, other)
    texts = db.session.scalars(select(Message.message).where(Message.contact_id == kept.id).order_by(Message.id))
    assert list(texts) == ["um", "sem data", "três", "quatro"]


def test_of_more_messages_than_a_thread_holds_the_newest_stay(company: Company, monkeypatch) -> None:
    monkeypatch.setattr("portal.contacts.threads.MAX_ITEMS", 3)
    kept, other = (
        make(company, name, messages=[{"message": f"dia {day}", "date": f"2026-03-{day:02}"} for day in days])
        for name, days in (("Maria", (1, 3, 5)), ("Mari", (2, 3, 4)))
    )
    lost = merging.merge(db.session, actor_of(company), kept.id, other.id)
    db.session.commit()
    assert ([message.message for message in kept.messages], lost) == (["dia 3", "dia 4", "dia 5"], 2)


def test_the_history_and_the_deliveries_go_along(kept: Contact, other: Contact) -> None:
    mark_delivered(make_delivery(other, 1))
    classify_contact(kept, 2)
    merge(kept, other)
    assert {row.contact_id for row in db.session.query(Classification)} == {kept.id}
    assert {row.contact_id for row in db.session.query(Delivery)} == {kept.id}
    assert [row.former_contact_id for row in db.session.query(Delivery).order_by(Delivery.id)] == [other.id, None]


def test_what_the_crm_knows_of_the_other_says_nothing_of_the_one_that_stays(kept: Contact, other: Contact) -> None:
    other_id = other.id
    mark_delivered(make_delivery(kept, 2))
    waiting = make_delivery(other, 3)
    body = waiting.body
    one = merge(kept, other)
    assert standings_of(db.session, [one])[one.id].sync == "in_sync"
    db.session.commit()
    (claim,) = claim_due()
    assert (claim.body, claim.contact_id) == (body, kept.id)
    settle(claim, "ok_text")
    one = db.session.get_one(Contact, kept.id)
    assert (one.delivered_level, standings_of(db.session, [one])[one.id].sync) == (2, "in_sync")
    assert [(each["id"], each["name"], each["is_told"]) for each in one.merged or []] == [(other_id, "Maria S.", True)]


def test_filling_a_blank_is_a_change_that_the_crm_does_not_know(kept: Contact, other: Contact) -> None:
    mark_delivered(make_delivery(kept, 2))
    one = merge(kept, other)
    assert standings_of(db.session, [one])[one.id].data_changed


def test_filling_nothing_leaves_the_contact_in_sync(company: Company, kept: Contact) -> None:
    mark_delivered(make_delivery(kept, 2))
    one = merge(kept, make(company, "Mari"))
    assert standings_of(db.session, [one])[one.id].shown == "in_sync"


def test_deliveries_of_both_go_out_in_the_order_in_which_they_were_made(kept: Contact, other: Contact) -> None:
    made = [make_delivery(kept, 1).id, make_delivery(other, 2).id, make_delivery(kept, 3).id]
    merge(kept, other)
    sent = []
    for _ in made:
        (claim,) = claim_due()
        sent.append(claim.delivery_id)
        settle(claim, "ok_text")
    assert sent == made


def test_what_waits_of_the_other_does_not_supersede_what_tells_of_the_one_that_stays(
    kept: Contact, other: Contact
) -> None:
    first, second = make_delivery(kept, 1).id, make_delivery(other, 2).id
    merge(kept, other)
    (claim,) = claim_due()
    settle(claim, "server_error")
    statuses = {row.id: row.status for row in db.session.query(Delivery)}
    assert statuses == {first: "pending", second: "pending"}


def test_a_newer_level_of_the_one_that_stays_supersedes_what_waits_for_a_retry_of_the_other(
    kept: Contact, other: Contact
) -> None:
    old = make_delivery(other, 2).id
    (claim,) = claim_due()
    settle(claim, "server_error")
    merge(kept, other)
    classify_contact(kept, 3)
    assert db.session.get_one(Delivery, old).status == "superseded"


def test_one_that_is_being_sent_while_the_two_are_merged_ends_as_ever(kept: Contact, other: Contact) -> None:
    sent = make_delivery(other, 2).id
    (claim,) = claim_due()
    merge(kept, other)
    settle(claim, "ok_text")
    assert db.session.get_one(Delivery, sent).status == "delivered"
    assert db.session.get_one(Contact, kept.id).delivered_level is None


def test_a_contact_that_another_was_merged_into_is_touched_though_nothing_was_filled(company: Company) -> None:
    kept, other = make(company), make(company, "Mari")
    before = kept.updated_at
    assert merge(kept, other).updated_at > before


LEVELS_FILE = b"Nome,LinkedIn,Cargo,Nivel de interesse\nMaria,maria,Diretora,1\nMaria S.,maria-s,Socia,2\n"


def import_file(company: Company, content: bytes) -> Task:
    store.start(db.session, make_import(company, content))
    return do_tasks()


def test_a_file_does_not_bring_back_who_was_merged(company: Company) -> None:
    import_file(company, LEVELS_FILE)
    kept, other = db.session.scalars(select(Contact).order_by(Contact.id)).all()
    before = [(each.name, each.role, each.linkedin_public_id, each.interest_level) for each in (kept,)]
    merge(kept, other)
    sent = db.session.query(Delivery).count()
    again = import_file(company, LEVELS_FILE)
    assert again.counts == {"unchanged": 2, "warned": 1}
    found = db.session.scalars(select(Contact)).all()
    assert [(each.name, each.role, each.linkedin_public_id, each.interest_level) for each in found] == before
    assert db.session.query(Delivery).count() == sent
    without = import_file(company, LEVELS_FILE.replace(b"Maria,maria,Diretora,1\n", b""))
    assert "missing" not in without.counts, "the one that stays is in the file, by what the other was called"


def test_a_call_that_names_who_was_merged_means_the_one_that_stays(company: Company) -> None:
    kept, other = make(company, linkedin_public_id="maria"), make(company, "Maria S.", linkedin_public_id="maria-s")
    merge(kept, other)
    one = save(company, {"contact": {"name": "Maria S.", "linkedin_public_id": "maria-s", "interest_level": 3}})
    assert (one.id, one.name, one.linkedin_public_id, one.interest_level) == (kept.id, "Maria", "maria", 3)


def save_row(company: Company, item: dict[str, Any], rules: FileRules | None) -> Saved:
    given = check_item(item, ZoneInfo(company.timezone))
    checked = Alike().number(given, given)
    owner = db.session.scalars(select(User).where(User.company_id == company.id)).first()
    (saved,) = save_batch(db.session, actor_of(company), [checked], default_owner=owner, rules=rules)
    db.session.commit()
    return saved


ANYWHERE = FileRules(keeps_levels=False, updates_elsewhere=True)


@pytest.mark.parametrize("rules", [None, FileRules(keeps_levels=False), ANYWHERE], ids=["call", "file", "elsewhere"])
def test_who_was_merged_gives_the_one_that_stays_only_what_that_lacks(
    company: Company, rules: FileRules | None
) -> None:
    said = {"sender_name": "Ana", "message": "Oi", "date": None, "pending_message": 0}
    kept = make(company, linkedin_public_id="ana-new", email="ana@example.com", role="Diretora", messages=[said])
    other = make(company, "Ana O.", linkedin_public_id="ana-old", email="ana@example.com")
    merge(kept, other)
    facts = {"name": "Ana O.", "linkedin_public_id": "ana-old", "email": "ana@example.com", "role": "Sócia"}
    campaign = {"name": "Inverno", "description": "Outra"} if rules is ANYWHERE else {}
    item = {"contact": facts | {"phone": "11 5555", "interest_level": 3}, "messages": [], "campaign": campaign}
    saved = save_row(company, item, rules)
    one = db.session.get_one(Contact, kept.id, populate_existing=True)
    assert (saved.contact_id, db.session.query(Contact).count()) == (kept.id, 1)
    assert (one.name, one.linkedin_public_id, one.email, one.role) == (
        "Maria",
        "ana-new",
        "ana@example.com",
        "Diretora",
    )
    assert (one.phone, one.interest_level) == ("11 5555", 3)
    assert [message.message for message in one.messages] == ["Oi"], "a thread that is given empty wipes no joined one"
    assert one.campaign.description is None
    assert [note.problem for note in saved.notes] == ["merged_away"]


def test_a_new_linkedin_id_under_a_former_e_mail_goes_to_a_contact_that_has_none(company: Company) -> None:
    kept = make(company, email="ana@new.example")
    merge(kept, make(company, "Ana O.", email="ana@old.example"))
    item = {"contact": {"name": "Ana O.", "email": "ana@old.example", "linkedin_public_id": "ana"}}
    saved = save_row(company, item, None)
    one = db.session.get_one(Contact, kept.id, populate_existing=True)
    assert (saved.contact_id, one.name, one.email, one.linkedin_public_id) == (
        kept.id,
        "Maria",
        "ana@new.example",
        "ana",
    )


def test_the_row_of_a_file_that_names_who_was_merged_says_so(company: Company) -> None:
    import_file(company, LEVELS_FILE)
    kept, other = db.session.scalars(select(Contact).order_by(Contact.id)).all()
    merge(kept, other)
    again = import_file(company, LEVELS_FILE)
    (found,) = read_findings(db.engine, again.id)
    assert (found.line, found.problem, found.cells, found.is_warning) == (3, "merged_away", ["Maria S."], True)
    assert row_explainer()(found).startswith("Esta pessoa foi unida a outro contato")


def created_and_changed(done: Task) -> tuple[int, int]:
    return done.counts.get("created", 0), done.counts.get("changed", 0)


NAMED_FILE = "Nome,Empresa,Cargo,E-mail\nAna Lima,Moinho,,ana@x.example\nA. Lima,Moinho,Sócia,\nRui Paz,,,\n".encode()


@pytest.mark.parametrize("company_name", ["Moinho", "M" * 200, ""], ids=["company", "long", "none"])
def test_whom_only_a_name_and_a_company_tell_does_not_come_back_after_a_merge(
    company: Company, company_name: str
) -> None:
    content = NAMED_FILE.replace(b"Moinho", company_name.encode()).replace(b"A. Lima", b"A. Lima " + b"x" * 100)
    import_file(company, content)
    ana, other, _ = db.session.scalars(select(Contact).order_by(Contact.id)).all()
    merge(ana, other)
    again = import_file(company, content)
    assert (*created_and_changed(again), db.session.query(Contact).count()) == (0, 0, 2)
    (found,) = read_findings(db.engine, again.id)
    assert (found.line, found.problem, found.is_warning) == (3, "merged_away", True)


TWINS_FILE = "Nome,Empresa,Cargo\nAna Lima,Moinho,Sócia\nAna Lima,Moinho,Diretora\nAna Lima,Moinho,CEO\n".encode()


@pytest.mark.parametrize(
    ("kept", "gone", "changed", "said_of"), [(0, 1, 0, 3), (0, 2, 0, 4), (1, 2, 0, 4), (1, 0, 1, 3), (2, 1, 1, 4)]
)
def test_those_alike_in_a_file_stay_told_apart_after_two_of_them_were_merged(
    company: Company, kept: int, gone: int, changed: int, said_of: int
) -> None:
    """One that stands above the contact that stays is taken for it once: a name that is said alone means that one."""
    import_file(company, TWINS_FILE)
    people = db.session.scalars(select(Contact).order_by(Contact.id)).all()
    merge(people[kept], people[gone])
    again = import_file(company, TWINS_FILE)
    assert (*created_and_changed(again), db.session.query(Contact).count()) == (0, changed, 2)
    (found,) = read_findings(db.engine, again.id)
    assert (found.line, found.problem) == (said_of, "merged_away")
    assert created_and_changed(import_file(company, TWINS_FILE)) == (0, 0)


def test_a_call_of_a_name_alone_means_the_one_that_stays_and_no_other_campaigns_former(company: Company) -> None:
    import_file(company, TWINS_FILE)
    former, kept, _ = db.session.scalars(select(Contact).order_by(Contact.id)).all()
    kept_id = kept.id
    elsewhere = save(company, {"contact": {"name": "Rui", "current_company": "Acme"}, "campaign": {"name": "Inverno"}})
    merge(kept, former)
    merge(kept, elsewhere)
    saved = make(company, "Ana Lima", current_company="Moinho", role="Vice")
    assert (saved.id, saved.role) == (kept_id, "Vice")
    assert make(company, "Rui", current_company="Acme").id != kept_id


@pytest.mark.parametrize(
    ("levels", "taken", "is_kept"), [([], 3, False), ([1], 1, False), ([1, None], None, True)], ids=str
)
def test_the_row_of_a_file_that_names_who_was_merged_gives_a_level_where_nobody_chose_one(
    company: Company, levels: list[int | None], taken: int | None, is_kept: bool
) -> None:
    shared = [{"contact": {"name": name, "email": "info@x.example"}} for name in ("Ana Lima", "A. Lima")]
    kept, other = (db.session.get_one(Contact, each.contact_id) for each in save_many(company, shared))
    merge(kept, other)
    for level in levels:
        classify_contact(kept, level)
    told = db.session.query(Delivery).count()
    item = {"contact": {"name": "A. Lima", "email": "info@x.example", "interest_level": 3}}
    saved = save_row(company, item, FileRules())
    one = db.session.get_one(Contact, kept.id, populate_existing=True)
    assert (saved.contact_id, one.name, one.interest_level) == (kept.id, "Ana Lima", taken)
    assert (saved.is_former, saved.is_level_kept) == (True, is_kept)
    assert db.session.query(Delivery).count() - told == (taken == 3)


def test_a_list_of_those_who_share_an_e_mail_names_who_was_merged_and_makes_nobody(company: Company) -> None:
    shared = [{"contact": {"name": name, "email": "info@x.example"}} for name in ("Ana Lima", "Pedro Reis", "Rui")]
    first = save_many(company, shared)
    merging.merge(db.session, actor_of(company), first[0].contact_id, first[1].contact_id)
    db.session.commit()
    again = save_many(company, shared)
    assert [each.contact_id for each in again] == [first[0].contact_id, first[0].contact_id, first[2].contact_id]
    assert [each.is_former for each in again] == [False, True, False]
    assert not any(each.created or each.changed for each in again)
    names = db.session.scalars(select(Contact.name).order_by(Contact.id)).all()
    assert names == ["Ana Lima", "Rui"]


def test_who_has_an_id_now_comes_before_who_once_had_it(company: Company) -> None:
    kept, other = make(company, linkedin_public_id="maria"), make(company, "Maria S.", linkedin_public_id="maria-s")
    merge(kept, other)
    newcomer = make(company, "Marta", linkedin_public_id="marta")
    newcomer.linkedin_public_id = "maria-s"  # by hand, on the contact's page
    db.session.commit()
    assert save(company, {"contact": {"name": "Marta", "linkedin_public_id": "maria-s"}}).id == newcomer.id


def test_all_that_hangs_on_the_other_goes_along_and_nothing_outlives_an_erased_person(company: Company) -> None:
    """Whatever table refers to contacts: one that is added later is in this test by itself."""
    import_file(company, LEVELS_FILE)
    import_file(company, LEVELS_FILE)
    kept, other = db.session.scalars(select(Contact).order_by(Contact.id)).all()
    kept_id, other_id = kept.id, other.id
    merge(other, make(company, "M.", linkedin_public_id="m-s"))
    db.session.add_all(Message(contact_id=each.id, sender_name="Bia", message=each.name) for each in (kept, other))
    db.session.add(CrmRecord(contact_id=other_id, pointer="/id", value="7"))
    db.session.execute(
        delete(ImportedContact).where(ImportedContact.task_id == 1, ImportedContact.contact_id == kept_id)
    )
    db.session.commit()
    columns = [
        key.parent
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.column is Contact.__table__.c.id
    ]
    assert {column.table.name for column in columns} >= {"message", "classification", "delivery", "imported_contact"}

    def rows(contact_id: int) -> dict[str, int]:
        count = {
            str(column): db.session.scalar(select(func.count()).where(column == contact_id)) or 0 for column in columns
        }
        db.session.rollback()
        return count

    before = rows(other_id)
    assert all(before.values()), f"the test has to make a row of each for the other: {before}"
    both = {name: number + before[name] for name, number in rows(kept_id).items()}
    both["imported_contact.contact_id"] -= 1  # the second file named both
    both["former_key.contact_id"] += 1  # the other's own
    merge(kept, other)
    assert not any(rows(other_id).values())
    assert rows(kept_id) == both
    erase_contact(db.session, db.session.get_one(Contact, kept_id), actor_of(company), vault=runtime().vault)
    db.session.commit()
    assert not any(rows(kept_id).values())


def test_three_become_one(company: Company, kept: Contact, other: Contact) -> None:
    third = make(company, "M.")
    other_id, kept_id = other.id, kept.id
    make_delivery(other, 1)
    make_delivery(kept, 2)
    merge(kept, other)
    one = merge(third, db.session.get_one(Contact, kept_id))
    formers = [row.former_contact_id for row in db.session.query(Delivery).order_by(Delivery.id)]
    assert formers == [other_id, kept_id]
    assert [each["id"] for each in one.merged or []] == [other_id, kept_id]


def test_nobody_is_merged_with_themselves_nor_with_another_companys_contact(kept: Contact) -> None:
    with pytest.raises(merging.SameContact):
        merging.merge(db.session, actor_of(kept.company), kept.id, kept.id)
    theirs = make(make_company("Outra"))
    with pytest.raises(ContactGone):
        merging.merge(db.session, actor_of(kept.company), kept.id, theirs.id)
    assert db.session.query(Contact).count() == 2


def test_all_that_told_the_other_tells_the_one_that_stays(kept: Contact, other: Contact) -> None:
    told = {
        "name": "Zuleica Rara",
        "email": "zu@rara.test",
        "linkedin_public_id": "zu-rara",
        "phone": "+55 11 91234-5678",
    }
    assert set(told) == set(TELLING)
    for number, (name, text) in enumerate(told.items()):
        setattr(other, name, text)
        setattr(kept, name, f"of the one that stays {number}")  # what it has itself it does not take
    db.session.commit()
    traces = Traces(merge(kept, other))
    assert {name for name, text in told.items() if not traces.are_in(f"{text}; x")} == set()


def test_erasing_the_person_finds_also_what_the_other_was_called(kept: Contact, other: Contact) -> None:
    make_delivery(other, 2)
    one = merge(kept, other)
    assert Traces(one).are_in("…Maria S.;maria@example.com")
    erase_contact(db.session, one, actor_of(one.company), vault=runtime().vault)
    db.session.commit()
    assert [(row.contact_id, row.body) for row in db.session.query(Delivery)] == [(None, None)]


def test_contacts_look_alike_by_id_by_e_mail_or_by_name_and_company(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = make(company, "Ana", linkedin_public_id="ana", email="a@example.com", current_company="ACME")
    same_email = make(company, "A. Lima", linkedin_public_id="ana-2", email="a@example.com")
    same_name = make(company, "ana", email="b@example.com", current_company="ACME")
    another = make(company, "Ana", linkedin_public_id="ana-3", email="c@example.com", current_company="ACME")
    make(company, "Ana", email="d@example.com", current_company="Outra")
    save(company, {"contact": {"name": "Ana", "email": "a@example.com"}, "campaign": {"name": "Outra"}})
    assert [each.id for each in find_doubles_of(db.session, ana)] == [same_email.id, same_name.id]
    assert [each.id for each in find_doubles_of(db.session, same_name)] == [ana.id, another.id]
    groups = [[each.id for each in group] for group in find_doubles(db.session, company.id)]
    assert [ana.id, same_email.id] in groups
    assert len(groups) == 2
    assert find_doubles(db.session, make_company("Outra").id) == []
    monkeypatch.setattr(merging, "MOST_OF_A_GROUP", 2)
    assert {len(group) for group in find_doubles(db.session, company.id)} == {2}


def test_where_the_crm_has_both_the_record_of_the_one_that_stays_is_kept(company: Company) -> None:
    kept, other = make(company), make(company, "M. Souza")
    db.session.add_all(CrmRecord(contact_id=each.id, pointer="/id", value=each.name) for each in (kept, other))
    db.session.commit()
    merge(kept, other)
    assert [record.value for record in db.session.query(CrmRecord)] == ["Maria"]


def test_a_warning_stays_open_although_the_crm_took_something_of_the_merged_one_later(company: Company) -> None:
    kept, other = make(company), make(company, "M. Souza")
    doubtful, later = (mark_delivered(make_delivery(each, 2)) for each in (kept, other))
    doubtful.warning = kept.delivered_warning = "source_code"
    later.delivered_at = doubtful.delivered_at + timedelta(minutes=1)
    db.session.commit()
    merge(kept, other)
    assert (doubts.is_open(db.session, doubtful), doubts.is_open(db.session, later)) == (True, False)
    assert [doubt.delivery_id for doubt in doubts.doubts_of(db.session, company.id)] == [doubtful.id]
