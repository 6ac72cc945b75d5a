"""A company of which everything is known, at one moment, and how its pages are written down: what they say and lead to.

What is written down stands in tests/data/written. After a change of what pages show,
`WRITE=1 python -m pytest tests/*/test_written*.py` writes it anew: read the difference.
"""

import os
import re
from datetime import timedelta
from difflib import unified_diff
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import time_machine
from sqlalchemy import select
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from portal import clock
from portal.company import inspector
from portal.contacts import assigning, syncing
from portal.contacts.assigning import Target
from portal.database.db import db
from portal.importing import rehearsal
from portal.models import Company, Contact, Delivery, Task, User
from portal.people import tokens
from portal.runtime import runtime
from portal.tasks import store
from portal.working_models import HeldDelivery, Outage
from tests.conftest import URL
from tests.factories import (
    NOON,
    actor_of,
    attempt_of,
    do_tasks,
    forget_body,
    make_bulk_classification,
    make_company,
    make_delivery,
    make_import,
    make_user,
    mark_delivered,
    save,
    set_crm_link,
)

SECRET = re.compile(
    r"hash|secret|token|sealed|header_value|response_body|^content$|duration|inspector_|lease|mark$|lookup"
)
"""Columns whose values are made by chance, or sealed."""
FOLDER = Path(__file__).parent.parent / "data" / "written"
VARIES = [
    (re.compile(r"msg_\w+"), "msg_*"),
    (re.compile(r"/static/\w+/"), "/static/*/"),
    (re.compile(r"whsec_\S+?(?=[\"'\s<&]|$)"), "whsec_*"),
    (re.compile(r"(/(?:invitation|reset|setup|inspector|account/email)/)[\w-]{20,}"), r"\1*"),
    (re.compile(r"\bcat_[\w-]+"), "cat_*"),
    (re.compile(r"(secret=|\b)[A-Z2-7]{32}\b"), r"\1*"),
    (re.compile(r"\b(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}\b"), "*"),
    (re.compile(r"(Catacliente-Portal/)[\d.]+"), r"\1*"),
    (re.compile(r'("duration_ms": )\d+'), r"\1*"),
    (re.compile(r"v1,[\w+/]{43}="), "v1,*"),
]
"""What is made by chance, and differs each time."""
KEPT = (
    *("href", "action", "method", "name", "value", "type", "title", "datetime", "placeholder", "for", "lang", "role"),
    *("min", "max", "minlength", "maxlength", "autocomplete", "inputmode", "enctype", "accept", "list", "download"),
    *("checked", "selected", "disabled", "required", "readonly", "autofocus", "open", "multiple", "formaction"),
)
"""What of a tag says or does something, beside what begins with `aria-`, `data-` and `hx-`."""
SILENT = {"svg", "script", "style", "head", "datalist"}
EMPTY = {"input", "br", "hr", "img", "meta", "link", "path", "use", "wbr", "col"}


