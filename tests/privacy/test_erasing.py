"""Erasing a person: nothing about them is left in any table, nor in SQLite's files; the proof of what was sent is."""

import io
import json
import logging
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import LargeBinary, func, select, type_coerce

from portal import clock, outbox
from portal.audit import Actor
from portal.contacts.classifying import ContactGone, classify
from portal.database.db import db, writing
from portal.database.tables import Base
from portal.database.upkeep import empty_log
from portal.demo.server import Receiver, Reply
from portal.importing import examining
from portal.importing.findings import read_findings
from portal.models import Attempt, AuditEntry, Company, Contact, Delivery, DeliveryBody, Task
from portal.outbox import Claim, Rules
from portal.privacy import marks
from portal.privacy.erasing import Erased, erase_contact
from portal.rules.retry import parse_schedule
from portal.runtime import runtime
from portal.tasks import store
from portal.webhook import Outcome
from portal.worker.task_runner import TaskRunner
from portal.working_models import Erasure, InspectedRequest, TaskBlock
from tests import factories
from tests.conftest import BOTH, running_worker
from tests.factories import session_of

TOLD_BY = ["Zuleica Quintanilha", "zuleica quintanilha", "zuleica.q@example.com", "zuleica-q-77", "+55 11 97777-1234"]
"""What the person below is told by, as stored and as searched."""
ABOUT = ["Segredo da Zu", "Apicultura rara", "Diretora de Colmeias", "eu-fui-classificada"]
"""What else is known about the person."""
RULES = Rules(schedule=parse_schedule("0s,1s"), now=factories.NOON, jitter=lambda: 0.0)


@pytest.fixture
def company(app: Flask, receiver: Receiver) -> Company:
    return factories.make_company(url=receiver.url)


@pytest.fixture
def contact(company: Company) -> Contact:
    return factories.save(
        company,
        {
            "contact": {
                "name": TOLD_BY[0],
                "email": TOLD_BY[2],
                "linkedin_public_id": TOLD_BY[3],
                "phone": TOLD_BY[4],
                "role": ABOUT[2],
                "skills": [{"skill": ABOUT[1], "endorsements": 1}],
            },
            "messages": [{"sender_name": TOLD_BY[0], "message": ABOUT[0] * 50, "date": None, "pending_message": 0}],
        },
    )


def erase(contact: Contact) -> Erased:
    erased = erase_contact(db.session, contact, factories.actor_of(contact.company), vault=runtime().vault)
    db.session.commit()
    db.session.remove()
    assert empty_log(db.engine)
    return erased


def everything() -> str:
    """Every value of every table, as text; what is stored as bytes too."""
    found = []
    for table in Base.metadata.sorted_tables:
        for row in db.session.execute(select(table)):
            found += [each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in row]
    db.session.rollback()
    return "\n".join(found)


def left_of_the_person(text: str) -> list[str]:
    forms = [form for each in TOLD_BY + ABOUT for form in (each, json.dumps(each)[1:-1])]
    return [form for form in forms if form in text]


def files_of(instance: Path) -> str:
    """The bytes of the database and its log, a character each."""
    return b"".join(path.read_bytes() for path in sorted(instance.glob("portal.db*"))).decode("latin-1")


def packed_pieces() -> list[str]:
    """What the file holds of each body, in pieces of a few bytes."""
    bodies = db.session.scalars(select(type_coerce(DeliveryBody.content, LargeBinary))).all()
    db.session.rollback()
    return [body[at : at + 12].decode("latin-1") for body in bodies for at in range(6, len(body) - 12, 12)]


def claim_one() -> Claim:
    db.session.rollback()
    with db.engine.begin() as connection:
        (claim,) = outbox.claim_due(
            connection, now=clock.utcnow(), lease=timedelta(seconds=30), limit=1, room_for=lambda *_: 1
        )
    return claim


def settle(claim: Claim, **facts: Any) -> None:
    answer: dict[str, Any] = {
        "url": claim.url,
        "started_at": factories.NOON,
        "duration_ms": 5,
        "reason": "ok_text",
        "status_code": 200,
        "response_body": TOLD_BY[0].encode(),
    }
    with db.engine.begin() as connection:
        outbox.settle(connection, [(claim, Outcome(**answer | facts))], RULES)


