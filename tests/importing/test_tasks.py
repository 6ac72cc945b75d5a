"""Imports as tasks: done in chunks, gone on with after a kill, nothing twice."""

import gc
import sys
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal import clock
from portal.clock import utcnow
from portal.database.db import db
from portal.importing import chunks, running
from portal.importing.findings import read_findings
from portal.importing.order import KIND
from portal.models import Campaign, Classification, Contact, Delivery, Task
from portal.tasks import store
from portal.worker.housekeeping import keep_house
from portal.worker.task_runner import LEASE, TaskRunner
from portal.working_models import TaskBlock
from tests.conftest import BOTH, running_worker
from tests.factories import make_company, make_import, make_user, save, set_url
from tests.importing.conftest import DATA, HOSTILE

HEADER = "Nome,E-mail,Nível\n"


class Killed(BaseException):
    """Stands for kill -9: nothing runs after it."""


@pytest.fixture
def company(app, receiver):
    return make_company(url=receiver.url)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 3)


def people(count: int) -> bytes:
    lines = [f"Pessoa {number},p{number}@example.com,{number % 3 + 1}\n" for number in range(count)]
    return (HEADER + "".join(lines)).encode()


def start(task: Task) -> Task:
    store.start(db.session, task)
    db.session.commit()
    return task


def fresh(task: Task) -> Task:
    found = db.session.get_one(Task, task.id, populate_existing=True)
    db.session.commit()
    return found


def count(table: type) -> int:
    found = db.session.query(table).count()
    db.session.commit()
    return found


@BOTH
def test_an_import_is_done_and_counted(app, company, run_tasks):
    task = start(make_import(company, people(7) + b",x@example.com,1\nPessoa 0,p0@example.com,1\n"))
    run_tasks()
    done = fresh(task)
    assert (done.status, done.position, done.total) == ("done", 9, 9)
    assert done.counts == {"created": 7, "unchanged": 1, "classified": 7, "sent": 7, "bad": 1}
    assert [(finding.line, finding.problem) for finding in read_findings(db.engine, task.id)] == [(9, "required")]
    assert db.session.query(TaskBlock).filter_by(part="input").count() == 0


@BOTH
@pytest.mark.parametrize("is_known_before", [False, True])
def test_people_who_share_an_e_mail_are_as_many_as_their_names_also_in_a_later_file(
    company, run_tasks, small_chunks, is_known_before
):
    rows = ["Bia,c@x.test,2", "Outra,o@x.test,", "Outra,o@x.test,", "Ana Lima,c@x.test,1", '"Lima Sá, ANA",c@x.test,1']
    if is_known_before:
        save(company, {"contact": {"name": "Ana Lima", "email": "c@x.test", "interest_level": 3}})
        rows[1:3] = []  # the one who is known stands in the same chunk
    text = HEADER + "\n".join(rows)
    start(make_import(company, text.encode()))
    run_tasks()
    shared = select(Contact.name).where(Contact.email == "c@x.test").order_by(Contact.name)
    assert db.session.scalars(shared).all() == ["Ana Lima", "Bia", "Lima Sá, ANA"]
    assert db.session.scalars(select(Contact.interest_level).where(Contact.name == "Bia")).all() == [2]
    again = start(make_import(company, text.encode()))
    run_tasks()
    assert fresh(again).counts == {"unchanged": fresh(again).total} | ({"kept": 1} if is_known_before else {})
    start(make_import(company, (HEADER + "Carlos Dias,c@x.test,1").encode()))
    run_tasks()
    assert db.session.scalars(shared).all() == ["Ana Lima", "Bia", "Carlos Dias", "Lima Sá, ANA"]


def test_a_near_name_further_down_leaves_the_name_of_an_earlier_row(company, run_tasks, small_chunks):
    rows = ["Ana,c@x.test,1", "Bia,b@x.test,1", "Eva,e@x.test,1", "Ana Lima,c@x.test,2"]
    for counts in ({"created": 4, "classified": 4, "sent": 4}, {"unchanged": 4}):
        task = start(make_import(company, (HEADER + "\n".join(rows)).encode()))
        run_tasks()
        assert fresh(task).counts == counts


