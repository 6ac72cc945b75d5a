"""What each form does that is sent: where it leads, what is said, and every value in every row that it changes.

tests/data/written holds it; tests/views/written.py says how it is written anew.
"""

import io
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal.database.db import db
from portal.models import User
from tests.factories import NOON, PASSWORD, do_tasks
from tests.views.conftest import Person
from tests.views.written import changes, check, furnish, lines_of, rows, varied

PERSON = "name=Zoé&campaign=Feira&owner=joao@x.test"
ROW = "thread-0-sender_name=Eu&thread-0-message=Oi&thread-0-date=2026-03-01T10:00:00"
HEADER = "header_kind=other&header_name=X-Key"
NEW_PASSWORD = "password=uma frase bem outra"
ACTS = {
    "contacts": [
        "/contacts/new name=Nova&campaign=Outra&owner=ana@x.test&email=arroba",
        "/contacts/new name=&campaign=&owner=ninguem",
        f"/contacts/new name=Rui&linkedin_public_id=rui&campaign=Geral&owner=joao@x.test&{ROW}",
        f"/contacts/{{zoe}}/edit {PERSON}&role=Diretora&phone=1&reply_date=2026-03-02T01:02:03&{ROW}",
        f"/contacts/{{zoe}}/edit {PERSON}&skills=Uma; 3&experiences=Casa&collect_date=ontem",
        "/contacts/{iris}/level level=3",
        "/contacts/{iris}/level level=4",
        "/contacts/{zoe}/level level=none&next=/triage",
        "/contacts/undo contact={zoe}&set_at=2026-03-10T12:00:00Z",
        "/contacts/{rui}/settle",
        "/contacts/{zoe}/send",
        "/contacts/send contact={iris}&contact={rui}",
        "/contacts/classify level=2&contact={iris}&contact={sa}",
        "/contacts/classify/all?level=1&search=rui newest_id=99&level=1",
        "/contacts/assign/ticked owner={admin}&contact={iris}",
        "/contacts/assign?search=rui owner={member}&campaign={campaign}&newest_id=99",
        "/contacts/assign newest_id=99",
        "/triage/{iris} level=1&seen_at=",
        "/triage/{iris} level=2&previous={zoe}",
        "/campaigns/{campaign} name=Geral&description=",
        "/campaigns/{campaign} name=Feira+2&description=Em%20abril",
        "/campaigns/{campaign} name=",
        "/contacts/{rui}/merge other={zoe}",
        "/contacts/{rui}/merge other={sa}",
        "/contacts/{iris}/erase",
    ],
    "deliveries": [
        "/deliveries/{d_warned}/resend",
        "/deliveries/{d_failed}/resend seen_attempts=0",
        "/deliveries/{d_warned}/resend confirmed=yes&seen_attempts=9",
        "/deliveries/{d_warned}/resend confirmed=yes&seen_attempts=0",
        "/deliveries/{d_purged}/resend confirmed=yes",
        "/deliveries/resend?status=cancelled newest_id=99",
        "/deliveries/resend?status=cancelled newest_id=99&risk=older&risk=what",
        "/sync",
        "/sync/contacts?search=rui newest_id=99",
        "/causes cause=server_error&text=Ligar%20para%20a%20TI",
        "/causes cause=server_error&text=",
        "/causes cause=nothing&text=x",
        "/warnings warning=error_words&seen_at=2026-03-10T12:00:00Z",
        "/warnings warning=what",
        "/report/mail every=week",
        "/report/mail every=day",
        "/imports/{t_draft} column-0=name&column-1=email&campaign=Outra&is_sending=yes&makes_owners=yes",
        "/imports/{t_draft} column-0=name&column-1=name&do=start",
        "/imports/{t_draft}/examine separator=,&charset=cp1252",
        "/imports/{t_draft}/check column-0=name&column-1=email&levels=replace&elsewhere=update",
        "/imports/{t_draft}/discard",
        "/imports/{t_imported}/undo",
        "/imports",
        "/imports contatos.csv",
        "/imports nada.csv",
    ],
    "settings": [
        "/webhook url=http://127.0.0.1:9999/novo&header_kind=bearer&header_value=segredo-longo",
        f"/webhook url=http://127.0.0.1:9999/novo&{HEADER}&header_value=v&waiting=cancel&other_crm=yes",
        f"/webhook url=http://127.0.0.1:9999/novo&{HEADER}",
        "/webhook url=http://127.0.0.1:9999/novo&header_kind=basic&header_user=a:b&header_value=c",
        "/webhook url=ftp://127.0.0.1/",
        "/webhook url=",
        "/webhook/test url=http://127.0.0.1:1/&header_kind=saved",
        "/webhook/pause",
        "/webhook url=http://127.0.0.1:9999/novo&header_kind=none",
        "/webhook/resume",
        "/webhook/secret",
        "/webhook/secret rotate=yes",
        "/webhook/remove",
        "/webhook/link pointer=/id&template=https://crm.example/c/{{id}}",
        "/webhook/link pointer=&template=ftp:",
        "/webhook/link remove=yes",
        "/inspector",
        "/inspector/clear",
        "/inspector/close",
        "/notices/test",
        "/notices/chat url=http://127.0.0.1:9999/chat",
        "/notices/chat url=no",
        "/notices/chat/test",
        "/notices/chat/remove",
        "/privacy keep_bodies_days=10&keep_log_days=20&keep_audit_days=30",
        "/privacy keep_bodies_days=30&keep_log_days=20&keep_audit_days=",
        "/company name=Nova&timezone=Recife",
        "/company name=&timezone=Nada",
        f"/company/close name=Outra&current={PASSWORD}",
        "/company/close name=Nova&current=errada",
        f"/company/close name=Nova&current={PASSWORD}",
    ],
    "people": [
        "/account name=Ana Rê&language=en&timezone=Lisboa",
        "/account name=&language=xx&timezone=Nada",
        "/language language=pt_BR",
        "/language language=xx",
        f"/account/password current=errada&{NEW_PASSWORD}",
        f"/account/password current={PASSWORD}&password=curta",
        f"/account/password current={PASSWORD}&{NEW_PASSWORD}",
        "/account/email email=joao@x.test&current=uma frase bem outra",
        "/account/email email=nova@x.test&current=uma frase bem outra",
        "/account/second-factor code=1&current=errada",
        "/account/second-factor/codes current=errada",
        "/account/second-factor/remove current=errada",
        "/team/new name=Lia&email=lia@x.test&role=member",
        "/team/new name=Rui&email=joao@x.test&role=admin",
        "/team/new name=&email=arroba&role=chefe",
        "/team/{invited}/link",
        "/team/{member}/link",
        "/team/{owner}/link",
        "/team/{invited}/email email=outro@x.test",
        "/team/{member}/email email=outro@x.test",
        "/team/{owner}/email email=dono@x.test",
        "/team/{member}/email email=arroba",
        "/team/{member}/role role=admin",
        "/team/{owner}/role role=member",
        "/team/{member}/role role=chefe",
        "/team/{member}/second-factor/remove",
        "/tokens label=Novo&user={member}&scope=classify&last_day=2026-04-01",
        "/tokens label=Novo&user={admin}&scope=read&last_day=2020-01-01",
        "/tokens label=&user={gone}&scope=all",
        "/tokens/{token}/revoke",
        "/team/{member}/disable heir={admin}",
        "/team/{gone}/enable",
        "/team/{invited}/disable",
        "/team/{admin}/disable",
        "/team/{admin}/role role=member",
        "/logout",
    ],
}
"""Address and fields of each form; one after the other, on one company."""
FILE = b"Nome,E-mail\nAna,ana@z.test\n"