@BOTH
def test_nothing_about_the_person_is_left_and_the_proof_is(app: Flask, contact: Contact, receiver: Receiver) -> None:
    receiver.reply = Reply(200, json.dumps({"saved": TOLD_BY[0]}).encode(), "application/json")
    for level in (1, 2):
        factories.make_delivery(contact, level)
    with running_worker(app):  # it stops when what it sends is recorded
        assert receiver.wait_for(2)
    factories.make_delivery(contact, 3)
    before = everything()
    assert set(left_of_the_person(before)) >= {*TOLD_BY, *ABOUT[:3]}

    assert erase(contact) == Erased(deliveries=3, tasks=0)

    assert left_of_the_person(everything()) == []
    rows = db.session.scalars(select(Delivery).order_by(Delivery.id)).all()
    assert [(row.status, row.interest_level, row.contact_id) for row in rows] == [
        ("delivered", 1, None),
        ("delivered", 2, None),
        ("cancelled", 3, None),
    ]
    assert [(each.url, each.status_code, each.reason) for each in rows[0].attempts] == [(receiver.url, 200, "ok_json")]
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "contact.erased")).one()
    assert (entry.actor, entry.subject) == ("ana@example.com", "1")
    assert db.session.query(Erasure).count() == 1


def test_the_files_of_the_database_hold_nothing_of_the_person(
    company: Company, contact: Contact, instance: Path
) -> None:
    for number in range(30):  # neighbours on the same pages, before and after
        factories.make_contact(company, name=f"Vizinha {number}", role="x" * 200)
    contact.role = f"{ABOUT[2]} {'y' * 900}"
    db.session.commit()
    for level in (1, 2, 3):
        factories.make_delivery(contact, level)
        settle(claim_one())
    packed = packed_pieces()
    assert left_of_the_person(files_of(instance))
    assert all(piece in files_of(instance) for piece in packed)
    erase(contact)
    assert left_of_the_person(files_of(instance)) == []
    assert not any(piece in files_of(instance) for piece in packed)


@BOTH
def test_what_is_being_sent_brings_nothing_back(contact: Contact) -> None:
    factories.make_delivery(contact, 2)
    claim = claim_one()
    erase(contact)
    settle(claim)
    settle(claim, reason="timeout", status_code=None, detail=TOLD_BY[0])
    with db.engine.begin() as connection:
        outbox.release(connection, [claim])
        outbox.recover(connection, RULES, lease=timedelta(seconds=1))
    row = db.session.scalars(select(Delivery)).one()
    assert (row.status, row.body, row.lease_token) == ("cancelled", None, None)
    # That it left is proof, without data.
    assert {(attempt.reason, attempt.late, attempt.exchange) for attempt in row.attempts} == {
        ("ok_text", True, None),
        ("timeout", True, None),
    }


@BOTH
def test_an_answer_that_was_recorded_meanwhile_goes_too(contact: Contact) -> None:
    delivery = factories.make_delivery(contact, 2)
    claim = claim_one()
    settle(claim, detail=TOLD_BY[0], request_headers=[["X", TOLD_BY[0]]], response_headers=[["X", TOLD_BY[0]]])
    erase(contact)
    attempt = db.session.scalars(select(Attempt).where(Attempt.delivery_id == delivery.id)).one()
    assert (attempt.detail, attempt.request_headers, attempt.response_headers, attempt.response_body) == (
        None,
        [],
        [],
        None,
    )


CSV = f"Nome,E-mail\nAna,ana@example.com\n,{TOLD_BY[2].upper()}\nRui,{TOLD_BY[0]}\nEva,arroba\n".encode()


@BOTH
@pytest.mark.parametrize(
    "content",
    [
        CSV,
        "First Name,Last Name,Email\nBia,Lima,b@example.com\nZuleica,Quintanilha,\n".encode("utf-16"),
        b'First Name,Last Name,URL\nZ,Q,"https://www.linkedin.com/in/zuleica-q-77/"\n',
        b'{"contact": {"name": "Z", "email": "Zuleica.Q@example.com"}}\n',
    ],
)
@pytest.mark.parametrize("status", ["draft", "waiting", "running"])
def test_an_import_that_would_bring_the_person_back_ends(
    company: Company, contact: Contact, content: bytes, status: str
) -> None:
    task = factories.make_import(company, content)
    task.status = status
    db.session.commit()
    task_id = task.id
    assert erase(contact).tasks == (0 if status == "draft" else 1)
    assert db.session.scalar(select(func.count()).select_from(TaskBlock)) == 0
    left = db.session.get(Task, task_id)
    assert (left and (left.status, left.reason)) == (None if status == "draft" else ("failed", "erased"))
    db.session.commit()
    assert not TaskRunner(db.engine, on_due=lambda: None).run_one()


