"""Each act on where a company sends is written down once, with what it was about; what is so already is not."""

import pytest
from flask import Flask

from portal.audit import Actor
from portal.company import chat, crm_link, endpoint, inspector
from portal.company.header import FixedHeader, HeaderChoice
from portal.database.db import db
from portal.models import AuditEntry, Company, Contact
from portal.runtime import runtime
from tests.factories import make_company, make_contact

IP, HERE, THERE = "192.0.2.7", "http://127.0.0.1:9999/a", "http://127.0.0.1:9999/b"
CHECKED = "webhook.address_checked"


@pytest.fixture
def company(app: Flask) -> Company:
    return make_company()


@pytest.fixture
def actor(company: Company) -> Actor:
    return Actor(company.id, "dora@x.example", IP)


def set_address(actor: Actor, url: str, *, header: HeaderChoice = "saved", other_crm: bool = False) -> None:
    endpoint.set_address(db.session, runtime(), actor, url, header=header, other_crm=other_crm)
    db.session.commit()


def written(actor: Actor) -> list[tuple[str, str | None]]:
    db.session.commit()
    rows = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert {Actor(row.company_id or 0, row.actor, row.ip) for row in rows} == {actor}
    return [(row.action, row.subject) for row in rows]


def test_acts_on_the_address(company: Company, actor: Actor) -> None:
    told, other = make_contact(company), make_contact(company)
    db.session.get_one(Contact, told.id).delivered_level = 3
    db.session.commit()
    assert other.delivered_level is None
    for _ in range(2):
        set_address(actor, HERE, header=FixedHeader("X-Key", "geheim"))
    set_address(actor, THERE, header=None)
    set_address(actor, THERE, other_crm=True)
    for _ in range(2):
        endpoint.pause(db.session, actor)
    for _ in range(2):
        endpoint.remove_address(db.session, actor)
    assert written(actor) == [
        (CHECKED, HERE),
        ("webhook.url_set", HERE),
        ("webhook.header_set", "X-Key"),
        (CHECKED, HERE),
        ("webhook.header_set", "X-Key"),
        (CHECKED, THERE),
        ("webhook.url_set", THERE),
        ("webhook.header_removed", "X-Key"),
        (CHECKED, THERE),
        ("webhook.crm_changed", "1"),
        ("webhook.paused", None),
        ("webhook.url_removed", None),
    ]


def test_acts_on_what_belongs_to_it(company: Company, actor: Actor) -> None:
    vault = runtime().vault
    for _ in range(2):
        crm_link.set_link(db.session, actor, "/id", "https://crm.example/{id}")
        inspector.open_inspector(db.session, company, actor)
        db.session.commit()
    chat.set_chat(db.session, runtime(), actor, f"{HERE}?key=geheim")
    db.session.commit()
    assert chat.take_trial(db.session, actor) is not None
    endpoint.show_secret(db.session, actor, vault=vault)
    endpoint.rotate_secret(db.session, actor, vault=vault)
    for _ in range(2):
        crm_link.remove_link(db.session, actor)
        inspector.close_inspector(db.session, company, actor)
        chat.remove_chat(db.session, actor)
    assert written(actor) == [
        ("webhook.link_set", "https://crm.example/{id}"),
        ("inspector.opened", None),
        (CHECKED, "127.0.0.1"),
        ("chat.set", "127.0.0.1"),
        (CHECKED, "127.0.0.1"),
        ("webhook.secret_shown", None),
        ("webhook.secret_rotated", None),
        ("webhook.link_removed", None),
        ("inspector.closed", None),
        ("chat.removed", "127.0.0.1"),
    ]