def fields_of(typed: str) -> dict[str, Any]:
    if typed.endswith(".csv"):
        return {"file": (io.BytesIO(FILE if typed == "contatos.csv" else b""), typed)}
    fields: dict[str, Any] = {}
    for name, _, value in (part.partition("=") for part in typed.split("&") if part):
        fields.setdefault(name, []).append(value.replace("%20", " ").replace("+", " "))
    return fields


class Clerk:
    """Sends one form after the other, and writes down what came of each."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.rows, self.seen = rows(), set[str]()

    def write(self, path: str, typed: str) -> list[str]:
        answer = self.person.post(path, fields_of(typed))
        do_tasks()
        with self.person.client.session_transaction() as session:
            flashes = session.pop("_flashes", [])
        before, self.rows = self.rows, rows()
        lines = lines_of(answer) if answer.location is None else []
        page = [line for line in lines if line not in self.seen or "-error" in line]
        self.seen.update(page)
        return [
            varied(f"{answer.status_code} {answer.location or ''}").strip(),
            *(f"{tone}: {words}" for tone, words in flashes),
            *page,
            *changes(before, self.rows),
        ]


@pytest.mark.parametrize("name", ACTS)
@time_machine.travel(NOON, tick=False)
def test_what_a_form_does_is_written_down(app: Flask, person: Callable[[User | None], Person], name: str) -> None:
    known = furnish()
    clerk = Clerk(person(db.session.get_one(User, int(known["admin"]))))
    done: dict[str, list[str]] = {}
    for act in ACTS[name]:
        path, _, typed = act.format(**known).partition(" ")
        done[act] = clerk.write(path, typed)
    check(f"acts_{name}", done)
