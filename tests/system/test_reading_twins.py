"""What is read of a company stays what it was when another is made that has the same: no question forgets whose."""

import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import ClauseElement, Row, insert
from sqlalchemy import inspect as inspect_row

from portal import audit, contacts, deliveries, importing, notices, outbox, people, privacy, report, tasks
from portal import company as company_room
from portal.audit import Actor, AuditFilter
from portal.contacts.filtering import ContactFilter
from portal.database.db import db
from portal.database.tables import Base
from portal.deliveries.filtering import DeliveryFilter
from portal.models import Delivery
from portal.report import ReportFilter
from portal.tasks import store
from portal.working_models import Chat, HeldDelivery, InspectedRequest, Outage
from tests.factories import NOON, attempt_of, make_contact, make_delivery, make_user
from tests.system.test_twins import make_twin

ROOMS = (audit, company_room, contacts, deliveries, importing, notices, outbox, people, privacy, report, tasks)
NOW = datetime.now(UTC)
LONG_AGO, SOON = NOW - timedelta(days=9), NOW + timedelta(days=9)
NUMBERS = range(1, 20)
NO_READING = (
    *("forget_records", "clear", "forget", "forget_facts", "forget_said", "cancel_waiting", "hold_company", "enqueue"),
    *("lock_endpoint", "lock_configured", "remember", "mark_changed", "resend_many", "require_address", "keep"),
    *("select_deliveries", "look_through", "take"),
)
"""They write, hold, or make a question that others ask."""
ASKED_ELSEWHERE = (
    *("read_filter", "read_target", "campaign_id_of", "owner_id_of", "import_id_of", "outage_id_of", "read_reached"),
    *("preview", "row_reader", "recall", "find_earlier", "crm_addresses_of", "turn_of"),
)
"""What they are asked takes more than a number or a filter."""
EACH = {
    "contact_id": NUMBERS,
    "campaign_id": NUMBERS,
    "user_id": NUMBERS,
    "token_id": NUMBERS,
    "task_id": NUMBERS,
    "import_id": NUMBERS,
    "name": ("Feira", "Igual", "x"),
    "email": ("dona@x.test", "ana@example.com"),
}
"""Asked one by one: those of a twin are nobody's."""
ONCE = {
    "ids": NUMBERS,
    "after_ids": NUMBERS,
    "import_ids": NUMBERS,
    "starts": [LONG_AGO, NOW - timedelta(days=1), SOON],
    "since": LONG_AGO,
    "until": SOON,
    "now": NOW,
    "zone": ZoneInfo("UTC"),
    "risks": (None, "delivered", "older"),
    "newest_id": None,
    "than_id": 0,
    "count": 1,
    "state": "never_sent",
    "most": 50,
    "lowest": 0,
    "kinds": ("import", "purge", "closing"),
    "kind": "purge",
    "action": "contact.merged",
    "limit": 50,
    "after": None,
}
FEW = range(1, 10)
FOUND: Sequence[dict[str, Any]] = ({}, *({"search": text} for text in ("ana", "example.com", "200", "msg_")))
FILTERS: Mapping[Any, Sequence[Any]] = {
    AuditFilter: [AuditFilter(), AuditFilter(action="contact.merged")],
    ContactFilter: [
        *(ContactFilter(**{name: row_id}) for name in ("campaign_id", "owner_id", "import_id") for row_id in FEW),
        *(ContactFilter(**said) for said in (*FOUND, {"sync": "never_sent"}, {"state": "with_warning"})),
    ],
    DeliveryFilter: [
        *(DeliveryFilter(**{f"{name}_id": row_id}) for name in ("contact", "campaign", "outage") for row_id in FEW),
        *(DeliveryFilter(**said) for said in (*FOUND, {"outstanding": "yes"}, {"outstanding": "warning"})),
        *(DeliveryFilter(**said) for said in ({"contact_ids": tuple(NUMBERS)}, {"since": LONG_AGO, "until": SOON})),
    ],
    ReportFilter: [ReportFilter(since=LONG_AGO, until=SOON, owner_id=owner_id) for owner_id in (None, *FEW)],
}
"""Each is asked for: who looks by the number of a twin's row finds nothing."""


