"""Assigning by API and by command: the same task as the page's, refused in the same words."""

import json

import pytest
from flask import Flask

from portal import clock
from portal.database.db import db
from portal.models import Company, Contact, Task, User
from tests.api.conftest import Caller, check_problem, field_errors
from tests.cli.conftest import Run, environ, run  # noqa: F401
from tests.factories import do_tasks, make_company, make_user, save


@pytest.fixture
def two(app: Flask, api: Caller) -> None:
    """A contact of Ana's in one campaign, and one of Rui's in another."""
    with app.app_context():
        company = db.session.get_one(Company, api.company_id)
        for name, campaign in (("ana", "Norte"), ("rui", "Sul")):
            make_user(company, email=f"{name}@example.com", role="member")
            owner = {"email": f"{name}@example.com"}
            save(company, {"contact": {"name": name}, "campaign": {"name": campaign}, "contact_owner": owner})
        make_user(make_company("Outra Empresa"), email="eva@example.com")


def standing(app: Flask) -> list[tuple[str, str, str]]:
    with app.app_context():
        do_tasks()
        found = db.session.query(Contact).order_by(Contact.name)
        return [(contact.name, contact.owner.email, contact.campaign.name) for contact in found]


@pytest.mark.usefixtures("two")
def test_one_person_s_contacts_are_handed_over_by_api(app: Flask, api: Caller, member: Caller) -> None:
    asked = {"filter": {"owner": "ana@example.com"}, "owner": "rui@example.com"}
    assert api.post("/contacts/assign", asked | {"dry_run": True}).json == {"count": 1}
    check_problem(member.post("/contacts/assign", asked), 403, "forbidden")
    job = api.post("/contacts/assign", asked)
    assert (job.status_code, job.json["kind"], job.json["total"]) == (202, "assign", 1)
    assert standing(app) == [("ana", "rui@example.com", "Norte"), ("rui", "rui@example.com", "Sul")]
    assert api.get(f"/jobs/{job.json['id']}").json["counts"] == {"assigned": 1}


@pytest.mark.usefixtures("two")
def test_what_names_nobody_of_the_company_is_refused_by_api(app: Flask, api: Caller) -> None:
    problem = check_problem(api.post("/contacts/assign", {"filter": {}}), 409, "no_target")
    assert problem["detail"] == "Escolha um responsável ou uma campanha."
    for asked in ({"owner": "eva@example.com"}, {"campaign": "Oeste"}):
        problem = check_problem(api.post("/contacts/assign", {"filter": {}} | asked), 422, "invalid_fields")
        assert field_errors(problem) == dict.fromkeys(asked, "unknown_value")
    for asked in ({"owner": "eva@example.com"}, {"import": 9}, {"campaign": "Oeste"}):
        given = {"filter": asked, "owner": "rui@example.com"}
        for call in ({"dry_run": True}, {}):
            problem = check_problem(api.post("/contacts/assign", given | call), 422, "invalid_fields")
            assert field_errors(problem) == {f"filter.{name}": "unknown_value" for name in asked}
    with app.app_context():
        assert db.session.query(Task).count() == 0


@pytest.mark.usefixtures("two")
def test_nobody_s_contacts_go_to_who_was_shut_out(app: Flask, api: Caller, run: Run) -> None:  # noqa: F811
    with app.app_context():
        db.session.query(User).filter_by(email="rui@example.com").one().disabled_at = clock.utcnow()
        db.session.commit()
    asked = {"filter": {"owner": "ana@example.com"}, "owner": "rui@example.com"}
    problem = check_problem(api.post("/contacts/assign", asked), 409, "owner_gone")
    assert problem["detail"].endswith(" não entra mais no portal: escolha outra pessoa.")
    given = ("--company", "Vendas Exemplo", "--owner", "ana@example.com", "--to-owner", "rui@example.com", "--yes")
    result = run("contacts", "assign", *given)
    assert result.exit_code == 1
    assert "can no longer log in: choose somebody else." in result.stderr
    assert standing(app) == [("ana", "ana@example.com", "Norte"), ("rui", "rui@example.com", "Sul")]


@pytest.mark.usefixtures("two")
def test_contacts_are_moved_by_command(app: Flask, run: Run) -> None:  # noqa: F811
    chosen = ("contacts", "assign", "--company", "Vendas Exemplo", "--owner", "ana@example.com")
    target = ("--to-campaign", "Sul", "--to-owner", "rui@example.com")
    assert "1 contacts would be moved." in run(*chosen, *target, "--dry-run").stdout
    assert json.loads(run(*chosen, *target, "--yes", "--json").stdout)["kind"] == "assign"
    assert standing(app) == [("ana", "rui@example.com", "Sul"), ("rui", "rui@example.com", "Sul")]
    assert "Nobody matches." in run(*chosen, *target, "--yes").stdout


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--to-owner", "rui@example.com"), "Give a filter"),
        (("--level", "none"), "Choose an owner or a campaign."),
        (("--level", "none", "--to-owner", "eva@example.com", "--yes"), "The company does not have it."),
        (("--owner", "eva@example.com", "--to-campaign", "Sul"), "has no owner"),
    ],
)
def test_a_command_that_says_too_little_or_what_is_not_there_is_refused(
    app: Flask,
    run: Run,  # noqa: F811
    more: tuple[str, ...],
    said: str,
) -> None:
    result = run("contacts", "assign", "--company", "Vendas Exemplo", "--yes", *more)
    assert result.exit_code != 0
    assert said in result.stderr
