import json
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal.clock import utcnow
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Company, Delivery
from portal.working_models import WorkerHeartbeat
from tests.cli.conftest import Run
from tests.conftest import running_worker
from tests.factories import make_company, make_contact, make_delivery, send_test, set_url

URL = "http://127.0.0.1:9999/"


@pytest.fixture
def delivery(app: Flask) -> Delivery:
    return make_delivery(make_contact(make_company(url=URL), name="Mariana Duarte"), level=3)


@pytest.fixture
def delivered(app: Flask, receiver: Receiver) -> Delivery:
    delivery = make_delivery(make_contact(make_company(url=receiver.url)), level=3)
    with running_worker(app):
        assert receiver.wait_for(1)
    db.session.refresh(delivery, ["status", "stored_body"])
    assert delivery.status == "delivered"
    db.session.expunge(delivery)
    db.session.rollback()  # an open transaction would keep the command from writing
    return delivery


def test_list_has_a_line_for_each_delivery(delivery: Delivery, run: Run) -> None:
    result = run("deliveries", "list")
    assert result.exit_code == 0
    [line] = result.stdout.splitlines()
    assert line.startswith(delivery.webhook_id)
    assert "pending" in line
    assert "- -> 3" in line
    assert line.endswith("Mariana Duarte")


def test_list_says_that_no_worker_is_there_and_promises_no_moment(delivery: Delivery, run: Run) -> None:
    delivery.attempt_count, delivery.next_attempt_at = 1, utcnow() - timedelta(minutes=1)
    db.session.commit()
    result = run("deliveries", "list")
    assert result.stdout.endswith("  (due: no worker has taken it yet)\n")
    assert "No worker is alive" in result.stderr
    assert "No worker is alive" in run("deliveries", "show", delivery.webhook_id).stderr
    db.session.add(WorkerHeartbeat(worker="w", seen_at=utcnow()))
    delivery.next_attempt_at = utcnow() + timedelta(minutes=5)
    db.session.commit()
    result = run("deliveries", "list")
    assert ("(next try: " in result.stdout, result.stderr) == (True, "")


def test_nothing_is_said_of_workers_where_nothing_waits(delivery: Delivery, run: Run) -> None:
    delivery.status = "cancelled"
    db.session.commit()
    assert run("deliveries", "list").stderr == ""


def test_a_test_is_marked_in_the_list(delivery: Delivery, run: Run) -> None:
    test = send_test(db.session.query(Company).one())
    db.session.commit()
    first, second = run("deliveries", "list").stdout.splitlines()
    assert (test.webhook_id in first, "(test)" in first, "(test)" in second) == (True, True, False)


def test_list_says_which_number_no_contact_has(delivery: Delivery, run: Run) -> None:
    result = run("deliveries", "list", "--contact", str(2**63))
    assert result.exit_code == 2
    assert "--contact" in result.stderr


def test_list_as_json_has_the_apis_shape(delivery: Delivery, run: Run) -> None:
    shape = json.loads(run("deliveries", "list", "--json").stdout)
    assert shape["next_cursor"] is None
    [item] = shape["items"]
    assert (item["id"], item["status"], item["interest_level"]) == (delivery.webhook_id, "pending", 3)
    assert item["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("option", "matching", "other"),
    [
        ("--status", "pending", "failed"),
        ("--level", "3", "1"),
        ("--trigger", "classification", "manual"),
        ("--search", "mariana", "joão"),
        ("--since", "2020-01-01", "2190-01-01T12:00"),
        ("--until", "2190-01-01T12:00Z", "2020-01-01"),
        ("--contact", "1", "2"),
    ],
)
def test_list_filters(delivery: Delivery, run: Run, option: str, matching: str, other: str) -> None:
    assert delivery.webhook_id in run("deliveries", "list", option, matching).stdout
    assert run("deliveries", "list", option, other).stdout == ""


def test_list_filters_by_campaign_and_owner_by_name(delivery: Delivery, run: Run) -> None:
    owner = delivery.owner
    assert owner is not None
    email = owner.email
    db.session.rollback()
    assert delivery.webhook_id in run("deliveries", "list", "--campaign", "Geral", "--owner", email).stdout
    result = run("deliveries", "list", "--campaign", "Outra")
    assert result.exit_code == 2
    assert "'Outra'" in result.stderr
    assert run("deliveries", "list", "--owner", "x@x.example").exit_code == 2


def test_list_goes_on_with_a_cursor(app: Flask, run: Run) -> None:
    company = make_company(url=URL)
    made = [make_delivery(make_contact(company)).webhook_id for _ in range(3)]
    db.session.rollback()
    first = json.loads(run("deliveries", "list", "--json", "--limit", 2).stdout)
    assert [item["id"] for item in first["items"]] == made[:0:-1]
    rest = json.loads(run("deliveries", "list", "--json", "--cursor", first["next_cursor"]).stdout)
    assert [item["id"] for item in rest["items"]] == made[:1]


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--since", "yesterday", 2),
        ("--cursor", "nonsense", 1),
        ("--limit", "0", 2),
        ("--reason", "bad", 2),
        ("--campaign", "", 2),
        ("--owner", "99", 2),
        ("--search", "", 2),
    ],
)
def test_list_says_what_it_cannot_read(delivery: Delivery, run: Run, option: str, value: str, code: int) -> None:
    result = run("deliveries", "list", option, value)
    assert result.exit_code == code
    assert "Error: " in result.stderr


