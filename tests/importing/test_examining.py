"""Examining a file as a task: it moves on, becomes a draft, survives its worker, and can be searched meanwhile."""

import io

import pytest
from sqlalchemy import delete

from portal import clock
from portal.database.db import db
from portal.importing import examining, layout, running
from portal.importing.layout import MAX_ROWS
from portal.importing.order import Order
from portal.models import Task
from portal.tasks import store
from portal.tasks.slices import BLOCK_BYTES
from portal.worker.task_runner import LEASE, TaskRunner
from portal.working_models import TaskBlock
from tests.conftest import BOTH
from tests.factories import actor_of, make_company, owner_of
from tests.importing.conftest import DATA, HOSTILE, WORKBOOKS

COUNT = 15_000
ROWS = b"Nome,E-mail\n" + b"".join(b"Ana %d,ana%d@example.com\n" % (n, n) for n in range(COUNT))


@pytest.fixture
def company(app):
    return make_company()


def receive(company, content: bytes, name: str = "x.csv") -> Task:
    user_id = owner_of(company).id
    row = examining.receive(db.session, actor_of(company), io.BytesIO(content), user_id=user_id, filename=name)
    db.session.commit()
    return row


@BOTH
def test_a_file_is_read_step_by_step_and_becomes_the_draft_of_its_import(company, short_turns):
    task = receive(company, ROWS)
    assert (task.kind, task.status, task.total) == ("examination", "waiting", len(ROWS))
    claim = store.claim(db.session.connection(), now=clock.utcnow(), lease=LEASE)
    db.session.commit()
    moved = []
    for chunk in examining.work(db.engine, claim):
        moved.append(chunk(db.session).moved)
        db.session.commit()
    assert sum(each > 0 for each in moved) > 1
    assert 0 < sum(moved) <= len(ROWS)
    db.session.expire_all()
    assert (task.kind, task.status, task.total, task.position) == ("import", "draft", COUNT, 0)
    assert (task.arguments["filename"], task.arguments["columns"]) == ("x.csv", ["name", "email"])
    assert b"".join(block.data for block in db.session.query(TaskBlock).order_by(TaskBlock.number)) == ROWS


@BOTH
def test_a_worker_that_ends_midway_leaves_the_file_to_the_next(company, run_tasks, short_turns):
    task = receive(company, ROWS)
    stopping = TaskRunner(db.engine, on_due=lambda: None)
    pause, stopping.pause = stopping.pause, lambda seconds: (pause(0), task_moved() and stopping.stop())

    def task_moved() -> bool:
        db.session.expire_all()
        moved = db.session.get_one(Task, task.id).position > 0
        db.session.commit()
        return moved

    stopping.run_one()
    db.session.expire_all()
    assert (task.status, task.position > 0) == ("waiting", True)
    reached = task.position
    db.session.commit()
    run_tasks()
    assert (task.status, task.total) == ("draft", COUNT)
    assert reached > 0


@BOTH
def test_a_workbook_is_kept_beside_its_table_until_the_import_begins(company, run_tasks):
    task = receive(company, (WORKBOOKS / "people.ods").read_bytes(), "people.ods")
    run_tasks()
    assert {block.part for block in db.session.query(TaskBlock)} == {"input", "aside"}
    assert examining.examine_again(db.session, task, sheet="Contatos")
    assert (task.kind, task.status) == ("examination", "waiting")
    run_tasks()
    assert (task.status, task.total, task.arguments["layout"]["sheet"]) == ("draft", 2, "Contatos")
    running.begin(db.session, actor_of(company), task)
    assert {block.part for block in db.session.query(TaskBlock)} == {"input"}
    assert not examining.examine_again(db.session, task, sheet="Contatos"), "it is no draft any more"


def test_the_first_row_is_a_contact_where_somebody_says_so(company, run_tasks):
    task = receive(company, b"Ana Lima;Moinho Azul\nBia Reis;Casa Clara\n")
    run_tasks()
    assert (task.total, Order.from_json(task.arguments).layout.is_header_doubtful) == (1, True)
    assert examining.examine_again(db.session, task, has_header=False)
    run_tasks()
    order = Order.from_json(task.arguments)
    assert (task.total, order.layout.has_header, order.columns) == (2, False, ("name", None))


@pytest.mark.parametrize(
    ("rows", "reason"), [(0, "empty"), (1, None), (MAX_ROWS, None), (MAX_ROWS + 1, "too_many_rows")]
)
def test_an_examination_that_fails_says_why_and_keeps_nothing_of_the_file(company, run_tasks, rows, reason):
    task = receive(company, b"Nome,E-mail\n" + b"Ana,a@x.test\n" * rows)
    run_tasks()
    kind, status = ("examination", "failed") if reason else ("import", "draft")
    assert (task.kind, task.status, task.reason) == (kind, status, reason)
    assert (db.session.query(TaskBlock).count() == 0) == (reason is not None)


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_file_that_takes_much_reading_and_has_few_rows_is_too_long(
    company, run_tasks, short_turns, monkeypatch, piece
):
    head = b"Nome,E-mail,Cargo\nAna,ana@x.test,CEO\n"
    monkeypatch.setattr(layout, "MAX_TURNS", 20)
    for lines, reason in ((2000, None), (30_000, "too_many_rows")):
        task = receive(company, head + piece * (lines // piece.count(b"\n")))
        run_tasks()
        assert task.reason == reason


@pytest.mark.parametrize("piece", HOSTILE)
def test_an_examination_that_finds_no_rows_holds_on_and_can_be_ended(company, short_turns, piece):
    head = b"Nome,E-mail,Cargo\nAna,ana@x.test,CEO\n"
    receive(company, head + piece * (10_000 // piece.count(b"\n")))
    seen = []

    class Watched(TaskRunner):
        def _do_chunk(self, held, chunk):
            if len(seen) == 3:
                with db.engine.begin() as connection:
                    connection.execute(delete(Task.__table__))
            seen.append(super()._do_chunk(held, chunk))
            return seen[-1]

    Watched(db.engine, on_due=lambda: None).run_one()
    assert seen == [True, True, True, False]


def test_the_largest_file_is_stored_in_blocks(company):
    task = receive(company, b"Nome\n" + b"Ana\n" * BLOCK_BYTES)
    assert {len(block.data) <= BLOCK_BYTES for block in db.session.query(TaskBlock)} == {True}
    assert task.total == 5 + 4 * BLOCK_BYTES


@pytest.mark.parametrize("name", ["people.xls", "people.ods", "linkedin_utf16.csv"])
@pytest.mark.parametrize("is_examined", [False, True])
def test_all_that_a_file_says_is_found_before_and_after_it_was_examined(company, run_tasks, name, is_examined):
    task = receive(company, ((WORKBOOKS if name.startswith("people") else DATA) / name).read_bytes(), name)
    if is_examined:
        run_tasks()
    text = "".join(examining.read_text(db.engine, task))
    words = ("First Name",) if name.endswith("csv") else ("Instruções", "João Ávila")
    assert [word for word in words if word not in text] == []
