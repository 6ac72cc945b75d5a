import json
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.database.db import db
from portal.models import Classification, Contact, Delivery
from portal.outbox.bell import make_ear
from tests.cli.conftest import Run
from tests.factories import classify_contact, make_company, make_contact

URL = "http://127.0.0.1:9999/"


def test_classify_makes_a_delivery(app: Flask, run: Run) -> None:
    contact = make_contact(make_company(url=URL))
    result = run("classify", contact.id, 3)
    assert result.exit_code == 0
    delivery = db.session.scalars(select(Delivery)).one()
    assert result.stdout == f"Contact {contact.id}: none -> 3.\nDelivery {delivery.webhook_id} is queued.\n"
    assert (delivery.actor, delivery.interest_level) == ("console", 3)


def test_a_program_gets_the_number_of_the_delivery(app: Flask, run: Run) -> None:
    contact_id = make_contact(make_company(url=URL)).id
    told = json.loads(run("classify", contact_id, 3, "--json").stdout)
    assert told == {"contact_id": contact_id, "delivery_id": db.session.scalars(select(Delivery.webhook_id)).one()}
    db.session.rollback()
    assert json.loads(run("classify", contact_id, 3, "--json").stdout) == told | {"delivery_id": None}


def test_classify_wakes_a_worker_that_runs(app: Flask, run: Run, instance: Path) -> None:
    contact = make_contact(make_company(url=URL))
    ear = make_ear(db.engine, instance)
    try:
        run("classify", contact.id, 1)
        assert ear.wait(timeout=1.0)
    finally:
        ear.close()


@pytest.mark.parametrize(
    ("url", "before", "level", "sentence"),
    [
        (URL, 2, "2", "It was so already: nothing is sent."),
        (URL, 2, "none", "A level was removed: nothing is sent."),
        (None, None, "2", "The company has no webhook address: nothing is sent."),
    ],
)
def test_classify_says_why_nothing_is_sent(
    app: Flask, run: Run, url: str | None, before: int | None, level: str, sentence: str
) -> None:
    contact = make_contact(make_company(url=url))
    classify_contact(contact, before)
    db.session.execute(Delivery.__table__.delete())
    db.session.commit()
    result = run("classify", contact.id, level)
    assert result.exit_code == 0
    assert result.stdout.endswith(sentence + "\n")
    assert not db.session.scalars(select(Delivery)).all()


def test_classify_refuses_an_unknown_level(run: Run) -> None:
    assert run("classify", 1, 4).exit_code == 2


def test_classify_refuses_an_unknown_contact(app: Flask, run: Run) -> None:
    result = run("classify", 77, 1)
    assert (result.exit_code, result.stderr) == (1, "Error: There is no contact 77.\n")
    assert not db.session.scalars(select(Classification)).all()
    assert not db.session.scalars(select(Contact)).all()
