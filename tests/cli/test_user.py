import json
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select

from portal.database.db import db
from portal.models import ApiToken, AuditEntry, Company, User
from portal.people import links, logging_in, tokens
from tests.cli.conftest import Run
from tests.factories import PASSWORD, make_company, make_user, save

ANA = ("--email", "Ana@vendas.example", "--name", "Ana", "--role", "admin")


def test_a_first_user_makes_the_company_and_gets_an_invitation(app: Flask, run: Run) -> None:
    result = run("user", "add", "--company", "Vendas Ação", *ANA)
    assert result.exit_code == 0
    address, _, token = result.stdout.strip().rpartition("/")
    assert address == "http://127.0.0.1:8000/invitation"
    link = links.find_link(db.session, token, purpose="invitation")
    assert link is not None
    assert link.user is not None
    assert (link.user.email, link.user.role, link.user.company.name) == ("ana@vendas.example", "admin", "Vendas Ação")


def test_an_invitation_names_the_portals_own_address(run: Run) -> None:
    result = run("user", "add", "--company", "A", *ANA, PORTAL_BASE_URL="https://portal.example.com")
    assert result.stdout.startswith("https://portal.example.com/invitation/")
    assert "PORTAL_BASE_URL" not in result.stderr


def test_a_password_comes_from_standard_input(app: Flask, run: Run) -> None:
    result = run("user", "add", "--company", "A", *ANA, "--password-stdin", stdin="uma frase comprida\n")
    assert (result.exit_code, result.stdout) == (0, "ana@vendas.example is admin of A, a new company.\n")
    assert logging_in.find_log_in(db.session, "ana@vendas.example", ip="127.0.0.1").proves("uma frase comprida")


def test_an_empty_password_is_no_invitation(run: Run) -> None:
    result = run("user", "add", "--company", "A", *ANA, "--password-stdin", stdin="")
    assert (result.exit_code, result.stderr) == (1, "Error: The password is shorter than 8 characters.\n")


def test_the_only_company_need_not_be_named(app: Flask, run: Run) -> None:
    make_company("Única")
    assert run("user", "add", *ANA).stderr.startswith("ana@vendas.example is admin of Única.\n")
    assert db.session.scalars(select(User)).one().company.name == "Única"


def test_one_of_several_companies_has_to_be_named(app: Flask, run: Run) -> None:
    make_company("Alfa")
    make_company("Beta")
    result = run("user", "add", *ANA)
    assert result.exit_code == 2
    assert "There are: Alfa, Beta." in result.stderr


def test_without_any_company_the_first_has_to_be_named(run: Run) -> None:
    result = run("user", "add", *ANA)
    assert result.exit_code == 2
    assert "There is none yet" in result.stderr


def test_an_address_that_logs_in_already_is_refused(app: Flask, run: Run) -> None:
    make_user(make_company(), email="ana@vendas.example")
    result = run("user", "add", *ANA)
    assert (result.exit_code, result.stderr) == (1, "Error: Somebody logs in with this e-mail address already.\n")


def test_a_refused_user_leaves_no_company_behind(app: Flask, run: Run) -> None:
    result = run("user", "add", "--company", "Nova", "--email", "nobody", "--name", "N", "--role", "member")
    assert (result.exit_code, result.stderr) == (1, "Error: This is not a valid e-mail address.\n")
    assert not db.session.scalars(select(Company)).all()


@pytest.mark.parametrize("name", ["\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\U0001f469\u200d\U0001f4bb Ana"])
def test_a_name_is_taken_as_it_is_written_and_shown_so(app: Flask, run: Run, name: str) -> None:
    """Persian and pictures of people join their signs by what cannot be seen."""
    company = make_company()
    assert run("user", "add", "--email", "a@x.test", "--name", name, "--role", "member").exit_code == 0
    assert name in run("user", "list").stdout
    save(company, {"contact": {"name": name}, "campaign": {"name": name}})
    assert run("contacts", "list", "--campaign", name).stdout.count(name) == 2


def test_a_name_without_anything_to_see_is_refused(run: Run) -> None:
    for nothing in (" ", "\u200d", "\x1b[2JAcme", "Ac\u202eme"):
        assert run("user", "add", "--company", nothing, *ANA).exit_code == 2


@pytest.mark.parametrize(
    ("options", "action", "subject"),
    [([], "user.invited", "ana@vendas.example: admin"), (["--password-stdin"], "user.added", "ana@vendas.example")],
)
def test_adding_a_user_is_in_the_audit_log(app: Flask, run: Run, options: list[str], action: str, subject: str) -> None:
    run("user", "add", "--company", "A", *ANA, *options, stdin=f"{PASSWORD}\n")
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.actor == "console")).one()
    assert (entry.action, entry.subject) == (action, subject)


def test_a_second_factor_is_taken_off(app: Flask, run: Run) -> None:
    user = make_user(make_company(), email="ana@vendas.example")
    user.totp_secret, user.totp_step = "sealed", 1
    db.session.commit()
    result = run("user", "reset-second-factor", "--email", "Ana@vendas.example")
    assert (result.exit_code, result.stdout) == (0, "ana@vendas.example logs in with the password alone.\n")
    db.session.refresh(user)
    assert (user.totp_secret, user.totp_step) == (None, None)
    assert db.session.scalars(select(AuditEntry)).one().actor == "console"
    db.session.rollback()  # a transaction of ours would keep the command out
    again = run("user", "reset-second-factor", "--email", "ana@vendas.example")
    assert (again.exit_code, again.stderr) == (1, "Error: ana@vendas.example has no second factor.\n")