def test_a_file_that_is_not_examined_yet_ends_too_when_it_holds_the_person(company: Company, contact: Contact) -> None:
    user_id, file = contact.owner_id, io.BytesIO(CSV)
    examining.receive(db.session, factories.actor_of(company), file, user_id=user_id, filename="x.csv")
    db.session.commit()
    assert erase(contact).tasks == 1
    assert not TaskRunner(db.engine, on_due=lambda: None).run_one()


def test_an_import_that_does_not_hold_the_person_goes_on(company: Company, contact: Contact) -> None:
    task = factories.make_import(company, b"Nome,E-mail\nZuleica Quintanilhas,a.zuleica.q@example.com\n")
    store.start(db.session, task)
    db.session.commit()
    assert erase(contact).tasks == 0
    assert TaskRunner(db.engine, on_due=lambda: None).run_one()
    assert db.session.scalars(select(Contact.name)).all() == ["Zuleica Quintanilhas"]


@pytest.mark.parametrize("cut", [1_000_000 - 5, 1_000_000, 1_000_000 + 5])
def test_a_person_is_found_where_two_pieces_of_a_file_meet(company: Company, contact: Contact, cut: int) -> None:
    head = "Nome,E-mail\n"
    lines = "Ana,ana@example.com\n" * 60_000
    content = (head + lines)[:cut].rpartition("\n")[0] + "\n"
    content += "x" * (cut - len(content) - 11) + "," + TOLD_BY[0] + "\n" + "Ana,ana@example.com\n" * 100
    factories.make_import(company, content.encode())
    assert erase(contact)
    assert db.session.scalar(select(func.count()).select_from(Task)) == 0


def test_the_report_of_an_import_keeps_its_lines_without_the_person(company: Company, contact: Contact) -> None:
    task = factories.make_import(company, CSV, filename=f"{TOLD_BY[0]}.csv")
    store.start(db.session, task)
    db.session.commit()
    TaskRunner(db.engine, on_due=lambda: None).run_one()
    erase(contact)
    found = [(each.line, each.problem, list(each.cells)) for each in read_findings(db.engine, task.id)]
    assert found == [(3, "required", []), (4, "not_an_email", []), (5, "not_an_email", ["arroba"])]
    assert db.session.get_one(Task, task.id).arguments["filename"] == ""


def test_what_the_companys_own_test_address_received_goes(company: Company, contact: Contact) -> None:
    other = factories.make_company("Outra Empresa")
    ids = company.id, other.id
    for each, name in ((company, TOLD_BY[0]), (company, "Ana Lima"), (other, TOLD_BY[0])):
        body = json.dumps({"contact": {"name": name}}).encode()
        db.session.add(
            InspectedRequest(
                company_id=each.id,
                signature="valid",
                headers=[],
                body=body,
                size=len(body),
                received_at=factories.NOON,
            )
        )
    body = TOLD_BY[0].replace(" ", "\xff").encode("latin-1")
    facts = {"signature": "valid", "headers": [], "body": body, "size": len(body), "received_at": factories.NOON}
    db.session.add(InspectedRequest(company_id=company.id, **facts))
    db.session.commit()
    erase(contact)
    left = select(InspectedRequest.company_id, InspectedRequest.body).order_by(InspectedRequest.id)
    assert [(number, b"Ana Lima" in body) for number, body in db.session.execute(left)] == [
        (ids[0], True),
        (ids[1], False),
    ]


def test_another_companys_data_is_not_looked_at(app: Flask, contact: Contact) -> None:
    other = factories.make_company("Outra Empresa")
    namesake_id = factories.make_contact(other, name=TOLD_BY[0]).id
    factories.make_import(other, CSV)
    erase(contact)
    assert db.session.get(Contact, namesake_id)
    assert db.session.query(Task).count() == 1


@BOTH
def test_who_classifies_a_contact_that_was_just_erased_is_told(app: Flask, contact: Contact) -> None:
    factories.classify_contact(contact, 1)
    with factories.session_of(app) as session:
        actor = Actor(contact.company_id, "ana@example.com")
        erase_contact(session, session.get_one(Contact, contact.id), actor, vault=runtime().vault)
        session.commit()
    with pytest.raises(ContactGone):
        classify(db.session, Actor(contact.company_id, "ana@example.com"), contact.id, 2)


@pytest.mark.parametrize("form", [json.dumps, lambda text: f'"{quote(text)}"', str.upper], ids=["JSON", "address", "A"])
def test_a_person_with_accents_does_not_come_back_from_an_open_file(company: Company, form: Any) -> None:
    contact = factories.make_contact(company, name="João Conceição")
    line = f'{{"contact": {{"name": {form(contact.name).strip(chr(34)).join(chr(34) * 2)}}}}}\n'
    factories.make_import(company, ('{"contact": {"name": "Ana"}}\n' + line).encode())
    erase(contact)
    assert db.session.query(Task).count() == 0


