"""Sending many again and bringing the CRM in sync, as tasks: what is chosen, nothing twice, also after a kill."""

from datetime import timedelta

import pytest
import time_machine

from portal.audit import Actor
from portal.clock import utcnow
from portal.company.refusals import Refusal
from portal.contacts import syncing
from portal.database.db import db
from portal.deliveries import resending
from portal.deliveries.filtering import DeliveryFilter
from portal.models import Contact, Delivery, Task
from portal.rules.reasons import WORDS
from portal.rules.reasons.words import MAY_HAVE_ARRIVED
from portal.tasks import store
from portal.worker.task_runner import LEASE, TaskRunner
from tests.conftest import BOTH
from tests.factories import (
    NOON,
    actor_of,
    attempt_of,
    endpoint_of,
    explain,
    forget_body,
    make_company,
    make_contact,
    make_delivery,
    mark_delivered,
    run_tasks,
)

URL = "http://127.0.0.1:9999/hook"
EVERYTHING = DeliveryFilter()

pytestmark = BOTH


class Killed(BaseException):
    """Stands for kill -9: nothing runs after it."""


@pytest.fixture
def company(app):
    return make_company(url=URL)


def end(delivery: Delivery, status: str = "failed", **attempt) -> Delivery:
    """The delivery after its last attempt, which got no answer and did not reach out unless `attempt` says so."""
    facts = {"trigger": "classification", "started_at": NOON, "url": URL, "reason": "connection_refused", "number": 1}
    db.session.add(attempt_of(delivery, **(facts | attempt)))
    delivery.status, delivery.next_attempt_at, delivery.attempt_count = status, None, 1
    db.session.commit()
    return delivery


def begin(company, *risks: str, wanted: DeliveryFilter = EVERYTHING) -> Task:
    task = resending.start(db.session, Actor(company.id, "ana@example.com"), wanted, risks=risks)
    db.session.commit()
    return task


def outcome(task: Task) -> tuple[str, dict[str, int]]:
    found = db.session.get_one(Task, task.id, populate_existing=True)
    db.session.commit()
    return found.status, found.counts


def pending_ids() -> list[int]:
    found = [row.id for row in db.session.query(Delivery).filter_by(status="pending").order_by(Delivery.id)]
    db.session.commit()
    return found


SENT_WITHOUT_ANSWER = {"request_sent": True, "reason": "timeout"}


def test_what_matches_is_told_apart_by_what_sending_it_again_would_do(company):
    plain = end(make_delivery(make_contact(company), 3))
    arrived = mark_delivered(make_delivery(make_contact(company)))
    lost_again = mark_delivered(make_delivery(make_contact(company)))
    lost_again.status = "failed"
    contact = make_contact(company)
    older = end(make_delivery(contact, 1))
    newer = mark_delivered(make_delivery(contact, 2))
    unsure = end(make_delivery(make_contact(company)), **SENT_WITHOUT_ANSWER)
    cut = end(make_delivery(make_contact(company)), request_sent=True, status_code=200, reason="incomplete")
    answered = end(make_delivery(make_contact(company)), request_sent=True, status_code=500, reason="server_error")
    replaced = end(make_delivery(make_contact(company)), "superseded")
    make_delivery(make_contact(company))  # due already
    purged = end(make_delivery(make_contact(company)))
    forget_body(purged)
    db.session.commit()
    assert {row.id: resending.risk_of(db.session, row) for row in db.session.query(Delivery)} == dict.fromkeys(
        row.id for row in db.session.query(Delivery)
    ) | {
        arrived.id: "delivered",
        lost_again.id: "delivered",
        older.id: "older",
        newer.id: "delivered",
        unsure.id: "maybe_received",
        cut.id: "maybe_received",
        replaced.id: "older",
    }
    matching = resending.look(db.session, company.id, EVERYTHING)
    assert [matching.count(risk) for risk in (None, *resending.RISKS)] == [2, 3, 2, 2]
    assert (matching.count(), matching.left_out, matching.total) == (9, 2, 11)
    assert matching.tell(("older",)) == {"count": 4, "left_out": {"delivered": 3, "maybe_received": 2}}
    assert matching.by_level() == {3: 1, 2: 7, 1: 1}
    assert matching.newest_id == purged.id
    assert [key for key, _ in resending.choose(db.session, company.id, EVERYTHING, risks=())] == [plain.id, answered.id]


@pytest.mark.parametrize("reason", sorted(WORDS))
def test_what_the_sentence_calls_doubtful_needs_a_confirmation(company, reason):
    """With the status that a cut answer has; the words of such a try say that the CRM may have got it."""
    row = end(make_delivery(make_contact(company)), request_sent=True, status_code=200, reason=reason)
    says_so = str(MAY_HAVE_ARRIVED) in explain(reason, status_code=200, request_sent=True).message
    assert (resending.risk_of(db.session, row) == "maybe_received") == says_so