class Reader(HTMLParser):
    """The lines of a page: its texts, and of each tag what it says or does."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._silent: list[str] = []
        self._opens = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT or self._silent:
            if tag not in EMPTY:
                self._silent.append(tag)
            return
        said = [
            name if value is None else f"{name}={value}"
            for name, value in attrs
            if (name in KEPT or name.startswith(("aria-", "data-", "hx-")) or (value or "").endswith("-error"))
            and ("name", "csrf_token") not in attrs
        ]
        if said:
            self.lines.append(f"<{tag} {' '.join(said)}>")
            self._opens = True

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if words and not self._silent:
            self.lines[len(self.lines) - self._opens :] = [f"{self.lines[-1]} {words}" if self._opens else words]
            self._opens = False


def varied(text: str) -> str:
    """The text without what differs each time."""
    for pattern, instead in VARIES:
        text = pattern.sub(instead, text)
    return text


def lines_of(answer: TestResponse, *, whole: bool = False) -> list[str]:
    """What an answer says: of a page the part of its own, unless `whole`."""
    text = varied(answer.get_data(as_text=True))
    if answer.mimetype != "text/html":
        return text.splitlines()
    if not whole and "<main" in text:
        text = f"<main{text.partition('<main')[2].partition('</main>')[0]}"
    reader = Reader()
    reader.feed(text)
    return reader.lines


def check(name: str, parts: dict[str, list[str]]) -> None:
    """Whether the parts are as the file of that name says, or write it."""
    path = FOLDER / f"{name}.txt"
    found = "".join(f"## {title}\n" + "".join(f"{line}\n" for line in lines) for title, lines in parts.items())
    if os.environ.get("WRITE"):
        path.write_text(found)
    difference = [*unified_diff(path.read_text().split("\n"), found.split("\n"), "written", "found", lineterm="", n=2)]
    assert not difference, "\n".join([*difference[:60], str(__doc__)])


def rows() -> dict[tuple[str, Any], dict[str, str]]:
    """Every row of the database, by its table and key."""
    found = {}
    for table in db.metadata.sorted_tables:
        keys = [column.name for column in table.primary_key]
        for row in db.session.execute(select(table)).mappings():
            found[table.name, tuple(row[key] for key in keys)] = {key: shown(key, row[key]) for key in row}
    db.session.commit()
    return found


def shown(name: str, value: Any) -> str:
    is_hidden = value is not None and (SECRET.search(name) or isinstance(value, bytes))
    return "*" if is_hidden else str(value)


def changes(before: dict[Any, dict[str, str]], after: dict[Any, dict[str, str]]) -> list[str]:
    """The rows that are new, gone or others, with each value that is."""
    lines = []
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key, {}), after.get(key, {})
        if old != new:
            values = [f"{name}={new[name]}" for name in new if old.get(name, "None") != new[name]]
            lines.append(f"{'~' if old and new else '+' if new else '-'} {key[0]} {key[1]} {' '.join(values)}".strip())
    return [line for each in lines for line in varied(each).replace("\r", "").split("\n")]


def people(company: Company) -> dict[str, User]:
    """One of each kind."""
    found = {
        "admin": make_user(company, role="admin", name="Ana", email="ana@x.test"),
        "member": make_user(company, role="member", name="João", email="joao@x.test"),
        "invited": make_user(company, role="member", name="Caio", email="caio@x.test"),
        "owner": make_user(company, role=None, name="Dona", email="dona@x.test"),
        "gone": make_user(company, role="member", name="Eva", email="eva@x.test"),
    }
    found["invited"].password_hash, found["gone"].disabled_at = None, NOON
    found["member"].timezone = "America/Manaus"
    db.session.commit()
    return found


SAMPLE = {
    "contact": {
        **{"name": "Zoé Lima", "role": "Sócia", "current_company": "Feira & Cia", "location": "Belém"},
        **{"linkedin_public_id": "zoe-lima", "email": "zoe@x.test", "phone": "+55 91 99999-0000"},
        **{"current_company_link": "https://feira.example/", "invite_date": "2026-01-22 12:28:47"},
        **{"accept_date": "2026-01-23 08:00:01", "collect_date": "2026-01-24 09:30:00"},
        "skills": [{"skill": "Vendas", "endorsements": 3}, {"skill": "Metas", "endorsements": 0}],
        "experiences": [{"experience": "Gerente na Outra", "company_link": "https://outra.example/"}],
    },
    "contact_owner": {"email": "joao@x.test", "name": "João"},
    "campaign": {"name": "Feira", "description": "De março"},
    "messages": [
        {"sender_name": "João", "message": "Bom dia", "date": "2026-02-01 10:00:00", "pending_message": 0},
        {"sender_name": "Zoé", "message": "Até logo", "date": None, "pending_message": 1},
    ],
}


def contacts(company: Company) -> list[Contact]:
    """Contacts of two campaigns, two of whom may be one."""
    return [
        save(company, SAMPLE),
        save(company, {"contact": {"name": "Rui", "linkedin_public_id": "rui", "email": "rui@x.test"}}),
        save(company, {"contact": {"name": "Rui Sá", "email": "rui@x.test"}, "campaign": {"name": "Feira"}}),
        save(company, {"contact": {"name": "Íris", "linkedin_public_id": "iris"}, "campaign": {"name": "Feira"}}),
        save(company, {"contact": {"name": "Lia", "linkedin_public_id": "lia"}}),
        save(company, {"contact": {"name": "Nina", "linkedin_public_id": "nina"}}),
        save(company, {"contact": {"name": "Ivo", "linkedin_public_id": "ivo"}}),
    ]


def tried(delivery: Delivery, number: int, **facts: object) -> None:
    moment = clock.utcnow()
    defaults = {"number": number, "trigger": "classification", "actor": "ana@example.com", "started_at": moment}
    defaults |= {"url": URL, "address": "127.0.0.1", "duration_ms": 120 + number, "request_sent": True}
    db.session.add(attempt_of(delivery, **defaults | facts))


SAID = {
    "request_headers": [["Content-Type", "application/json"], ["webhook-id", "msg_1"]],
    "response_headers": [["Content-Type", "application/json"]],
}


def deliveries(made: list[Contact]) -> dict[str, Delivery]:
    """One of every state, with its attempts."""
    zoe, rui, _other, iris, lia, nina, ivo = made
    found = {"delivered": mark_delivered(make_delivery(zoe, 3))}
    tried(found["delivered"], 1, status_code=503, reason="server_error", **SAID, response_body=b"<b>Manutencao</b>")
    tried(found["delivered"], 2, status_code=200, reason="ok_empty", **SAID, response_body=b'{"id": 41}')
    found["warned"] = mark_delivered(make_delivery(rui, 2), warning="error_words")
    tried(found["warned"], 1, status_code=200, reason="ok_empty", warning="error_words", **SAID, response_body=b"Erro")
    found["failed"] = make_delivery(iris, 1)
    found["failed"].status, found["failed"].reason, found["failed"].next_attempt_at = "failed", "client_error", None
    tried(found["failed"], 1, status_code=422, reason="client_error", **SAID, response_body=b'{"error": "email"}')
    found["superseded"], found["pending"] = make_delivery(lia, 1), make_delivery(lia, 3)
    tried(found["pending"], 1, reason="timeout", request_sent=True)
    found["pending"].reason, found["pending"].attempt_count, found["pending"].tries = "timeout", 1, 1
    found["pending"].next_attempt_at = NOON + timedelta(minutes=5)
    found["cancelled"] = make_delivery(nina, 2)
    found["cancelled"].status, found["cancelled"].next_attempt_at = "cancelled", None
    found["purged"] = mark_delivered(make_delivery(ivo, 1))
    forget_body(found["purged"])
    found["purged"].is_purged = True
    db.session.commit()
    return found


FILE = (
    "Nome,Perfil no LinkedIn,E-mail,Cargo,Campanha,Nível de interesse\n"
    "Zoé Lima,zoe-lima,zoe@x.test,=Diretora,Feira,3\nRui,rui,,,Feira,2\nNova,nova,nova@x.test,,,1\n,sem-nome,,,,\n"
)


def jobs(company: Company, made: list[Contact], found: dict[str, User]) -> dict[str, Task]:
    """One of each kind, done, and a file that waits."""
    actor, tasks = actor_of(company, found["admin"].email), {}
    for name, make in {
        "classified": lambda: make_bulk_classification(made[5], 3),
        "assigned": lambda: assigning.prepare(db.session, actor, [made[3].id], Target(owner_id=found["owner"].id)),
        "synced": lambda: syncing.prepare(db.session, actor, [made[0].id]),
        "rehearsed": lambda: rehearsal.queue(db.session, actor, make_import(company, FILE.encode())),
    }.items():
        tasks[name] = make()
        db.session.commit()
        do_tasks()
    tasks["imported"] = make_import(company, FILE.encode(), user_id=found["admin"].id)
    store.start(db.session, tasks["imported"])
    do_tasks()
    tasks["draft"] = make_import(company, b"Nome;E-mail\nAna;ana@y.test\nBia;\n", user_id=found["admin"].id)
    return tasks


def outages(company: Company, delivery: Delivery) -> None:
    facts = {"reason": "server_error", "status_code": 503, "held": 1}
    row = Outage(company_id=company.id, began_at=NOON - timedelta(hours=3), ended_at=NOON - timedelta(hours=1), **facts)
    db.session.add(row)
    db.session.flush()
    db.session.add(HeldDelivery(outage_id=row.id, delivery_id=delivery.id))
    db.session.commit()


def furnish() -> dict[str, str]:
    """The company, with the numbers by which addresses name what it has."""
    with time_machine.travel(NOON - timedelta(days=2), tick=False):
        company = make_company("Ágil Vendas", url=URL)
        found = people(company)
        made = contacts(company)
    with time_machine.travel(NOON - timedelta(hours=4), tick=False):
        set_crm_link(company)
        sent = deliveries(made)
        outages(company, sent["delivered"])
        for user, label in ((found["admin"], "CRM"), (found["member"], "n8n")):
            tokens.create_token(db.session, user, label=label, scope="read" if label == "n8n" else "manage")
        inspector.open_inspector(db.session, company, actor_of(company, "ana@x.test"))
        facts = {"headers": Headers({"webhook-id": "msg_1"}), "body": b'{"a": [1]}', "vault": runtime().vault}
        inspector.take(db.session, company.id, **facts, now=clock.utcnow())
        db.session.commit()
        tasks = jobs(company, made, found)
    return {
        **{name: str(user.id) for name, user in found.items()},
        **{name: str(contact.id) for name, contact in zip(("zoe", "rui", "sa", "iris", "lia"), made, strict=False)},
        **{f"d_{name}": delivery.webhook_id for name, delivery in sent.items()},
        **{f"t_{name}": str(task.id) for name, task in tasks.items()},
        "campaign": str(made[0].campaign_id),
        "company": str(company.id),
        "token": str(db.session.scalars(select(tokens.ApiToken.id).order_by(tokens.ApiToken.id)).first()),
    }