def readings() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every function of the rooms that reads by a company's number."""
    for room in ROOMS:
        folder = getattr(room, "__path__", ())
        names = (found.name for found in pkgutil.iter_modules(folder, f"{room.__name__}.")) if folder else ()
        for module in (room, *map(import_module, names)):
            for name, each in inspect.getmembers(module, inspect.isfunction):
                takes = list(inspect.signature(each).parameters)[:2] == ["session", "company_id"]
                is_own = each.__module__ == module.__name__ and not name.startswith("_")
                if takes and is_own and name not in (*NO_READING, *ASKED_ELSEWHERE):
                    yield f"{module.__name__}.{name}", each


READINGS = dict(readings())


def calls(read: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """The ways in which it is asked: once for each value of a parameter of `EACH`."""
    arguments: dict[str, Any] = {}
    one_by_one: tuple[str, Sequence[Any]] | None = None
    for name, parameter in list(inspect.signature(read, eval_str=True).parameters.items())[2:]:
        if parameter.annotation in FILTERS:
            one_by_one = name, FILTERS[parameter.annotation]
        elif name == "webhook_ids":
            arguments[name] = [row.webhook_id for row in db.session.query(Delivery)]
        elif name == "webhook_id":
            one_by_one = name, [row.webhook_id for row in db.session.query(Delivery).order_by(Delivery.id)]
        elif name in EACH:
            one_by_one = name, EACH[name]
        elif parameter.default is parameter.empty:
            arguments[name] = ONCE[name]
    if one_by_one is None:
        yield arguments
        return
    yield from (arguments | {one_by_one[0]: value} for value in one_by_one[1])


def plain(value: Any) -> Any:
    """A value that can be compared after its session ended: a row is told by its key."""
    if isinstance(value, Base):
        return type(value).__name__, inspect_row(value).identity
    if is_dataclass(value) and not isinstance(value, type):
        return [plain(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | Row):
        return [plain(each) for each in value]
    return str(value.compile(db.engine) if isinstance(value, ClauseElement) else value)


def answers(read: Callable[..., Any], company_id: int) -> list[Any]:
    """What it says, without what says nothing."""
    said = [plain(read(db.session, company_id, **asked)) for asked in calls(read)]
    db.session.rollback()
    return [each for each in said if each not in ("None", [], {})]


def make_whole(name: str) -> int:
    """A twin that has known an outage and a purge, and was answered."""
    company = make_twin(name)
    lasting = Outage(company_id=company.id, began_at=NOON, reason="timeout")
    over = Outage(company_id=company.id, began_at=NOW, ended_at=SOON, reason="timeout", held=3)
    db.session.add_all((lasting, over))
    purge = store.create(db.session, Actor(company.id, "ana@example.com"), "purge")
    ended = store.create(db.session, Actor(company.id, "ana@example.com"), "purge")
    purge.status, ended.status, ended.finished_at = "waiting", "done", NOW
    delivery = make_delivery(make_contact(company), 3)
    make_delivery(make_contact(company), 1)
    db.session.add(attempt_of(delivery, number=1, trigger="classification", started_at=NOW, duration_ms=7,
                              reason="timeout", url="https://crm.example.com/", request_sent=True))  # fmt: skip
    db.session.execute(insert(HeldDelivery).values(outage_id=over.id, delivery_id=delivery.id))
    make_user(company, email="dona@x.test", role=None)
    body = {"headers": [], "body": b"{}", "size": 2, "signature": "valid", "received_at": NOW}
    db.session.add(InspectedRequest(company_id=company.id, **body))
    db.session.add(Chat(company_id=company.id, address_secret="", host="x.test", notified_state="active"))
    make_contact(company, name="Duas Vezes", linkedin_public_id="um", email="duas@x.test")
    make_contact(company, name="Duas Vezes", linkedin_public_id="dois", email="duas@x.test")
    lost = make_delivery(make_contact(company), 2)
    lost.status, lost.next_attempt_at, lost.reason = "failed", None, "timeout"
    db.session.commit()
    return company.id


def test_what_is_read_of_a_company_is_its_own(app: Flask) -> None:
    first = make_whole("Age")
    before = {name: answers(read, first) for name, read in READINGS.items()}
    make_whole("Igual")
    after = {name: answers(read, first) for name, read in READINGS.items()}
    assert {name: (before[name], said) for name, said in after.items() if said != before[name]} == {}
    assert {name for name, said in before.items() if not said} == {"portal.deliveries.first_steps.first_steps"}