def test_a_newer_one_that_failed_is_not_older_than_one_that_arrived(company):
    contact = make_contact(company)
    mark_delivered(make_delivery(contact, 1))
    failed = end(make_delivery(contact, 2))
    assert resending.risk_of(db.session, failed) is None
    assert [key for key, _ in resending.choose(db.session, company.id, EVERYTHING, risks=())] == [failed.id]


def test_a_test_is_not_sent_again(company):
    test = end(make_delivery(make_contact(company)))
    test.trigger, test.contact_id = "test", None
    db.session.commit()
    assert resending.look(db.session, company.id, EVERYTHING).count() == 0
    assert resending.choose(db.session, company.id, EVERYTHING, risks=resending.RISKS) == []


def test_what_is_chosen_stands_in_the_order_of_its_making_and_its_days_are_told(company):
    made = []
    for day in range(4):
        row = end(make_delivery(make_contact(company), 1 + day % 3))
        row.created_at = NOON + timedelta(days=day)
        made.append(row)
    db.session.commit()
    made[0].tries = 5  # on PostgreSQL a row that changes moves to the end
    db.session.commit()
    chosen = resending.choose(db.session, company.id, EVERYTHING, risks=())
    assert [key for key, _ in chosen] == [row.id for row in made]
    matching = resending.look(db.session, company.id, EVERYTHING)
    assert (matching.first, matching.last) == (NOON, NOON + timedelta(days=3))


def test_data_are_old_that_changed_after_the_delivery_of_this_contact(company):
    failed = end(make_delivery(make_contact(company)))
    contact, second = failed.contact, timedelta(seconds=1)
    facts = {(None, None): False, (timedelta(0), None): False, (second, None): True, (second, contact.id): False}
    for (changed, former), is_old in facts.items():
        contact.data_changed_at = None if changed is None else failed.created_at + changed
        failed.former_contact_id = former
        assert resending.has_old_data(failed) is is_old
    failed.contact = None
    assert not resending.has_old_data(failed)


def test_what_is_included_or_named_by_the_filters_status_is_meant(company):
    assert resending.risks_meant(EVERYTHING) == frozenset()
    assert resending.risks_meant(EVERYTHING, ["maybe_received"]) == {"maybe_received"}
    assert resending.risks_meant(DeliveryFilter(status="delivered"), ["older"]) == {"delivered", "older"}
    assert resending.risks_meant(DeliveryFilter(status="superseded")) == {"older"}


def test_the_deliveries_that_match_are_due_again_and_no_others(company):
    wanted = [end(make_delivery(make_contact(company), 3)).id for _ in range(3)]
    end(make_delivery(make_contact(company), 1))
    other = make_company("Outra", url=URL)
    end(make_delivery(make_contact(other), 3))
    task = begin(company, wanted=DeliveryFilter(level=3, status="failed"))
    run_tasks()
    assert outcome(task) == ("done", {"resent": 3})
    assert pending_ids() == wanted
    row = db.session.get_one(Delivery, wanted[0])
    assert (row.next_trigger, row.next_actor, row.tries) == ("manual", "ana@example.com", 0)


def test_what_cannot_be_sent_again_says_why(company):
    purged, erased, test = (end(make_delivery(make_contact(company))) for _ in range(3))
    for row in (purged, erased):
        forget_body(row)
    erased.contact_id, test.trigger = None, "test"
    db.session.commit()
    said = {}
    for row in (purged, erased, test):
        with pytest.raises(Refusal) as refused:
            resending.resend(db.session, actor_of(company), row, accepting=resending.RISKS)
        said[row.id] = refused.value.code
    assert said == {purged.id: "body_purged", erased.id: "person_erased", test.id: "test_delivery"}


def test_what_came_later_than_what_was_counted_stays_out(company):
    first, later = (end(make_delivery(make_contact(company))) for _ in range(2))
    chosen = resending.choose(db.session, company.id, EVERYTHING, risks=(), newest_id=later.id - 1)
    assert chosen == [(first.id, 1)]


def test_two_who_ask_for_the_same_send_once(company):
    end(make_delivery(make_contact(company)))
    first, second = begin(company), begin(company)
    runner = TaskRunner(db.engine, on_due=lambda: None)
    assert runner.run_one()
    (row,) = db.session.query(Delivery)
    row.attempt_count = 2
    mark_delivered(row)
    assert runner.run_one()
    assert outcome(first) == ("done", {"resent": 1})
    assert outcome(second) == ("done", {"unchanged": 1})


