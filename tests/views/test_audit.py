"""The audit log: every administrative act, told in words, to the company's admins only."""

import ast
import csv
import io
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import time_machine

import portal
from portal import audit, clock
from portal.audit import PAGE_SIZE, Actor
from portal.database.db import db
from portal.models import AuditEntry
from portal.web.audit_words import ACTION_WORDS

PACKAGE = Path(portal.__file__).parent


def record(company, action="webhook.paused", actor="ana@example.com", **facts):
    audit.record(db.session, Actor(company.id, actor, facts.pop("ip", None)), action, **facts)
    db.session.commit()


RECORDING = ("note", "note_once_a_day", "record", "record_by_portal", "record_everywhere", "count")


def actions_in_code() -> set[str]:
    """Every action that some call names."""
    calls = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]
    named = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "action"]
    recording = [call for call in calls if ast.unparse(call.func).split(".")[-1] in RECORDING]
    noted = [argument for call in recording for argument in call.args]
    return {action for node in named + noted for action in actions_of(node)}


def actions_of(node: ast.expr) -> list[str]:
    if isinstance(node, ast.JoinedStr):  # f"{purpose}.issued"
        ending = node.values[-1].value
        return [action for action in ACTION_WORDS if action.endswith(ending)]
    if isinstance(node, ast.IfExp):
        return actions_of(node.body) + actions_of(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and "." in str(node.value) else []


def test_every_action_of_the_code_has_words_and_no_other():
    assert actions_in_code() == set(ACTION_WORDS)


def test_every_action_is_looked_for_by_a_test():
    tests = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))
    assert {action for action in ACTION_WORDS if f'"{action}"' not in tests} == set()


def test_the_log_says_who_did_what_when_and_from_where(admin, company):
    record(company, subject="https://crm.example", ip="192.0.2.7")
    page = admin.get("/audit").text
    for shown in ("Pausou o envio", "ana@example.com", "https://crm.example", "192.0.2.7"):
        assert shown in page


def test_the_log_is_narrowed_by_action_person_and_day(admin, company):
    record(company, "webhook.paused", actor="bia@example.com")
    record(company, "webhook.resumed", actor="console")
    assert rows(admin.get("/audit?action=webhook.paused")) == ["Pausou o envio"]
    assert rows(admin.get("/audit?actor=console")) == ["Retomou o envio"]
    today = clock.utcnow().astimezone().date()
    past = f"/audit?until={today - timedelta(days=2)}"
    assert "Nada encontrado" in admin.get(past).text
    assert len(rows(admin.get(f"/audit?since={today - timedelta(days=2)}"))) == 2


def rows(page) -> list[str]:
    return [part.split("<")[0] for part in page.text.split('<th scope="row">')[1:]]


def test_a_long_log_has_pages(admin, company):
    for number in range(audit.PAGE_SIZE + 1):
        record(company, subject=f"nr-{number}.")
    first = admin.get("/audit").text
    assert "nr-50." in first
    assert "nr-0." not in first
    oldest = db.session.query(AuditEntry).order_by(AuditEntry.id).offset(1).first().id
    assert "nr-0." in admin.get(f"/audit?cursor={oldest}").text


def test_another_company_sees_none_of_it(company, stranger):
    record(company, subject="https://crm.example")
    assert "crm.example" not in stranger.get("/audit").text
    assert "crm.example" not in stranger.get("/audit/audit.csv").text


def test_the_log_comes_as_a_file_without_formulas(admin, company):
    record(company, actor="=cmd()", subject="https://crm.example")
    lines = list(csv.reader(io.StringIO(admin.get("/audit/audit.csv").text.lstrip("\ufeff")), delimiter=";"))
    assert lines[1:][-1][1:5] == ["'=cmd()", "Pausou o envio", "webhook.paused", "https://crm.example"]


def test_downloads_and_refusals_are_in_the_log(admin, member):
    admin.get("/audit/audit.csv")
    member.get("/deliveries.csv")
    member.get("/webhook")
    member.post("/webhook/pause")
    entries = db.session.query(AuditEntry.action, AuditEntry.actor, AuditEntry.subject).order_by(AuditEntry.id).all()
    assert [tuple(entry) for entry in entries] == [
        ("audit.exported", admin.email, None),
        ("deliveries.exported", member.email, None),
        ("access.denied", member.email, "/webhook"),
        ("access.denied", member.email, "/webhook/pause"),
    ]


@pytest.mark.parametrize("asked", ["action=webhook.nonsense", "since=tomorrow", "until=2026-13-01"])
def test_a_filter_that_asks_for_what_does_not_exist_says_so_and_matches_nothing(admin, company, asked):
    record(company)
    page = admin.get(f"/audit?{asked}").text
    assert "O filtro pede algo que não existe" in page
    assert "Nada encontrado" in page
    assert admin.get(f"/audit/audit.csv?{asked}").location == f"/audit?{asked}"
    assert admin.get(f"/audit/audit.csv?{asked}&_method=PUT&_external=1").location == f"/audit?{asked}"


