"""By API: whether the receiver has a contact's old data, sending the current data, and merging two contacts."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.audit import Actor
from portal.company import endpoint
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import AuditEntry, Contact, Delivery
from tests import factories
from tests.api.conftest import Caller, check_problem, field_errors

OpenDatabase = Callable[[], Any]


@pytest.fixture
def told(api: Caller, hook: Receiver, contact_id: int, open_database: OpenDatabase) -> int:
    """A contact of whom the receiver knows everything."""
    with open_database():
        factories.mark_delivered(factories.make_delivery(db.session.get_one(Contact, contact_id), 2))
    return contact_id


def change(api: Caller, contact_id: int, **facts: Any) -> None:
    assert api.post("/contacts", {"contact": {"id": contact_id, "role": "Sócia"} | facts}).status_code == 200


def test_data_changed_stands_beside_sync_and_filters(api: Caller, told: int) -> None:
    facts = ("sync", "data_changed")
    assert [api.get(f"/contacts/{told}").json[name] for name in facts] == ["in_sync", False]
    change(api, told)
    assert [api.get(f"/contacts/{told}").json[name] for name in facts] == ["in_sync", True]
    for query, found in (
        ("data_changed=true", 1),
        ("data_changed=false", 0),
        ("sync=in_sync", 1),
        ("state=in_sync", 0),
    ):
        assert len(api.get(f"/contacts?{query}").json["items"]) == found, query
    check_problem(api.get("/contacts?data_changed=yes"), 422, "invalid_fields")


def test_a_member_sends_the_data_of_now_once(
    member: Caller, api: Caller, told: int, open_database: OpenDatabase
) -> None:
    change(api, told)
    answers = [member.post(f"/contacts/{told}/sync").json for _ in range(2)]
    assert [each["contact_id"] for each in answers] == [told, told]
    assert answers[1]["delivery_id"] is None
    with open_database():
        delivery = db.session.query(Delivery).filter_by(webhook_id=answers[0]["delivery_id"]).one()
        assert (delivery.trigger, delivery.interest_level) == ("sync", 2)
        entries = db.session.query(AuditEntry).filter_by(action="contact.sent")
        assert [(row.actor, row.subject) for row in entries] == [(member.email, str(told))]


def test_the_data_of_now_of_all_that_match_are_counted_and_sent_as_a_job(
    api: Caller, told: int, open_database: OpenDatabase
) -> None:
    change(api, told)
    everybody, nobody = {"filter": {"data_changed": "true"}}, {"filter": {"level": "3"}}
    for given, count in ((everybody, 1), (nobody, 0)):
        assert api.post("/contacts/sync", given | {"dry_run": True}).json == {"count": count}
    jobs = [api.post("/contacts/sync", given).json for given in (everybody, everybody, nobody)]
    assert [(job["kind"], job["total"], job["status"]) for job in jobs] == [
        ("send_current", 1, "waiting"),
        ("send_current", 1, "waiting"),
        ("send_current", 0, "done"),
    ]
    with open_database():
        factories.do_tasks()
    assert [api.get(f"/jobs/{job['id']}").json["counts"] for job in jobs] == [{"sent": 1}, {"unchanged": 1}, {}]
    for given in ({"import": "1"}, {"import": 99}, {"campaign": "Oeste"}):
        problem = check_problem(api.post("/contacts/sync", {"filter": given}), 422, "invalid_fields")
        assert list(field_errors(problem)) == [f"filter.{name}" for name in given]
    with open_database():
        endpoint.remove_address(db.session, Actor(api.company_id, api.email))
        db.session.commit()
    check_problem(api.post("/contacts/sync", everybody), 409, "webhook_unset")


def test_without_a_level_or_an_address_nothing_is_sent(api: Caller, contact_id: int) -> None:
    problem = check_problem(api.post(f"/contacts/{contact_id}/sync"), 409, "no_level")
    assert "level" in problem["detail"] or "nível" in problem["detail"]
    api.put(f"/contacts/{contact_id}/interest-level", {"interest_level": 2})
    check_problem(api.post(f"/contacts/{contact_id}/sync"), 409, "webhook_unset")


def test_another_companys_contacts_are_neither_sent_nor_merged(stranger: Caller, api: Caller, told: int) -> None:
    check_problem(stranger.post(f"/contacts/{told}/sync"), 404, "not_found")
    own = stranger.post("/contacts", {"contact": {"name": "Rui"}}).json["results"][0]["id"]
    check_problem(stranger.post(f"/contacts/{told}/merge", {"contact_id": own}), 404, "not_found")
    check_problem(stranger.post(f"/contacts/{own}/merge", {"contact_id": told}), 404, "not_found")


def test_two_contacts_are_merged(api: Caller, told: int) -> None:
    other = {"contact": {"name": "Maria", "email": "maria@example.com", "interest_level": 1}}
    other_id = api.post("/contacts", other).json["results"][0]["id"]
    answer = api.post(f"/contacts/{told}/merge", {"contact_id": other_id})
    assert answer.status_code == 200
    assert answer.json == api.get(f"/contacts/{told}").json
    facts = answer.json["contact"]
    assert (facts["id"], facts["interest_level"], facts["email"]) == (told, 2, "maria@example.com")
    check_problem(api.get(f"/contacts/{other_id}"), 404, "not_found")
    assert len(api.get(f"/deliveries?contact_id={told}").json["items"]) == 2


def test_a_contact_is_not_merged_with_itself(api: Caller, told: int) -> None:
    check_problem(api.post(f"/contacts/{told}/merge", {"contact_id": told}), 409, "same_contact")
    problem = check_problem(api.post(f"/contacts/{told}/merge", {}), 422, "invalid_fields")
    assert field_errors(problem) == {"contact_id": "required"}