@BOTH
@pytest.mark.parametrize("way", ["in one chunk", "in several"])
def test_of_several_rows_of_one_person_the_first_counts_and_the_others_add(company, run_tasks, monkeypatch, way):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 400 if way == "in one chunk" else 1)
    text = (
        "Nome,LinkedIn,E-mail,Telefone,Nível\nAna,linkedin.com/in/ana,,11 3333-0001,1\n"
        "Ana Sá,linkedin.com/in/ana/,ana@x.test,11 3333-0002,3\nBia,,bia@x.test,,\nBia,,bia@x.test,,2\n"
        "Caio,,caio@x.test,,1\nCaio,linkedin.com/in/caio,caio@x.test,,3\n"
    )
    for counts in ({"created": 3, "changed": 3}, {"unchanged": 6}):
        task = start(make_import(company, text.encode()))
        run_tasks()
        told = fresh(task).counts
        assert {name: told[name] for name in ("created", "changed", "unchanged") if name in told} == counts
    assert [(row.line, row.field) for row in read_findings(db.engine, task.id)] == [
        (3, "contact.name"),
        (3, "contact.phone"),
        (3, "contact.interest_level"),
        (7, "contact.interest_level"),
    ]
    stored = db.session.query(Contact.name, Contact.email, Contact.phone, Contact.interest_level).order_by(Contact.id)
    assert list(map(tuple, stored)) == [
        ("Ana", "ana@x.test", "11 3333-0001", 1),
        ("Bia", "bia@x.test", None, 2),
        ("Caio", "caio@x.test", None, 1),
    ]
    assert count(Delivery) == 3


@BOTH
@pytest.mark.parametrize(
    "first", ["Ana Lima,ana@x.test,,,,", "Ana Lima,ana@x.test,,,,\nAna Lima,ana@x.test,,,,linkedin.com/in/ana"]
)
def test_a_further_row_of_somebody_who_is_known_says_what_the_rows_above_leave_out(company, run_tasks, first):
    owner = make_user(company, email="carla@x.test")
    header, known = "Nome,E-mail,Cargo,Nível de interesse,E-mail do responsável,LinkedIn", "Ana Lima,ana@x.test,Dev,1,,"
    start(make_import(company, f"{header}\n{known}\n".encode()))
    run_tasks()
    text = f"{header}\n{first}\nAna Lima,ana@x.test,CTO,3,{owner.email},\n"
    for changed in (1, 0):
        task = start(make_import(company, text.encode()))
        run_tasks()
        assert fresh(task).counts.get("changed", 0) >= changed
        stored = db.session.query(Contact).filter_by(email="ana@x.test").one()
        assert (stored.role, stored.interest_level, stored.owner.email) == ("CTO", 3, owner.email)
        assert not list(read_findings(db.engine, task.id))
    assert count(Delivery) == 2


def test_the_first_row_that_describes_a_campaign_counts(company, run_tasks):
    text = "Nome,E-mail,Campanha,Descrição da campanha\n" + "".join(
        f"{name},{name}@x.test,{campaign},{said}\n"
        for name, campaign, said in (("ana", "A", "um"), ("bia", "A", "dois"), ("eva", "B", "três"), ("lia", "A", "um"))
    )
    moments = []
    for counts in ({"created": 4, "warned": 1}, {"unchanged": 4, "warned": 1}):
        task = start(make_import(company, text.encode()))
        run_tasks()
        assert fresh(task).counts == counts
        moments.append([row.data_changed_at for row in db.session.query(Contact).order_by(Contact.id)])
    assert moments[0] == moments[1]
    assert {each.name: each.description for each in db.session.query(Campaign)} == {"A": "um", "B": "três"}
    assert [(row.line, row.problem) for row in read_findings(db.engine, task.id)] == [(3, "described_before")]


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir() if path.suffix in (".csv", ".jsonl")))
def test_every_sample_file_is_imported_twice_and_changes_nothing_the_second_time(company, run_tasks, name):
    content = (DATA / name).read_bytes()
    for _ in range(2):
        start(make_import(company, content))
    run_tasks()
    first, second = (task.counts for task in db.session.query(Task).order_by(Task.id))
    good = first["created"]
    # Some name an owner whom this company does not have, and one a campaign in its first row alone.
    if warned := {"generic.csv": 2, "hubspot.csv": 1, "pipedrive.csv": 1}.get(name):
        assert first.pop("warned") == second.pop("warned") == warned
    assert not {"bad", "warned"} & set(first)
    assert second == {"unchanged": good}