def test_what_is_refused_again_is_counted_and_fills_no_log(admin, member):
    for user_id in range(30):
        member.get(f"/team/{user_id}")
    member.get("/webhook")
    denied = db.session.query(AuditEntry.subject, AuditEntry.times).filter_by(action="access.denied").all()
    assert sorted(tuple(entry) for entry in denied) == [("/team/<int:user_id>", 30), ("/webhook", 1)]
    assert "(30 vezes)" in admin.get("/audit").text
    assert ";30\r\n" in admin.get("/audit/audit.csv").text


def test_what_was_done_again_at_once_is_one_row_with_its_first_time(admin, company):
    with time_machine.travel("2026-03-10 12:00Z", tick=False) as traveller:
        for subject in ("https://a.example", "https://a.example", "https://b.example", "https://a.example"):
            record(company, "webhook.address_checked", subject=subject, ip="192.0.2.7")
            traveller.shift(60)
        record(company, "webhook.address_checked", subject="https://a.example", ip="192.0.2.8")
    page = admin.get("/audit?action=webhook.address_checked")
    assert [words.removesuffix(" ") for words in rows(page)] == [
        "Mandou conferir uma URL",
        "Mandou conferir uma URL",
        "Mandou conferir uma URL",
        "Mandou conferir uma URL (2 vezes)",
    ]
    assert re.findall(r"a primeira vez: <time datetime=\"([^\"]+)", page.text) == ["2026-03-10T12:00:00+00:00"]
    assert admin.get("/audit/audit.csv?action=webhook.address_checked").text.count("a.example") == 4


def test_a_refusal_of_another_day_is_another_entry(member):
    member.get("/webhook")
    db.session.query(AuditEntry).update({"created_at": clock.utcnow() - timedelta(days=1, minutes=1)})
    db.session.commit()
    member.get("/webhook")
    assert [entry.times for entry in db.session.query(AuditEntry)] == [1, 1]


def test_a_refusal_is_told_while_the_database_is_locked(member, instance, monkeypatch):
    monkeypatch.setattr(audit, "NOTE_SECONDS", 0.1)
    with closing(sqlite3.connect(instance / "portal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert member.get("/webhook").status_code == 403


def test_nothing_changes_or_deletes_an_entry(app):
    assert {rule.rule: rule.methods for rule in app.url_map.iter_rules() if "audit" in rule.rule} == {
        "/audit": {"GET", "HEAD", "OPTIONS"},
        "/audit/audit.csv": {"GET", "HEAD", "OPTIONS"},
    }


def test_foreign_text_in_the_log_stays_text(admin, company):
    record(company, actor="<script>alert(1)</script>", subject="a\n2026 admin login")
    assert "<script>alert" not in admin.get("/audit").text


@pytest.mark.parametrize(
    ("action", "subject", "shown"),
    [
        ("user.invited", "rui@x.example: admin", "rui@x.example: Administrador"),
        ("user.role_changed", "rui@x.example: admin -> member", "rui@x.example: Administrador → Membro"),
        (
            "token.created",
            "n8n, novo (rui@x.example, classify)",
            "n8n, novo (rui@x.example, Ler, e mudar contatos e níveis)",
        ),
        ("token.created", "n8n (rui@x.example)", "n8n (rui@x.example)"),  # as it was recorded before tokens had scopes
        ("webhook.failing", "server_error", "Erro no destino"),
        ("webhook.stopped", "outage", "três dias seguidos só com falhas"),
        ("cause.noted", "server_error: quebrado: ver", "Erro no destino: quebrado: ver"),
        ("cause.noted", "error_in_json: ver", "a resposta indica um erro: ver"),
        ("warnings.settled", "3 error_in_json", "a resposta indica um erro (3)"),
        ("retention.changed", "30, 365, 730", "conteúdos 30 dias, registro 365, auditoria 730"),
        ("webhook.url_set", "https://x.example/: admin", "https://x.example/: admin"),
    ],
)
def test_what_an_act_was_about_is_said_in_words(admin, company, action, subject, shown):
    record(company, action, subject=subject)
    assert f'audit-subject">{shown}</span>' in admin.get("/audit").text


def test_the_first_time_of_what_may_go_on_on_the_next_page_is_not_said(admin, company):
    with time_machine.travel("2026-03-10 12:00Z", tick=False) as traveller:
        for _ in range(PAGE_SIZE + 2):
            record(company, "webhook.address_checked", subject="https://a.example", ip="192.0.2.7")
            traveller.shift(60)
    first = admin.get("/audit?action=webhook.address_checked").text
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    assert "a primeira vez" not in first
    assert re.findall(r"a primeira vez: <time datetime=\"([^\"]+)", admin.get(unescape(older)).text) == [
        "2026-03-10T12:00:00+00:00"
    ]