def test_show_tells_every_try(delivered: Delivery, run: Run) -> None:
    result = run("deliveries", "show", delivered.webhook_id)
    assert result.exit_code == 0
    assert "Try 1, classification" in result.stdout
    assert "answered 200" in result.stdout


def test_show_as_json_has_the_exact_body(delivered: Delivery, run: Run) -> None:
    shape = json.loads(run("deliveries", "show", "--json", delivered.webhook_id).stdout)
    assert shape["body"].encode() == delivered.body
    assert shape["attempts"][0]["reason"] == "ok_text"


def test_show_of_an_unknown_delivery_is_one_sentence(delivery: Delivery, run: Run) -> None:
    result = run("deliveries", "show", "msg_none")
    assert (result.exit_code, result.stderr) == (1, "Error: Vendas Exemplo has no delivery 'msg_none'.\n")


def test_show_knows_no_delivery_of_another_company(delivery: Delivery, run: Run) -> None:
    make_company("Outra")
    assert run("deliveries", "show", delivery.webhook_id, "--company", "Outra").exit_code == 1


def test_resend_asks_before_it_sends_a_duplicate(delivered: Delivery, run: Run) -> None:
    result = run("deliveries", "resend", delivered.webhook_id, stdin="n\n")
    assert result.exit_code == 1
    assert db.session.scalars(select(Delivery.status)).one() == "delivered"


def test_resend_makes_the_delivery_due_again(app: Flask, delivered: Delivery, run: Run, receiver: Receiver) -> None:
    result = run("deliveries", "resend", "--yes", delivered.webhook_id)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{delivered.webhook_id}: Asked to be sent again. ")
    with running_worker(app):
        assert receiver.wait_for(2)
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_resend_of_what_is_due_changes_nothing(delivery: Delivery, run: Run) -> None:
    result = run("deliveries", "resend", delivery.webhook_id)
    assert result.exit_code == 1
    assert "nothing was repeated" in result.stderr


def test_resend_of_a_test_is_refused(app: Flask, run: Run, receiver: Receiver) -> None:
    make_company(url=receiver.url)
    run("webhook", "test")
    [item] = json.loads(run("deliveries", "list", "--json").stdout)["items"]
    result = run("deliveries", "resend", item["id"])
    assert result.exit_code == 1
    assert result.stderr == "Error: A test delivery is not sent again; make a new test.\n"


@pytest.fixture
def failed(delivery: Delivery) -> Delivery:
    delivery.status, delivery.next_attempt_at, delivery.attempt_count = "failed", None, 1
    db.session.commit()
    return delivery


def test_resend_by_filter_counts_first(failed: Delivery, run: Run) -> None:
    assert (
        run("deliveries", "resend", "--status", "failed", "--dry-run").stdout == "1 deliveries would be sent again.\n"
    )
    counted = run("deliveries", "resend", "--since", "2001-01-01", "--dry-run", "--json")
    assert json.loads(counted.stdout) == {"count": 1, "left_out": {"delivered": 0, "older": 0, "maybe_received": 0}}
    assert json.loads(run("deliveries", "resend", "--level", "1", "--dry-run", "--json").stdout)["count"] == 0
    assert run("deliveries", "resend", "--status", "failed", stdin="n\n").exit_code == 1
    db.session.rollback()
    assert db.session.scalars(select(Delivery.status)).one() == "failed"


def test_resend_by_filter_is_a_job(app: Flask, failed: Delivery, run: Run, receiver: Receiver) -> None:
    set_url(db.session.get_one(Company, failed.company_id), receiver.url)
    job = json.loads(run("deliveries", "resend", "--status", "failed", "--yes", "--json").stdout)
    assert (job["kind"], job["status"], job["total"]) == ("resend", "waiting", 1)
    with running_worker(app):
        assert receiver.wait_for(1)
    assert receiver.received[0].headers["webhook-id"] == failed.webhook_id


def test_resend_by_filter_leaves_out_what_the_crm_has(delivered: Delivery, run: Run) -> None:
    def count(*options: str) -> int:
        return json.loads(run("deliveries", "resend", "--dry-run", "--json", *options).stdout)["count"]

    assert count("--trigger", "classification") == 0
    assert count("--trigger", "classification", "--include", "delivered") == 1
    assert count("--status", "delivered") == 1


@pytest.mark.parametrize("options", [[], ["msg_1", "--status", "failed"]])
def test_resend_takes_either_ids_or_a_filter(delivery: Delivery, run: Run, options: list[str]) -> None:
    result = run("deliveries", "resend", *options)
    assert (result.exit_code, "either ids of deliveries or a filter" in result.stderr) == (2, True)
