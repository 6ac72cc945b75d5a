"""Installations, companies, people and contacts for tests: contacts and deliveries by the portal's own use cases."""

import itertools
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from sqlalchemy import Connection, String, cast, delete, insert, literal, select, text, true
from sqlalchemy.orm import Session

from portal.audit import Actor
from portal.company import endpoint, testing
from portal.company.header import HeaderChoice
from portal.company.testing import TestSend
from portal.config import Settings
from portal.contacts import classifying
from portal.contacts.classifying import classify
from portal.contacts.listing import get_contact
from portal.contacts.saved import Saved
from portal.contacts.saving import save_items
from portal.database.db import db
from portal.egress.address import parse_address
from portal.importing.layout import examine
from portal.importing.order import KIND as IMPORT
from portal.importing.order import Order
from portal.models import Attempt, Company, Contact, Delivery, DeliveryBody, Endpoint, Exchange, Task, User
from portal.outbox.arrivals import note_arrivals
from portal.outbox.queue import store_bodies
from portal.people import users
from portal.people.passwords import hash_password
from portal.rules.reasons import Explanation, Limits, explain_attempt
from portal.runtime import runtime
from portal.tasks import store
from portal.tasks.slices import BLOCK_BYTES, store_input
from portal.webhook import Outcome
from portal.worker.task_runner import TaskRunner

PASSWORD = "correct horse battery staple"
LOOPBACK = "127.0.0.0/8"
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def make_company(name: str = "Vendas Exemplo", *, url: str | None = None) -> Company:
    """A committed company, with its address when one is given, as if nobody had looked whether that may be sent to."""
    company = users.get_or_create_company(db.session, name, vault=runtime().vault)
    if url is not None:
        endpoint_of(company).url = parse_address(url, runtime().egress.policy).url
    db.session.commit()
    return company


def set_url(company: Company, url: str) -> None:
    endpoint.set_address(db.session, runtime(), actor_of(company, "test"), url)
    db.session.commit()


def set_crm_link(company: Company) -> None:
    """The CRM's answers hold the record's id, which its address ends in."""
    place = endpoint_of(company)
    place.link_pointer, place.link_template = "/id", "https://crm.example/{id}"
    db.session.commit()


def actor_of(company: Company, email: str = "ana@example.com") -> Actor:
    return Actor(company.id, email)


def send_test(company: Company, url: str | None = None, *, header: HeaderChoice = "saved") -> TestSend:
    return testing.send_test(db.session, runtime(), actor_of(company), url, header=header)


def resume(company: Company) -> None:
    testing.resume(db.session, runtime(), actor_of(company))
    db.session.commit()


def make_user(company: Company, *, role: str | None = "admin", email: str | None = None, name: str = "Ana") -> User:
    """A committed person, who logs in with PASSWORD where there is a role."""
    email = email or f"user{next(_numbers)}@example.com"
    hashed = hash_password(PASSWORD) if role else None
    user = User(company=company, name=name, email=email, role=role, password_hash=hashed, created_at=NOON)
    db.session.add(user)
    db.session.commit()
    return user


def secret_of(company: Company) -> str:
    """The key that signs what the company sends."""
    return endpoint.read_secret(endpoint_of(company), runtime().vault)


def set_second_factor(user: User, secret: str) -> None:
    user.totp_secret = runtime().vault.seal(secret, purpose="second_factor", company_id=user.company_id)


def second_factor_of(user: User) -> str:
    """The secret that the user's app holds."""
    return runtime().vault.open(user.totp_secret, purpose="second_factor", company_id=user.company_id)


def owner_of(company: Company) -> User:
    found = db.session.query(User).filter_by(company_id=company.id).first()
    return found or make_user(company, role=None, name="Dono")


def make_contact(company: Company, **facts: Any) -> Contact:
    number = next(_numbers)
    return save(company, {"contact": {"name": f"Contato {number}", "linkedin_public_id": f"contato-{number}"} | facts})


def save(company: Company, item: dict[str, Any]) -> Contact:
    """A committed contact from an object in the body's shape."""
    (saved,) = save_many(company, [item])
    return commit_contact(company.id, saved.contact_id)


def save_many(company: Company, items: list[dict[str, Any]]) -> list[Saved]:
    """Contacts from objects in the body's shape, not yet committed."""
    return save_items(db.session, actor_of(company), items, default_owner=owner_of(company))


def commit_contact(company_id: int, contact_id: int) -> Contact:
    """The contact with all that is read of it, so that no test begins a transaction by looking at it."""
    contact = get_contact(db.session, company_id, contact_id)
    list(contact.messages)
    db.session.commit()
    return contact


def classify_contact(contact: Contact, level: int | None) -> Saved:
    saved = classify(db.session, Actor(contact.company_id, "ana@example.com"), contact.id, level)
    commit_contact(contact.company_id, contact.id)
    return saved


def make_delivery(contact: Contact, level: int = 2) -> Delivery:
    """A classification's delivery, pending and due."""
    saved = classify_contact(contact, level)
    assert saved.sent, "the company has no address, or the level is the same"
    delivery = db.session.query(Delivery).filter_by(webhook_id=saved.delivery_id).one()
    db.session.commit()
    return delivery