@pytest.mark.parametrize("kind", ["resend", "sync"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_in_the_middle_loses_none_and_repeats_none(company, monkeypatch, kind, moment):
    monkeypatch.setitem(resending.work.keywords, "size", 2)
    monkeypatch.setitem(syncing.work.keywords, "size", 2)
    failed = [end(make_delivery(make_contact(company))).id for _ in range(7)]
    contact_ids = syncing.find_out_of_sync(db.session, company.id)
    task = begin(company) if kind == "resend" else syncing.prepare(db.session, Actor(company.id, "ana"), contact_ids)
    db.session.commit()
    record, seen = store.record, []

    def killed(connection, held, done):
        seen.append(done)
        if len(seen) == 3 and moment == "before":
            raise Killed
        record(connection, held, done)

    do_chunk = TaskRunner._do_chunk

    def killed_after(self, held, chunk):
        went_on = do_chunk(self, held, chunk)
        if len(seen) == 3 and moment == "after":
            raise Killed
        return went_on

    with monkeypatch.context() as patched:
        patched.setattr(store, "record", killed)
        patched.setattr(TaskRunner, "_do_chunk", killed_after)
        with pytest.raises(Killed):
            TaskRunner(db.engine, on_due=lambda: None).run_one()
    with time_machine.travel(utcnow() + LEASE + timedelta(seconds=1)):
        run_tasks()
    if kind == "resend":
        assert outcome(task) == ("done", {"resent": 7})
        assert pending_ids() == failed
    else:
        assert outcome(task) == ("done", {"sent": 7})
        assert len(pending_ids()) == 7
        assert db.session.query(Delivery).filter_by(trigger="sync").count() == 7


def test_a_task_ends_with_words_when_the_address_was_removed(company):
    end(make_delivery(make_contact(company)))
    task = begin(company)
    endpoint_of(company).url = None
    run_tasks()
    assert outcome(task)[0] == "failed"
    assert db.session.get_one(Task, task.id).reason == "webhook_unset"
    assert pending_ids() == []


def test_what_a_sync_made_is_counted_by_what_became_of_it(company):
    for level in (1, 2, 3):
        make_contact(company).interest_level = level
    db.session.commit()
    contact_ids = syncing.find_out_of_sync(db.session, company.id)
    task = syncing.prepare(db.session, Actor(company.id, "ana"), contact_ids)
    run_tasks()
    first = mark_delivered(db.session.query(Delivery).order_by(Delivery.id).first())
    names = [column.name for column in Delivery.__table__.columns if column.name not in ("id", "webhook_id")]
    facts = {name: getattr(first, name) for name in names}
    day = timedelta(days=1)
    for number, other in enumerate(({"created_at": NOON}, {"created_at": utcnow() + day}, {"actor": "bia"})):
        db.session.add(Delivery(**facts | other | {"webhook_id": f"msg_{number}", "trigger": "sync"}))
    db.session.commit()
    assert syncing.made_by(db.session, db.session.get_one(Task, task.id)) == {"delivered": 1, "pending": 2}
    levels = [row.interest_level for row in db.session.query(Delivery).order_by(Delivery.id).limit(3)]
    assert levels == [3, 2, 1]


def test_what_is_not_tried_any_more_is_told_before_what_holds_back_more(company):
    for status, reason, number in (("pending", "timeout", 3), ("failed", "gone", 1), ("cancelled", "timeout", 2)):
        for _ in range(number):
            end(make_delivery(make_contact(company)), status).reason = reason
    db.session.commit()
    told = [(cause.status, cause.reason, cause.contacts) for cause in syncing.causes_of(db.session, company.id)]
    assert told == [("cancelled", "timeout", 2), ("failed", "gone", 1), ("pending", "timeout", 3)]


def test_home_and_sync_count_by_one_rule(company):
    behind = [make_contact(company) for _ in range(6)]
    end(make_delivery(behind[0], 3))
    end(make_delivery(behind[1], 2), "cancelled")
    behind[2].interest_level = 1  # never sent
    make_delivery(behind[3], 2)  # waits
    removed = behind[4]
    end(make_delivery(removed, 2))
    removed.interest_level = None
    lost_again = mark_delivered(make_delivery(behind[5]))
    lost_again.status = "failed"
    db.session.commit()
    backlog = syncing.backlog_of(db.session, company.id)
    assert (backlog.contacts, backlog.high, backlog.waiting, backlog.stuck) == (4, 1, 1, 3)
    assert syncing.count_out_of_sync(db.session, company.id) == {3: 1, 2: 1, 1: 1}
    assert len(syncing.find_out_of_sync(db.session, company.id)) == backlog.stuck
    assert backlog.since == db.session.get_one(Contact, behind[0].id).classified_at