@BOTH
def test_a_task_that_ended_keeps_no_name_in_lists_nor_in_a_header(company: Company, contact: Contact) -> None:
    arguments = {"layout": {"header": ["Nome", TOLD_BY[0]], "deep": [{"a": [TOLD_BY[2], 7]}]}, "level": 2, "last": None}
    done = store.create(db.session, factories.actor_of(company), "sync", arguments=arguments)
    done.status, done.finished_at = "done", clock.utcnow()
    db.session.commit()
    task_id = done.id
    assert erase(contact).tasks == 0
    kept = db.session.get_one(Task, task_id).arguments
    assert kept == {"layout": {"header": ["Nome", ""], "deep": [{"a": ["", 7]}]}, "level": 2, "last": None}


@BOTH
def test_a_name_of_signs_and_a_file_of_dots_hold_up_nobody(app: Flask, company: Company) -> None:
    contact = factories.make_contact(company, name="." * 300, email="a@" + "b." * 100 + "com")
    factories.make_import(company, b"Nome,E-mail\n" + b"." * 400 + b"," + b"a@" + b"b." * 200_000 + b"\n")
    started = time.thread_time()
    assert erase(contact).tasks == 0
    assert time.thread_time() - started < 5
    assert db.session.query(Task).count() == 1


@BOTH
def test_others_write_while_a_file_is_searched(
    app: Flask, company: Company, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another import comes, and holds the person: it is seen too, before the erasure writes anything."""
    factories.make_import(company, b"Nome,E-mail\nAna,ana@example.com\n")
    read, written = examining.read_text, []

    def read_slowly(engine: Any, row: Task) -> Any:
        if not written:
            written.append(True)
            with writing(), factories.session_of(app) as session:
                session.add(AuditEntry(company_id=company_id, actor="x", action="x.y", created_at=clock.utcnow()))
                session.commit()
            with writing(), app.app_context():
                factories.make_import(db.session.get_one(Company, company_id), CSV)
                db.session.remove()
        return read(engine, row)

    company_id = company.id
    db.session.commit()
    monkeypatch.setattr(examining, "read_text", read_slowly)
    erase(contact)
    assert written
    assert db.session.query(AuditEntry).filter_by(action="x.y").count() == 1
    assert [TOLD_BY[0].encode() in block.data for block in db.session.query(TaskBlock)] == [False]


@BOTH
def test_the_number_of_who_was_erased_is_nobody_else_s(company: Company) -> None:
    erased = factories.make_contact(company, name="Última")
    db.session.commit()
    number = erased.id
    erase_contact(db.session, erased, factories.actor_of(company), vault=runtime().vault)
    db.session.commit()
    assert factories.make_contact(company, name="Próxima").id > number


@BOTH
def test_who_erases_somebody_that_was_just_erased_is_told(app: Flask, contact: Contact) -> None:
    with session_of(app) as other:
        erase_contact(
            other, other.get_one(Contact, contact.id), factories.actor_of(contact.company), vault=runtime().vault
        )
        other.commit()
    with pytest.raises(ContactGone):
        erase(contact)


def test_the_list_beside_the_database_only_grows_and_is_its_owners(app: Flask) -> None:
    instance = runtime().settings.instance
    (instance / marks.FILE).write_text("earlier\n")
    marks.add(db.session, {"later"})
    db.session.commit()
    for _ in range(2):
        marks.keep_beside(db.engine, instance)
        assert (instance / marks.FILE).read_text() == "earlier\nlater\n"
    assert (instance / marks.FILE).stat().st_mode & 0o777 == 0o600


def test_the_list_beside_the_database_is_written_through_no_link(app: Flask, tmp_path: Path) -> None:
    instance, other = runtime().settings.instance, tmp_path / "other"
    other.write_text("root's")
    (instance / f".{marks.FILE}.{os.getpid()}").symlink_to(other)
    marks.add(db.session, {"later"})
    db.session.commit()
    marks.keep_beside(db.engine, instance)
    assert (other.read_text(), (instance / marks.FILE).exists()) == ("root's", False)


def test_a_list_of_the_erased_that_cannot_be_read_is_said_and_stops_nothing(
    app: Flask, contact: Contact, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (runtime().settings.instance / marks.FILE).write_bytes(b"\xff\xfe")
    monkeypatch.setattr(logging.getLogger("portal"), "propagate", True)
    erase(contact)
    marks.keep_beside(db.engine, runtime().settings.instance)
    assert "erasures_unwritten" in [getattr(record, "action", None) for record in caplog.records]