def insert_deliveries(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of the outbox as they are, each with its body."""
    names = set(Delivery.__table__.c.keys())
    connection.execute(insert(Delivery), [{name: row[name] for name in row.keys() & names} for row in rows])
    store_bodies(connection, rows)


def repeat_delivery(connection: Connection, webhook_id: str, times: int) -> None:
    """So many more rows like that one, and bodies: the database makes them, which is quicker than to send it each."""
    number = select(literal(1).label("i")).cte("number", recursive=True)
    number = number.union_all(select(number.c.i + 1).where(number.c.i < times))
    made = [column for column in Delivery.__table__.c if column.name not in ("id", "webhook_id")]
    new_id = literal(f"{webhook_id}_") + cast(number.c.i, String)
    rows = select(new_id, *made).join_from(Delivery, number, true()).where(Delivery.webhook_id == webhook_id)
    connection.execute(insert(Delivery).from_select(["webhook_id", *made], rows))
    if connection.dialect.name == "postgresql":
        # Else the foreign key's check may keep the plan of a small table, and read all of it for each body.
        connection.execute(text("ANALYZE delivery"))
    first = select(DeliveryBody.content).join(Delivery).where(Delivery.webhook_id == webhook_id).scalar_subquery()
    bodies = select(Delivery.id, first).where(Delivery.webhook_id.startswith(f"{webhook_id}_", autoescape=True))
    connection.execute(insert(DeliveryBody).from_select(["delivery_id", "content"], bodies))


def forget_body(delivery: Delivery) -> None:
    """As if its retention were over. The caller commits."""
    db.session.execute(delete(DeliveryBody).where(DeliveryBody.delivery_id == delivery.id))
    delivery.has_body = False
    db.session.expire(delivery, ["stored_body"])


def attempt_of(delivery: Delivery | None = None, **facts: Any) -> Attempt:
    """An attempt, not yet in the database, with what was said at it where `facts` tell that."""
    said = {name: facts.pop(name) for name in Exchange.__table__.c.keys() & facts.keys()}
    exchange = Exchange(**{"request_headers": [], "response_headers": []} | said) if said else None
    return Attempt(delivery_id=delivery.id if delivery else None, exchange=exchange, **facts)


def mark_delivered(delivery: Delivery, *, warning: str | None = None, at: datetime | None = None) -> Delivery:
    """As if the CRM had taken it, then or at once."""
    delivery.status, delivery.reason, delivery.delivered_at = "delivered", "ok_empty", at or delivery.created_at
    delivery.next_attempt_at, delivery.contact.delivered_level = None, delivery.interest_level
    delivery.contact.delivered_frozen_at = delivery.created_at
    delivery.warning = delivery.contact.delivered_warning = warning
    db.session.flush()
    note_arrivals(db.session.connection(), [delivery.contact.id])
    db.session.commit()
    return delivery


def make_import(company: Company, content: bytes = b"Nome,E-mail\nAna,ana@example.com\n", **choices: Any) -> Task:
    """A file that was sent and examined, and waits to be started."""
    found = examine(lambda: iter([content]))
    order = Order.of(found, **{"user_id": owner_of(company).id, "filename": "contatos.csv"} | choices)
    blocks = [content[start : start + BLOCK_BYTES] for start in range(0, len(content), BLOCK_BYTES)]
    task = store.create(db.session, actor_of(company), IMPORT, total=found.total, arguments=order.as_json())
    store_input(db.session, task.id, blocks)
    db.session.commit()
    return task


def make_bulk_classification(contact: Contact, level: int | None = 3) -> Task:
    """A classification of many that waits for a worker."""
    task = classifying.prepare(db.session, Actor(contact.company_id, contact.owner.email), [contact.id], level)
    db.session.commit()
    return task


def run_tasks() -> None:
    """Does every task that waits, as a worker does, and leaves no transaction open."""
    db.session.commit()
    runner = TaskRunner(db.engine, on_due=lambda: None)
    while runner.run_one():
        pass
    db.session.expire_all()


def do_tasks() -> Task:
    """The same. Returns the newest task."""
    run_tasks()
    return db.session.query(Task).order_by(Task.id.desc()).first()


def endpoint_of(company: Company) -> Endpoint:
    return endpoint.get_endpoint(db.session, company.id)


@contextmanager
def session_of(app: Flask):
    with app.app_context(), Session(db.engine) as session:
        yield session


def settings_for(instance: Any, **values: Any) -> Settings:
    defaults = {
        "instance": instance,
        "database_url": f"sqlite:///{instance / 'portal.db'}",
        "secret_key": "k" * 48,
    }
    return Settings(**(defaults | values))


def explain(reason: str, limits: Limits | None = None, **facts: Any) -> Explanation:
    """What is said of an attempt that ended so."""
    outcome = Outcome(started_at=NOON, duration_ms=None, url="https://crm.example.com/", reason=reason, **facts)
    return explain_attempt(outcome, limits or Limits())