@BOTH
@pytest.mark.parametrize("moment", ["before the rows", "between the rows and the position", "after the commit"])
def test_a_killed_import_goes_on_with_nothing_twice(app, company, small_chunks, monkeypatch, moment):
    task = start(make_import(company, people(10) + b",r@x.test,1\n" + people(10)[len(HEADER) :]))
    chunks_done = 0
    record, do_chunk = store.record, TaskRunner._do_chunk

    def killed_record(connection, held, done):
        nonlocal chunks_done
        chunks_done += 1
        if chunks_done == 3 and moment == "between the rows and the position":
            raise Killed
        record(connection, held, done)

    def killed_chunk(self, held, chunk):
        if moment == "before the rows" and chunks_done == 2:
            raise Killed
        went_on = do_chunk(self, held, chunk)
        if moment == "after the commit" and chunks_done == 3:
            raise Killed
        return went_on

    with monkeypatch.context() as patched:
        patched.setattr(store, "record", killed_record)
        patched.setattr(TaskRunner, "_do_chunk", killed_chunk)
        with pytest.raises(Killed):
            TaskRunner(db.engine, on_due=lambda: None).run_one()
    assert fresh(task).position == (9 if moment == "after the commit" else 6)
    another = TaskRunner(db.engine, on_due=lambda: None)
    assert not another.run_one(), "the lease of the dead holds still"
    with time_machine.travel(utcnow() + LEASE + timedelta(seconds=1)):
        assert another.run_one()
    assert (fresh(task).status, fresh(task).counts) == (
        "done",
        {"created": 10, "unchanged": 10, "classified": 10, "sent": 10, "bad": 1},
    )
    assert count(Contact) == count(Delivery) == count(Classification) == 10
    assert [finding.line for finding in read_findings(db.engine, task.id)] == [12]


@BOTH
def test_a_worker_whose_lease_was_taken_changes_nothing_more(app, company, small_chunks, monkeypatch):
    task = start(make_import(company, people(9)))
    slept = TaskRunner(db.engine, on_due=lambda: None)
    do_chunk = TaskRunner._do_chunk

    def overslept(self, held, chunk):
        if self is slept and held.position == 0 and fresh(task).position == 3:
            with time_machine.travel(utcnow() + LEASE * 2):
                TaskRunner(db.engine, on_due=lambda: None).run_one()
        return do_chunk(self, held, chunk)

    monkeypatch.setattr(TaskRunner, "_do_chunk", overslept)
    slept.run_one()
    assert (fresh(task).status, fresh(task).counts["created"]) == ("done", 9)
    assert count(Contact) == count(Delivery) == 9


def test_a_task_that_kills_its_worker_is_given_up(company, monkeypatch):
    task = start(make_import(company, people(3)))

    def kill(self, held, chunk):
        raise Killed

    monkeypatch.setattr(TaskRunner, "_do_chunk", kill)
    now = utcnow()
    for attempt in range(store.MAX_TRIES):
        with time_machine.travel(now + attempt * LEASE * 2), pytest.raises(Killed):
            TaskRunner(db.engine, on_due=lambda: None).run_one()
    with time_machine.travel(now + store.MAX_TRIES * LEASE * 2):
        assert not TaskRunner(db.engine, on_due=lambda: None).run_one()
    assert (fresh(task).status, fresh(task).reason) == ("failed", "interrupted")


def test_stopping_ends_after_a_chunk_and_another_worker_goes_on_at_once(company, small_chunks, monkeypatch, run_tasks):
    task = start(make_import(company, people(9)))
    runner = TaskRunner(db.engine, on_due=lambda: None)
    do_chunk = TaskRunner._do_chunk

    def stop_after(self, held, chunk):
        runner.stop()
        return do_chunk(self, held, chunk)

    with monkeypatch.context() as patched:
        patched.setattr(TaskRunner, "_do_chunk", stop_after)
        runner.run_one()
    assert (fresh(task).status, fresh(task).position) == ("waiting", 3)
    run_tasks()
    assert (fresh(task).status, count(Contact)) == ("done", 9)


@BOTH
def test_a_row_that_the_database_refuses_loses_no_other(app, company, monkeypatch, run_tasks):
    task = start(make_import(company, people(5)))
    save_batch = chunks.save_batch

    def refusing(session, actor, items, **options):
        results = save_batch(session, actor, items, **options)
        if any(item.facts["name"] == "Pessoa 2" for item in items):
            raise IntegrityError("INSERT", {}, Exception("refused"))
        return results

    monkeypatch.setattr(chunks, "save_batch", refusing)
    run_tasks()
    assert fresh(task).counts == {"created": 4, "classified": 4, "sent": 4, "bad": 1}
    assert [finding.problem for finding in read_findings(db.engine, task.id)] == ["not_saved"]
    assert count(Contact) == count(Delivery) == 4