def test_a_common_password_is_refused(run: Run) -> None:
    result = run("user", "add", "--company", "A", *ANA, "--password-stdin", stdin="password1\n")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: This password is one of the first that somebody would try. Choose another.\n",
    )


def test_a_token_stands_alone_on_standard_output(app: Flask, run: Run) -> None:
    user = make_user(make_company(), email="ana@vendas.example")
    result = run("token", "add", "--email", "Ana@vendas.example", "--label", "CRM")
    assert result.exit_code == 0
    bearer = tokens.find_bearer(db.engine, result.stdout.removesuffix("\n"))
    assert bearer is not None
    assert (bearer.user_id, db.session.get_one(ApiToken, bearer.token_id).label) == (user.id, "CRM")


def test_a_token_needs_somebody_who_logs_in(app: Flask, run: Run) -> None:
    make_user(make_company(), role=None, email="ana@vendas.example")
    result = run("token", "add", "--email", "ana@vendas.example", "--label", "CRM")
    assert (result.exit_code, result.stderr) == (1, "Error: Nobody logs in as ana@vendas.example.\n")


def test_a_token_has_the_scope_and_the_end_that_were_asked_for(app: Flask, run: Run) -> None:
    make_user(make_company(), email="ana@vendas.example")
    db.session.commit()
    add = ("token", "add", "--email", "ana@vendas.example", "--label", "CRM")
    assert run(*add, "--scope", "read", "--until", "2035-12-31").exit_code == 0
    token = db.session.query(ApiToken).one()
    assert (token.scope, token.last_day) == ("read", date(2035, 12, 31))
    db.session.rollback()
    for until in ("2020-01-01", "9999-12-31"):
        refused = run(*add, "--until", until)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "within ten years" in refused.stderr
    refused = run(*add, "--until", "tomorrow")
    assert (refused.exit_code, "'tomorrow' does not match the format '%Y-%m-%d'" in refused.stderr) == (2, True)
    assert "--until DATE" in run("token", "add", "--help").stdout


def test_tokens_are_listed_and_revoked(app: Flask, run: Run) -> None:
    ours, other = make_company("Nossa"), make_company("Outra")
    make_user(ours, email="ana@vendas.example")
    make_user(other, email="eva@outra.example")
    for email in ("ana@vendas.example", "eva@outra.example"):
        assert run("token", "add", "--email", email, "--label", f"of {email}", "--until", "2035-12-31").exit_code == 0
    listed = run("token", "list", "--company", "Nossa").stdout.split()
    assert (listed[2], listed[-4:]) == ("ana@vendas.example", ["(until", "2035-12-31,", "never", "used)"])
    (facts,) = json.loads(run("token", "list", "--company", "Nossa", "--json").stdout)["items"]
    assert (facts["label"], facts["is_over"], facts["last_used_at"]) == ("of ana@vendas.example", False, None)
    foreign = run("token", "revoke", facts["id"], "--company", "Outra")
    assert (foreign.exit_code, foreign.stderr) == (1, f"Error: The company has no token {facts['id']}.\n")
    assert run("token", "revoke", facts["id"], "--company", "Nossa").stdout == f"Token {facts['id']} is revoked.\n"
    assert run("token", "list", "--company", "Nossa").stdout == ""
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "token.revoked")).one()
    assert (entry.actor, entry.subject) == ("console", "of ana@vendas.example (ana@vendas.example)")


def test_somebody_who_logs_in_gets_another_e_mail(app: Flask, run: Run) -> None:
    ana = make_user(make_company(), email="ana@example.com")
    session_id = ana.get_id()
    result = run("user", "change-email", "--email", "Ana@example.com", "--to", "nova@example.com")
    assert (result.exit_code, result.stdout) == (0, "ana@example.com logs in as nova@example.com from now on.\n")
    db.session.expire_all()
    assert (ana.email, ana.get_id() != session_id) == ("nova@example.com", True)
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "email.changed")).one()
    assert (entry.actor, entry.subject) == ("console", "ana@example.com -> nova@example.com")


def test_who_was_invited_to_the_old_e_mail_gets_another_link(app: Flask, run: Run) -> None:
    make_user(make_company(), email="ana@example.com")
    assert run("user", "add", "--email", "bia@example.com", "--name", "Bia", "--role", "member").exit_code == 0
    result = run("user", "change-email", "--email", "bia@example.com", "--to", "nova@example.com")
    token = result.stdout.strip().rpartition("/invitation/")[2]
    link = links.find_link(db.session, token, purpose="invitation")
    assert link is not None
    assert (link.user.email if link.user else None) == "nova@example.com"
    assert "from now on" in result.stderr


def test_an_e_mail_that_somebody_else_has_is_refused(app: Flask, run: Run) -> None:
    make_user(make_company("Outra"), email="vera@example.com")
    make_user(make_company(), email="ana@example.com")
    result = run("user", "change-email", "--email", "ana@example.com", "--to", "vera@example.com")
    assert (result.exit_code, result.stderr) == (1, "Error: Somebody logs in with this e-mail address already.\n")
    assert run("user", "change-email", "--email", "x@example.com", "--to", "y@example.com").exit_code == 1
