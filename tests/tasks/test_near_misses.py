"""Each statement about tasks changes the rows that it should, and no other: of the rest each misses by one fact."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ClauseElement

from portal import clock
from portal.audit import Actor
from portal.database.db import db
from portal.models import Task
from portal.tasks import store
from portal.tasks.store import Done, TaskClaim
from portal.working_models import TaskBlock
from tests.factories import NOON, make_company

MOMENT, DAY = timedelta(microseconds=1), timedelta(days=1)
LEASE = timedelta(minutes=1)
HELD = {"status": "running", "lease_token": "mine", "lease_expires_at": NOON, "started_at": NOON - DAY}
LET_GO = {"lease_token": None, "lease_expires_at": None}
DRAFT = {"status": "draft", "created_at": NOON - DAY - MOMENT}
ENDED = {"status": "done", "finished_at": NOON - MOMENT}
LONG_AGO = {"status": "failed", "finished_at": NOON - timedelta(days=30) - MOMENT}
STOCK: Mapping[str, Mapping[str, Any]] = {
    "old draft": DRAFT,
    "draft": DRAFT | {"created_at": NOON - DAY},
    "running": HELD | {"lease_expires_at": NOON + MOMENT},
    "running for another": HELD | {"lease_expires_at": NOON + MOMENT, "lease_token": "another's"},
    "ended": ENDED,
    "just ended": ENDED | {"finished_at": NOON},
    "ended long ago": LONG_AGO,
    "ended not so long ago": LONG_AGO | {"finished_at": NOON - timedelta(days=30)},
    "waiting": {"status": "waiting", "tries": 4},
    "begun too often": {"status": "waiting", "tries": 5},
    "left": HELD,
    "left too often": HELD | {"tries": 5},
    "another kind's": {"status": "waiting", "kind": "sync"},
    "another company's": {"status": "waiting", "company": "Outra"},
}
PARTS = ("input", "aside", "missing")


class Tasks:
    """Tasks by name, each with a block of each part."""

    def __init__(self, stock: Mapping[str, Mapping[str, Any]]) -> None:
        self.company_id, other_id = make_company().id, make_company("Outra").id
        self.ids: dict[str, int] = {}
        defaults = {"kind": "import", "actor": "ana@x.test", "arguments": {"a": 1}, "position": 1, "total": 9}
        more = {"counts": {"sent": 1}, "tries": 1, "created_at": NOON - 99 * DAY}
        for name, facts in stock.items():
            row = defaults | more | facts
            row["company_id"] = other_id if row.pop("company", None) else self.company_id
            made = insert(Task).values(row).returning(Task.id)
            self.ids[name] = number = db.session.execute(made).scalar_one()
            blocks = [{"task_id": number, "part": part, "number": 0, "data": b"x"} for part in PARTS]
            db.session.execute(insert(TaskBlock), blocks)
        db.session.commit()

    def read(self) -> dict[str, dict[str, Any]]:
        db.session.commit()
        names = {number: name for name, number in self.ids.items()}
        rows = {names[row["id"]]: dict(row) for row in db.session.execute(select(Task.__table__)).mappings()}
        db.session.rollback()
        return rows

    def lost_parts(self) -> dict[str, set[str]]:
        """Of each task that is left and lacks a block."""
        left = db.session.execute(select(TaskBlock.task_id, TaskBlock.part)).all()
        db.session.rollback()
        lost = {name: set(PARTS) - {part for number, part in left if number == self.ids[name]} for name in self.read()}
        return {name: parts for name, parts in lost.items() if parts}

    def claims(self) -> list[TaskClaim]:
        """As if this worker held each of them."""
        return [
            TaskClaim(
                task_id=number,
                company_id=self.company_id,
                kind="import",
                actor=Actor(self.company_id, "ana@x.test"),
                arguments={},
                position=0,
                lease_token="mine",
            )
            for number in self.ids.values()
        ]


def in_worker(act: Callable[[Connection], object]) -> None:
    db.session.rollback()
    with db.engine.begin() as connection:
        act(connection)


@pytest.fixture
def tasks(app: Flask) -> Tasks:
    return Tasks(STOCK)


def test_the_oldest_that_nobody_works_on_is_held_and_what_was_begun_too_often_given_up(tasks: Tasks) -> None:
    before, claimed = tasks.read(), []
    for _ in range(5):
        in_worker(lambda connection: claimed.append(store.claim(connection, now=NOON, lease=LEASE)))
    names = {number: name for name, number in tasks.ids.items()}
    held = [claim for claim in claimed if claim is not None]
    assert [names[claim.task_id] for claim in held] == ["waiting", "left", "another kind's", "another company's"]
    given_up = {"status": "failed", "reason": "interrupted", "finished_at": NOON, **LET_GO}
    expected = {name: before[name] | given_up for name in ("begun too often", "left too often")}
    for claim in held:
        row = before[names[claim.task_id]]
        expected[names[claim.task_id]] = row | {
            "status": "running",
            "tries": row["tries"] + 1,
            "started_at": row["started_at"] or NOON,
            "lease_token": claim.lease_token,
            "lease_expires_at": NOON + LEASE,
        }
        assert (claim.company_id, claim.kind, claim.position) == (row["company_id"], row["kind"], 1)
        assert (claim.arguments, claim.actor) == ({"a": 1}, Actor(row["company_id"], "ana@x.test"))
    assert tasks.read() == before | expected
    assert len({claim.lease_token for claim in held}) == 4


@pytest.mark.parametrize(
    ("facts", "is_free"),
    [
        *((STOCK[name], True) for name in ("waiting", "left", "begun too often")),
        *((STOCK[name], False) for name in ("draft", "running", "ended", "ended long ago")),
    ],
)
def test_a_look_says_whether_any_is_free(app: Flask, facts: Mapping[str, Any], is_free: bool) -> None:
    Tasks({"only": facts})
    with db.engine.connect() as connection:
        assert store.has_free(connection, now=NOON) is is_free


AS_DRAFT = {"kind": "sync", "arguments": {}, "total": 3, "position": 0, "counts": {}, "started_at": None}
OF_HOLDER: Mapping[str, tuple[Callable[[Connection, TaskClaim], object], Mapping[str, Any], set[str]]] = {
    "hold": (
        lambda connection, held: store.hold(connection, held, now=NOON, lease=LEASE),
        {"lease_expires_at": NOON + LEASE},
        set(),
    ),
    "release": (store.release, {"status": "waiting", **LET_GO}, set()),
    "finish": (
        lambda connection, held: store.finish(connection, held, now=NOON),
        {"status": "done", "finished_at": NOON, **LET_GO},
        {"input", "aside"},
    ),
    "fail": (
        lambda connection, held: store.finish(connection, held, now=NOON, reason="gone"),
        {"status": "failed", "reason": "gone", "finished_at": NOON, **LET_GO},
        {"input", "aside"},
    ),
    "become a draft": (
        lambda connection, held: store.become_draft(connection, held, kind="sync", arguments={}, total=3),
        AS_DRAFT | {"status": "draft", "tries": 0, **LET_GO},
        set(),
    ),
    "record": (
        lambda connection, held: store.record(connection, held, Done(moved=2, counts=Counter(sent=2, new=1))),
        {"position": 3, "counts": {"sent": 3, "new": 1}, "tries": 0},
        set(),
    ),
}


@pytest.mark.parametrize("name", OF_HOLDER)
def test_who_holds_a_task_changes_that_and_who_lost_it_nothing(tasks: Tasks, name: str) -> None:
    act, values, lost = OF_HOLDER[name]
    before, claims = tasks.read(), tasks.claims()
    in_worker(lambda connection: [act(connection, claim) for claim in claims])
    mine = ("running", "left", "left too often")
    assert tasks.read() == before | {each: before[each] | values for each in mine}
    assert tasks.lost_parts() == {each: lost for each in mine if lost}


@pytest.mark.parametrize("name", ["start", "requeue", "discard", "end"])
def test_only_a_draft_begins_or_is_discarded_and_only_what_is_open_is_ended(tasks: Tasks, name: str) -> None:
    values: dict[str, Any] = {"status": "waiting"}
    again = {"kind": "sync", "arguments": {"b": 2}, "total": 7}
    act: Callable[[Task], bool] = {
        "start": lambda row: store.start(db.session, row),
        "requeue": lambda row: store.requeue(db.session, row, **again),  # type: ignore[arg-type]
        "discard": lambda row: store.discard(db.session, row),
        "end": lambda row: store.end(db.session, row, reason="erased", now=NOON),
    }[name]
    before = tasks.read()
    done = {each for each, number in tasks.ids.items() if act(db.session.get_one(Task, number))}
    drafts = {each for each, row in before.items() if row["status"] == "draft"}
    open_ = {each for each, row in before.items() if row["status"] in ("waiting", "running")}
    assert done == (open_ if name == "end" else drafts)
    after = tasks.read()
    if name == "discard":
        assert after == {each: row for each, row in before.items() if each not in drafts}
        return
    values |= again if name == "requeue" else {}
    if name == "end":
        values = {"status": "failed", "reason": "erased", "finished_at": NOON, **LET_GO}
    assert after == before | {each: before[each] | values for each in done}
    assert tasks.lost_parts() == {each: {"input", "aside"} for each in open_ if name == "end"}


def test_what_is_old_is_forgotten_and_what_is_not_stays(tasks: Tasks) -> None:
    before = tasks.read()
    in_worker(lambda connection: store.forget(connection, now=NOON))
    assert tasks.read() == {name: row for name, row in before.items() if name != "old draft"}
    assert tasks.lost_parts() == {
        "ended": {"input", "aside"},
        "ended long ago": set(PARTS),
        "ended not so long ago": {"input", "aside"},
    }


def test_tasks_are_found_within_their_company_and_kind_the_newest_first(tasks: Tasks) -> None:
    imports = [name for name in STOCK if name not in ("another kind's", "another company's")]
    names = {number: name for name, number in tasks.ids.items()}

    def named(*rows: Task | None) -> list[str]:
        return [names[row.id] for row in rows if row is not None]

    found = [store.get_task(db.session, tasks.company_id, "import", number) for number in tasks.ids.values()]
    assert named(*found) == imports
    recent = store.recent_tasks(db.session, tasks.company_id, ("import", "sync"), limit=3)
    assert named(*recent) == ["another kind's", "left too often", "left"]
    assert named(store.find_open(db.session, tasks.company_id, "import")) == ["left too often"]
    assert store.find_open(db.session, tasks.company_id, "report") is None
    unfinished = [name for name in imports if "finished_at" not in STOCK[name]]
    assert store.count_unfinished(db.session, tasks.company_id, ("import",)) == len(unfinished)


def test_what_a_chunk_keeps_is_kept_under_its_name_at_the_position_that_it_reached(tasks: Tasks) -> None:
    (held,) = [claim for claim in tasks.claims() if claim.task_id == tasks.ids["running"]]
    for data in (b"first", b"second"):
        done = Done(moved=2, kept={"refused": data, "known": data[:1]})
        in_worker(lambda connection, done=done: store.record(connection, held, done))
    of_task = select(TaskBlock.part, TaskBlock.number, TaskBlock.data).where(TaskBlock.task_id == held.task_id)
    found = {tuple(row) for row in db.session.execute(of_task.where(TaskBlock.part.in_(("refused", "known"))))}
    assert found == {("refused", 3, b"first"), ("known", 3, b"f"), ("refused", 5, b"second"), ("known", 5, b"s")}


def test_a_task_that_another_worker_took_meanwhile_is_left_to_it(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    before, claim_this, found = tasks.read(), store.claim_this, []

    def claim_late(connection: Connection, task_id: int, **facts: Any) -> TaskClaim:
        connection.execute(update(Task).where(Task.id == task_id).values(status="done"))
        return claim_this(connection, task_id, **facts)

    monkeypatch.setattr(store, "claim_this", claim_late)
    in_worker(lambda connection: found.append(store.claim(connection, now=NOON, lease=LEASE)))
    assert found == [None]
    assert tasks.read()["waiting"] == before["waiting"] | {"status": "done"}


def test_a_draft_begins_with_what_it_is_given_and_nothing_else(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utcnow", lambda: NOON)
    company = make_company()
    actor = Actor(company.id, "ana@x.test", "192.0.2.1")
    made = [
        store.create(db.session, actor, "sync", total=7, arguments={"a": 1}).id,
        store.create(db.session, actor, "import").id,
    ]
    db.session.commit()
    blank = {column.name: None for column in Task.__table__.c}
    same = {"company_id": company.id, "actor": "ana@x.test", "status": "draft", "created_at": NOON, "counts": {}}
    found = db.session.execute(select(Task.__table__).order_by(Task.id)).mappings().all()
    assert [dict(row) for row in found] == [
        blank | same | {"id": number, "position": 0, "tries": 0} | facts
        for number, facts in zip(
            made,
            ({"kind": "sync", "total": 7, "arguments": {"a": 1}}, {"kind": "import", "total": 0, "arguments": {}}),
            strict=True,
        )
    ]


def test_who_looks_for_a_task_passes_over_what_others_hold(tasks: Tasks) -> None:
    said: list[str] = []

    def note(_connection: object, statement: ClauseElement, *_: object) -> None:
        said.append(str(statement.compile(dialect=postgresql.dialect())))

    event.listen(db.engine, "before_execute", note)
    try:
        in_worker(lambda connection: store.claim(connection, now=NOON, lease=LEASE))
    finally:
        event.remove(db.engine, "before_execute", note)
    (looked,) = [words for words in said if words.startswith("SELECT")]
    assert looked.endswith("FOR UPDATE SKIP LOCKED")