def test_messages_for_which_a_thread_has_no_room_are_warnings(company, monkeypatch, run_tasks):
    monkeypatch.setattr("portal.contacts.threads.MAX_ITEMS", 2)
    days = "".join(f"Ana,ana@x.test,Oi {day},0{day}/03/2024\n" for day in range(1, 5))
    task = start(make_import(company, f"Nome,E-mail,Mensagem,Data da mensagem\n{days}".encode()))
    run_tasks()
    found = [(finding.line, finding.problem) for finding in read_findings(db.engine, task.id)]
    assert found == [(4, "thread_full"), (5, "thread_full")]
    assert fresh(task).counts["warned"] == 2


@BOTH
def test_nul_bytes_are_taken_out_and_said_whatever_else_the_row_holds(company, run_tasks):
    told = b'Nome,E-mail,Cargo\nA\0na,ana@x.test,CE\0O\n"Bia,bia\0@x.test,\nEva,eva@x.test,CTO\n'
    task = start(make_import(company, told))
    run_tasks()
    found = [(finding.line, finding.problem) for finding in read_findings(db.engine, task.id)]
    assert found == [(2, "nuls_removed"), (3, "unclosed_quote")]
    people = db.session.query(Contact).order_by(Contact.name)
    assert [(person.name, person.role) for person in people] == [("Ana", "CEO"), ("Eva", "CTO")]


