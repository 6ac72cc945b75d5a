"""Numbers to work on, kept with a task and cut into chunks: each once and in order, wherever the work goes on."""

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from portal.database.db import db
from portal.models import Task
from portal.tasks import slices, store
from portal.tasks.slices import BLOCK_BYTES
from portal.tasks.store import Done, TaskClaim, TaskError
from portal.working_models import TaskBlock
from tests.factories import NOON, actor_of, do_tasks, make_company

BLOCK = BLOCK_BYTES // 8
"""How many numbers a block holds."""


def queue(numbers: Sequence[int], *, width: int = 1) -> Task:
    task = slices.queue_numbers(
        db.session, actor_of(make_company()), "sync", numbers, action="a.b", width=width, arguments={"level": 2}
    )
    db.session.commit()
    return task


def claim(task: Task, position: int = 0) -> TaskClaim:
    held = store.claim_this(db.session.connection(), task.id, now=NOON, lease=NOON - NOON)
    db.session.commit()
    return replace(held, position=position)


@pytest.mark.parametrize("count", [1, BLOCK, BLOCK + 1])
def test_numbers_wait_in_blocks_for_a_worker(app: Flask, count: int) -> None:
    task = queue(range(count))
    assert (task.status, task.total, task.started_at, task.finished_at) == ("waiting", count, None, None)
    assert (task.kind, task.actor, task.arguments) == ("sync", "ana@example.com", {"level": 2})
    stored = db.session.execute(select(TaskBlock.part, TaskBlock.number).order_by(TaskBlock.number)).all()
    assert [tuple(row) for row in stored] == [("input", number) for number in range(-(-count // BLOCK))]
    db.session.rollback()
    assert list(slices.numbers_of(db.engine, claim(task))) == list(range(count))


def test_what_a_task_was_given_first_stays_aside_until_that_is_dropped(app: Flask) -> None:
    actor = actor_of(make_company())
    rows = [store.create(db.session, actor, "sync").id for _ in range(2)]
    for row in rows:
        slices.store_input(db.session, row, [b"fir", b"st"])
        slices.replace_input(db.session, row, [b"another"])
        slices.replace_input(db.session, row, [b"ne", b"xt"])
    slices.drop_aside(db.session, rows[0])
    db.session.commit()
    assert [b"".join(slices.first_input(db.engine, row)) for row in rows] == [b"next", b"first"]
    assert [b"".join(slices.read_blocks(db.engine, row, store.INPUT)) for row in rows] == [b"next"] * 2
    assert [slices.input_size(db.session, row) for row in rows] == [4, 4]


def test_what_somebody_holds_nobody_else_takes(app: Flask) -> None:
    task = queue([7])
    hour, connection = timedelta(hours=1), db.session.connection()
    store.claim_this(connection, task.id, now=NOON, lease=hour)
    for now, is_free in ((NOON + hour - timedelta(microseconds=1), False), (NOON + hour, True)):
        with nullcontext() if is_free else pytest.raises(NoResultFound):
            store.claim_this(connection, task.id, now=now, lease=hour)


def test_what_says_nothing_of_how_has_no_arguments_and_begins_with_no_counts(app: Flask) -> None:
    draft = store.create(db.session, actor_of(make_company()), "sync")
    db.session.commit()
    assert (draft.arguments, draft.counts, draft.total, draft.position, draft.tries) == ({}, {}, 0, 0, 0)


def test_the_log_says_which_kind_of_task_ended(
    app: Flask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("portal"), "propagate", True)
    caplog.set_level(logging.INFO, "portal")
    queue([1])
    do_tasks()
    assert {vars(line)["kind"] for line in caplog.records if line.getMessage() == "A task ended."} == {"sync"}


def test_without_any_number_a_task_is_done_at_once(app: Flask) -> None:
    task = queue([])
    assert (task.status, task.total, task.started_at, task.finished_at) == ("done", 0, task.created_at, task.created_at)
    held = TaskClaim(
        task_id=task.id,
        company_id=task.company_id,
        kind="sync",
        actor=actor_of(make_company()),
        arguments={},
        position=0,
        lease_token="",
    )
    with pytest.raises(TaskError) as gone:
        next(slices.cut_numbers(db.engine, held, 2, lambda *_: Counter()))
    assert gone.value.reason == "gone"


@pytest.mark.parametrize(
    ("width", "position", "chunks"),
    [
        (1, 0, [[0, 1], [2, 3], [4, 5]]),
        (1, 3, [[3, 4], [5]]),
        (1, 5, [[5]]),
        (1, 6, []),
        (2, 0, [[0, 1, 2, 3], [4, 5]]),
        (2, 1, [[2, 3, 4, 5]]),
        (2, 3, []),
    ],
)
def test_chunks_hold_so_many_things_from_the_position_on(
    app: Flask, width: int, position: int, chunks: list[list[int]]
) -> None:
    task = queue(range(6), width=width)
    assert task.total == 6 // width
    held, seen = claim(task, position), []

    def part(session: Session, mine: TaskClaim, numbers: Sequence[int]) -> Counter[str]:
        seen.append(numbers)
        assert (session, mine) == (db.session(), held)
        return Counter(sent=len(numbers), failed=0)

    cut = slices.cut_numbers(db.engine, held, 2, part, width=width)
    done = [chunk(db.session()) for chunk in cut]
    assert seen == chunks
    assert done == [Done(moved=len(each) // width, counts=Counter(sent=len(each))) for each in chunks]


def test_each_step_is_done_until_there_is_no_more_of_it(app: Flask) -> None:
    left, order = {"a": 2, "b": 0, "c": 1}, []

    def step_of(name: str) -> slices.Step:
        def step(_: Session) -> tuple[Counter[str], bool]:
            order.append(name)
            left[name] -= 1
            return Counter({name: 1, "none": 0}), left[name] >= 0

        return step

    done = [chunk(db.session()) for chunk in slices.cut_steps(map(step_of, left))]
    assert "".join(order) == "aaabcc"
    assert done == [Done(moved=1, counts=Counter({name: 1})) for name in order]
