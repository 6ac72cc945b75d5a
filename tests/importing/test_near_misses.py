"""What an import looks for among tasks, contacts and links: of the rest each misses by one fact, each count by one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from portal.contacts.saved import Saved
from portal.database.db import db
from portal.importing import chunks, examining, findings, missing, running, undoing
from portal.importing.encoding import FileProblem
from portal.importing.findings import Finding
from portal.importing.layout import examine
from portal.importing.order import Order
from portal.importing.undoing import Returns
from portal.models import Company, Contact, Task
from portal.tasks.store import TaskClaim
from portal.working_models import ImportedContact
from tests.conftest import BOTH, URL
from tests.factories import NOON, actor_of, make_company, make_contact, make_delivery, make_import, make_user, owner_of

MOMENT = timedelta(microseconds=1)
HEADER = b"Nome,E-mail\nAna,ana@example.com\n"


@pytest.fixture
def company(app: Flask) -> Company:
    return make_company()


def imported(company: Company, content: bytes = HEADER, **facts: Any) -> Task:
    """An import that has ended, with other facts of its row or of its order."""
    order = {name: facts.pop(name) for name in ("campaign", "is_sending", "filename") if name in facts}
    task = make_import(company, content, **order)
    for name, value in ({"status": "done", "finished_at": NOON} | facts).items():
        setattr(task, name, value)
    db.session.commit()
    return task


EARLIER: Mapping[str, tuple[Mapping[str, Any], bool]] = {
    "the same": ({}, True),
    "of another name, not sent": ({"filename": "b.csv", "is_sending": False}, True),
    "with other rows": ({"content": b"Nome,E-mail\nBia,bia@example.com\n"}, True),
    **{f"is {status}": ({"status": status}, False) for status in ("draft", "waiting", "running", "failed")},
    "a rehearsal": ({"kind": "rehearse"}, False),
    "into another campaign": ({"campaign": "Feira"}, False),
    "of another header": ({"content": b"Nome,Telefone\nAna,11 99999-0000\n"}, False),
    "another company's": ({"company": "Outra"}, False),
}


@pytest.mark.parametrize("name", EARLIER)
def test_the_same_file_of_an_earlier_day_is_of_the_same_kind_header_and_campaign(company: Company, name: str) -> None:
    facts, is_it = EARLIER[name]
    owner = make_company(facts["company"]) if "company" in facts else company
    older, near = imported(company), imported(owner, **{key: facts[key] for key in facts if key != "company"})
    task = imported(company)
    order = Order.from_json(task.arguments)
    find = {"session": db.session, "company_id": company.id, "order": order}
    assert missing.find_earlier(**find, but=task.id) == (near if is_it else older).id
    of_another_kind = replace(order, layout=replace(order.layout, kind="linkedin"))
    assert missing.find_earlier(db.session, company.id, of_another_kind, but=task.id) is None


@pytest.mark.parametrize(("between", "is_found"), [(49, True), (50, False)])
def test_the_earlier_file_is_looked_for_among_the_last_fifty(company: Company, between: int, is_found: bool) -> None:
    old = imported(company)
    other = {"kind": "import", "actor": "ana@example.com", "status": "done", "total": 1, "created_at": NOON}
    arguments = Order.from_json(old.arguments)
    of_another = replace(arguments, campaign="Feira").as_json()
    db.session.add_all([Task(company_id=company.id, arguments=of_another, **other) for _ in range(between)])
    db.session.commit()
    assert missing.find_earlier(db.session, company.id, arguments, but=0) == (old.id if is_found else None)


def named(task: Task, contact: Contact, **facts: Any) -> None:
    link = {"is_created": True, "saved_at": contact.updated_at} | facts
    db.session.add(ImportedContact(task_id=task.id, contact_id=contact.id, **link))


@BOTH
@pytest.mark.parametrize(("kept", "gone"), [(2, 2), (2, 3), (3, 2), (0, 1), (1, 0), (1, 1)])
def test_whom_a_file_does_not_name_is_missing_as_long_as_at_most_half_of_them_are(
    company: Company, kept: int, gone: int
) -> None:
    earlier, task = imported(company), imported(company)
    people = [make_contact(company) for _ in range(kept + gone)]
    for number, contact in enumerate(people):
        named(earlier, contact)
        if number >= gone:
            named(task, contact)
    db.session.commit()
    order = Order.from_json(task.arguments)
    done = missing.Comparison(order, company.id, task.id)(db.session)
    expected = [contact.id for contact in people[:gone]] if gone <= kept else []
    packed = {missing.MISSING: missing.slices.pack_numbers(expected)} if expected else {}
    assert (done.moved, done.counts[missing.MISSING], done.kept) == (0, len(expected), packed)


CREATED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "as it came": ({}, "goes"),
    "written since": ({"saved_at": MOMENT}, "stays"),
    "written before": ({"saved_at": -MOMENT}, "stays"),
    "found as it was": ({"saved_at": None}, "stays"),
    "named by another file": ({"also": True}, "stays"),
    "with one merged into it": ({"merged": True}, "stays"),
    "there before": ({"is_created": False}, "is none"),
    "of another file": ({"of": "other"}, "is none"),
}
SENT: tuple[Mapping[str, Any], ...] = (
    {"status": "delivered", "attempt_count": 1, "next_attempt_at": None},
    {"status": "cancelled", "next_attempt_at": None},
    {"status": "sending", "attempt_count": 1, "lease_token": "x", "lease_expires_at": NOON},
    {"status": "pending"},
    {"status": "pending"},
)
"""Of which three may still be sent, and two wait."""


def created(company: Company, file: Task, other: Task) -> dict[str, Contact]:
    """Contacts by name, each as the table says, with deliveries of every kind."""
    found = {}
    for name, (facts, _) in CREATED.items():
        found[name] = contact = make_contact(company, name=name)
        for level, sent in enumerate(SENT):
            delivery = make_delivery(contact, level % 3 + 1)
            for column, value in sent.items():
                setattr(delivery, column, value)
            db.session.commit()
        written = facts.get("saved_at", timedelta())
        link = {"is_created": facts.get("is_created", True)}
        named(
            other if "of" in facts else file,
            contact,
            saved_at=None if written is None else contact.updated_at + written,
            **link,
        )
        if "also" in facts:
            named(other, contact, is_created=False, saved_at=None)
        if "merged" in facts:
            db.session.execute(update(Contact).where(Contact.id == contact.id).values(merged=[{"id": 900}]))
    db.session.commit()
    return found


@BOTH
def test_what_an_import_created_and_nobody_touched_goes_and_no_other(app: Flask) -> None:
    company, stranger = make_company(url=URL), make_company("Outra")
    file, other = imported(company), imported(company)
    people = created(company, file, other)
    touched = sum(outcome == "stays" for _, outcome in CREATED.values())
    assert undoing.look(db.session, company.id, file.id) == Returns([people["as it came"].id], touched, 1, 3)
    assert undoing.look(db.session, stranger.id, file.id) == Returns([], 0, 0, 0)
    ids, left = [contact.id for contact in people.values()], CREATED.keys() - {"as it came"}
    for of, expected in ((stranger, {}), (company, {"removed": 1, "touched": len(left), "cancelled": 2})):
        claim = TaskClaim(
            task_id=0,
            company_id=of.id,
            kind="undo",
            actor=actor_of(of),
            arguments={"import": file.id},
            position=0,
            lease_token="",
        )
        assert +undoing._undo_part(db.session, claim, ids) == expected
        db.session.commit()
    assert set(db.session.scalars(select(Contact.name))) == left


LATER, BEFORE = NOON + MOMENT, NOON - MOMENT


@BOTH
def test_a_link_says_who_was_created_and_when_the_file_last_wrote(company: Company) -> None:
    task, other = imported(company), imported(company)
    ids = [make_contact(company).id for _ in range(4)]
    for file in (task, other):
        for number in ids[:2]:
            row = {"task_id": file.id, "contact_id": number, "is_created": True, "saved_at": BEFORE}
            db.session.add(ImportedContact(**row))
    db.session.commit()
    results = [
        Saved(contact_id=None, created=True),
        Saved(contact_id=ids[0], created=False, saved_at=LATER),
        Saved(contact_id=ids[1], created=False),
        Saved(contact_id=ids[2], created=True, saved_at=NOON),
        Saved(contact_id=ids[2], created=False, saved_at=LATER),
        Saved(contact_id=ids[2], created=False),
        Saved(contact_id=ids[3], created=False),
    ]
    chunks.keep_links(db.session, task.id, results)
    db.session.commit()
    found = db.session.query(ImportedContact).order_by(ImportedContact.task_id, ImportedContact.contact_id)
    assert [(row.task_id, row.contact_id, row.is_created, row.saved_at) for row in found] == [
        (task.id, ids[0], True, LATER),
        (task.id, ids[1], True, BEFORE),
        (task.id, ids[2], True, LATER),
        (task.id, ids[3], False, None),
        *((other.id, number, True, BEFORE) for number in ids[:2]),
    ]


def test_a_company_has_twenty_files_at_once_and_no_more(company: Company) -> None:
    """Drafts and what is being done count, of examinations and imports; what ended, and other tasks, do not."""
    given = {"kind": "import", "actor": "x", "total": 1, "arguments": {}, "created_at": NOON, "status": "draft"}
    counted = [{"status": "running"}, {"status": "waiting"}, {"kind": "examination"}]
    others = [{"finished_at": NOON}, {"kind": "rehearse"}, {"kind": "sync"}, {"company_id": make_company("Outra").id}]
    db.session.add_all(Task(**{"company_id": company.id} | given | facts) for facts in [*counted, *others])
    order = {"user_id": owner_of(company).id, "filename": "x.csv"}
    for _ in range(20 - len(counted)):
        task = examining.receive(db.session, actor_of(company), BytesIO(HEADER), **order)
        assert (task.kind, task.status, task.total, task.arguments) == ("examination", "waiting", len(HEADER), order)
    with pytest.raises(FileProblem, match="too_many_files"):
        examining.receive(db.session, actor_of(company), BytesIO(HEADER), **order)


def test_an_import_that_its_caller_does_is_its_own_for_ten_minutes(company: Company) -> None:
    order = Order.from_json(make_import(company, campaign="Feira").arguments)
    with time_machine.travel(NOON, tick=False):
        claim = running.begin_here(db.session, actor_of(company), order, total=7)
        db.session.commit()
    row = db.session.get_one(Task, claim.task_id)
    assert (row.kind, row.status, row.total, row.started_at) == ("import", "running", 7, NOON)
    assert (row.lease_token, row.lease_expires_at) == (claim.lease_token, NOON + timedelta(minutes=10))
    assert Order.from_json(row.arguments) == order


@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        ("Nome,Cargo,Obs", "Nome,Cargo,Obs", "repeated_header"),
        ("Nome,Cargo,Obs", "NOME,CARGO,OBS", "repeated_header"),
        ("Nome,Cargo,E-mail", "Nome,Cargo,x", "explains_columns"),
        ("Nome,Cargo,E-mail", "Nome,Cargo,rita@x.test", None),
        ("Nome,,E-mail", "Nome completo,,Texto", "explains_columns"),
        ("Nome,,E-mail", "Ex.: Ana,,", "example_row"),
        ("Nome,,E-mail", "Ana,,", None),
        ("Nome,Cargo,Obs", ",,nada disso", "no_contact"),
        ("Nome,Cargo,Obs", "Total: 2,,", "footer"),
        ("Nome,Cargo,Obs", "Total: 2,total,", "footer"),
        ("Nome,Cargo,Obs", "2 registros,x,", None),
        ("Nome,Cargo,Obs", "Confidencial,,", "footer"),
        ("Nome,Cargo,Obs", "Ana Total,,", None),
    ],
)
def test_a_row_that_is_nobody_says_why(company: Company, header: str, row: str, reason: str | None) -> None:
    blocks = [f"{header}\nAna,,\n{row}\nBia Reis,,\n".encode()]
    order = Order.of(examine(lambda: iter(blocks)), user_id=owner_of(company).id)
    found = running.preview(db.session, company.id, order, blocks=lambda: iter(blocks), count=9)
    assert [each.item is not None for each in found] == [True, reason is None, True]
    assert [finding.problem for each in found for finding in each.findings] == [reason] * (reason is not None)


@pytest.mark.parametrize("makes_owners", [False, True])
def test_an_owner_is_who_alone_of_the_company_has_a_name_or_has_the_e_mail(
    company: Company, makes_owners: bool
) -> None:
    for of, name in (
        (company, "Bia Só"),
        (company, "Zé Dois"),
        (company, "ze dois"),
        (make_company("Outra"), "Eva Lá"),
    ):
        make_user(of, name=name, email=f"{name.encode('ascii', 'ignore').decode().replace(' ', '')}@x.test".lower())
    names = ("BIA SO", "Zé Dois", "Eva Lá", "bias@x.test", "eval@x.test")
    blocks = ["Nome,Responsável\n".encode(), *(f"Ana {each},{each}\n".encode() for each in names)]
    order = Order.of(examine(lambda: iter(blocks)), user_id=owner_of(company).id, makes_owners=makes_owners)
    found = running.preview(db.session, company.id, order, blocks=lambda: iter(blocks), count=9)
    owners = [each.item.owner.email if each.item and each.item.owner else None for each in found]
    assert owners == ["bias@x.test", None, None, "bias@x.test", "eval@x.test" if makes_owners else None]


def test_the_first_bad_rows_and_each_warning_once_are_shown(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [Finding(line, "", "extra_cells", ("Ana",)) for line in (2, 3, 4)]
    said = [(2, "x"), (3, "y"), (5, "x"), (6, "y"), (7, "y"), (8, "z")]
    warned = [Finding(line, "contact.email", "not_an_email", (text,), "E-mail", True) for line, text in said]
    found = sorted([*bad, *warned], key=lambda each: each.line)
    monkeypatch.setattr(findings, "read_findings", lambda *_: iter(found))
    assert findings.first_findings(db.engine, 1, 2) == (bad[:2], [(warned[0], 1), (warned[1], 2)])
    monkeypatch.setattr(findings, "MAX_LOOKED_AT", 3)
    assert findings.first_findings(db.engine, 1, 9) == (bad[:2], [(warned[0], 0)])