@pytest.mark.parametrize("piece", HOSTILE)
def test_an_import_that_finds_no_rows_says_now_and_then_that_it_goes_on(company, run_tasks, short_turns, piece):
    content = b"Nome,E-mail,Cargo\nAna,ana@x.test,CEO\n" + piece * (5000 // piece.count(b"\n"))
    task = start(make_import(company, content))
    claim = store.claim(db.session.connection(), now=utcnow(), lease=LEASE)
    held = replace(claim, position=1)  # as one that goes on behind the first row
    for claimed in (claim, held):
        assert sum(not done.items for done in running.work(db.engine, claimed)) > 5
    assert fresh(task).status == "running"


def test_an_import_moves_on_while_it_looks_for_the_row_that_it_goes_on_from(company, short_turns):
    start(make_import(company, people(1500)))
    claim = store.claim(db.session.connection(), now=utcnow(), lease=LEASE)
    sizes = [len(chunk.items) for chunk in running.work(db.engine, replace(claim, position=1490))]
    assert sizes == [0, 0, 0, 10, 0]


def test_a_task_whose_worker_dies_at_one_row_is_given_up_though_it_says_that_it_goes_on(company):
    task = start(make_import(company, people(3)))

    def dying(engine, claim):
        yield from [lambda _: store.Done(moved=0)] * 3
        raise Killed

    for turn in range(1, store.MAX_TRIES + 1):
        with time_machine.travel(utcnow() + turn * 2 * LEASE), pytest.raises(Killed):
            TaskRunner(db.engine, on_due=lambda: None, kinds={KIND: dying}).run_one()
    with time_machine.travel(utcnow() + 99 * LEASE):
        assert not TaskRunner(db.engine, on_due=lambda: None, kinds={KIND: dying}).run_one()
    assert (fresh(task).status, fresh(task).reason) == ("failed", "interrupted")


def test_a_task_that_fails_unforeseen_says_so_and_keeps_nobody_waiting(company):
    broken, good = start(make_import(company, people(2))), start(make_import(company, people(3)))
    broken_id, work = fresh(broken).id, running.work

    def failing(engine, claim):
        if claim.task_id == broken_id:
            raise RuntimeError("unforeseen")
        return work(engine, claim)

    runner = TaskRunner(db.engine, on_due=lambda: None, kinds={KIND: failing})
    while runner.run_one():
        pass
    assert (fresh(broken).status, fresh(broken).reason) == ("failed", "internal_error")
    assert fresh(good).status == "done"


def test_an_import_whose_file_is_gone_says_so(company, run_tasks):
    task = start(make_import(company, people(2)))
    db.session.query(TaskBlock).delete()
    run_tasks()
    assert (fresh(task).status, fresh(task).reason) == ("failed", "gone")


@BOTH
def test_two_workers_do_a_task_once(app, company, small_chunks):
    for _ in range(4):
        start(make_import(company, people(12)))
    runners = [TaskRunner(db.engine, on_due=lambda: None) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda runner=runner: [None for _ in iter(runner.run_one, False)]) for runner in runners
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.expire_all()
    assert {task.status for task in db.session.query(Task)} == {"done"}
    assert sum(task.counts.get("created", 0) for task in db.session.query(Task)) == 12
    assert count(Contact) == count(Delivery) == 12


def test_drafts_and_old_findings_are_forgotten(company, run_tasks, instance):
    make_import(company, people(2))
    done = start(make_import(company, b"Nome,E-mail\nAna,arroba\n"))
    run_tasks()
    imports = db.session.query(Task).filter_by(kind="import")
    keep_house(db.engine, instance)
    assert imports.count() == 2
    db.session.commit()
    with time_machine.travel(utcnow() + timedelta(days=2)):
        keep_house(db.engine, instance)
    assert [task.id for task in imports] == [done.id]
    assert list(read_findings(db.engine, done.id))
    db.session.commit()
    with time_machine.travel(utcnow() + timedelta(days=31)):
        keep_house(db.engine, instance)
    assert not list(read_findings(db.engine, done.id))


def test_a_worker_imports_and_sends_in_the_order_of_the_file(make_app, receiver):
    app: Flask = make_app(endpoint_concurrency=1)
    with app.app_context():
        company = make_company(url=receiver.url)
        task = start(make_import(company, people(30)))
        with running_worker(app):
            assert receiver.wait_for(30)
        names = [post.body.split(b'"name":"')[1].split(b'"')[0].decode() for post in receiver.received]
        assert names == [f"Pessoa {number}" for number in range(30)]
        assert fresh(task).status == "done"
        set_url(company, receiver.url)


@BOTH
def test_people_of_one_name_are_as_many_as_their_rows_differ_also_after_a_stop(
    app, company, small_chunks, monkeypatch, run_tasks
):
    rows = "".join(f"Ana,Xis,nota {number // 2}\n" for number in range(14))
    do_chunk = TaskRunner._do_chunk
    for _ in range(2):
        task = start(make_import(company, b"Nome,Empresa,Notas\n" + rows.encode()))
        runner = TaskRunner(db.engine, on_due=lambda: None)

        def stop_after(self, held, chunk, runner=runner):
            runner.stop()
            return do_chunk(self, held, chunk)

        with monkeypatch.context() as patched:  # a worker that stops after a part, and another that goes on
            patched.setattr(TaskRunner, "_do_chunk", stop_after)
            runner.run_one()
        assert fresh(task).status == "waiting"
        run_tasks()
    assert (fresh(task).status, count(Contact)) == ("done", 7)
    assert fresh(task).counts == {"unchanged": 14}


@pytest.mark.slow
def test_an_import_keeps_nothing_of_its_rows_in_memory(company, run_tasks, monkeypatch):
    """After the first chunks, of whatever kind the rows are: with an e-mail or a name alone, alike and not."""
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 200)
    kept: list[int] = []

    def counted(*given, **more):
        for chunk in chunks.cut_into_chunks(*given, **more):
            yield chunk
            gc.collect()
            kept.append(sys.getallocatedblocks())

    monkeypatch.setattr(running, "cut_into_chunks", counted)
    kinds = ("Um {0},{0}@x.test,", "Dois {0},{1}@y.test,", "Tres {0},,", "Quatro,,{0}")
    lines = [kinds[number % 4].format(number, number // 8) for number in range(2000)]
    task = start(make_import(company, "\n".join(["Nome,E-mail,Cargo", *lines]).encode()))
    run_tasks()
    assert fresh(task).counts == {"created": len(lines), "warned": len(lines) // 4}
    assert kept[9] - kept[4] < 1000, "less than a block of memory for each of a thousand rows"


@BOTH
def test_a_chunk_has_as_many_rows_as_hold_sqlites_write_lock_for_a_moment(company, run_tasks, monkeypatch):
    """A person's click waits for no more. On PostgreSQL nobody waits for it."""
    seconds = iter([2.0, 0.01, 0.0, 0.0])
    moved, now = [], [0.0]

    def save_slowly(*given, **more):
        now[0] += next(seconds)
        return save_batch(*given, **more)

    def record(connection, held, done):
        moved.append(done.moved)
        return store_record(connection, held, done)

    save_batch, store_record = chunks.save_batch, store.record
    start(make_import(company, people(500)))
    for place, name, stand_in in (
        (chunks, "save_batch", save_slowly),
        (store, "record", record),
        (clock, "monotonic", lambda: now[0]),
        (clock, "sleep", lambda seconds: None),
    ):
        monkeypatch.setattr(place, name, stand_in)
    run_tasks()
    is_shared = db.engine.dialect.name == "sqlite"
    assert moved == ([400, 50, 50, 0] if is_shared else [400, 100, 0])
