"""Coming in and going out."""

import re

import pytest

from portal import clock
from portal.database.db import db
from portal.models import AccessLink, Company, User
from portal.people import links, logging_in, users
from tests.factories import PASSWORD, make_company, make_user


def log_in(person, user_email, password=PASSWORD, **options):
    return person.post("/login", {"email": user_email, "password": password}, **options)


@pytest.fixture
def setup_url(app):
    token = links.create_link(db.session, purpose="setup")
    db.session.commit()
    return f"/setup/{token}"


FIRST = {"company": "Nova", "name": "Rita", "email": "Rita@nova.com.br", "password": PASSWORD}


def test_logging_in_leads_home(nobody, company):
    user = make_user(company)
    answer = log_in(nobody, user.email)
    assert (answer.status_code, answer.location) == (303, "/")
    assert "O seu CRM sabe o que vocês sabem?" in nobody.get("/").text


def test_logging_in_leads_to_the_page_that_was_asked_for(nobody, company):
    user = make_user(company)
    asked = nobody.get("/deliveries?status=failed")
    assert log_in_at(nobody, asked.location, user).location == "/deliveries?status=failed"


def log_in_at(person, url, user):
    return person.post(url, {"email": user.email, "password": PASSWORD})


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/\tevil",
        "/\n/evil.example",
        "///evil.example",
        " //evil.example",
        "\x00/evil",
        "/\x7f/evil",
        "/\u2028/evil",
        "evil.example",
        "?next=//evil",
        "http:/evil.example",
        "data:text/html,x",
        "/ /evil.example",
    ],
)
def test_logging_in_never_leads_off_the_portal(nobody, company, target):
    user = make_user(company)
    answer = nobody.open(
        "/login",
        method="POST",
        query_string={"next": target},
        data={"csrf_token": nobody.token(), "email": user.email, "password": PASSWORD},
    )
    assert answer.location == "/"


def test_a_wrong_password_and_an_unknown_account_look_the_same(nobody, company):
    user = make_user(company, email="ana@example.com")
    wrong, unknown = log_in(nobody, user.email, "wrong"), log_in(nobody, "ona@example.com", "wrong")
    assert wrong.status_code == unknown.status_code == 422
    assert "E-mail ou senha não conferem." in wrong.text
    page, other = (re.sub(r'(name="csrf_token"[^>]*) value="[^"]+"', r"\1", answer.text) for answer in (wrong, unknown))
    assert page.replace("ana@", "ona@") == other


def test_guessing_is_slowed_down(nobody, company):
    user = make_user(company)
    statuses = [log_in(nobody, user.email, "wrong").status_code for _ in range(logging_in.FREE_FAILURES + 1)]
    assert statuses == [422] * logging_in.FREE_FAILURES + [429]


def test_logging_out_makes_a_copied_cookie_worthless(nobody, company):
    log_in(nobody, make_user(company).email)
    copied = nobody.client.get_cookie("session").value
    assert nobody.post("/logout").status_code == 303
    nobody.client.set_cookie("session", copied)
    assert nobody.get("/").status_code == 302


def test_logging_out_is_no_link(admin):
    assert admin.get("/logout").status_code == 405


def test_a_new_installation_points_to_its_set_up_link(nobody):
    assert "portal serve" in nobody.get("/login").text


def test_setting_up_makes_the_company_and_its_admin_and_logs_in(nobody, setup_url):
    assert nobody.get(setup_url).status_code == 200
    assert nobody.post(setup_url, FIRST).location == "/"
    user = db.session.query(User).one()
    assert (user.company.name, user.email, user.role) == ("Nova", "rita@nova.com.br", "admin")
    assert "Configurar o webhook" in nobody.get("/").text


def test_a_set_up_link_works_once(nobody, person, setup_url):
    nobody.post(setup_url, FIRST)
    assert person().post(setup_url, FIRST).status_code == 410


def test_opening_a_set_up_link_does_not_use_it_up(nobody, setup_url):
    nobody.get(setup_url)
    assert db.session.query(AccessLink).one().used_at is None


@pytest.mark.parametrize(
    ("field", "value"), [("password", "short"), ("password", "x" * 129), ("email", "no address"), ("company", " ")]
)
def test_set_up_says_at_the_field_what_is_wrong(nobody, setup_url, field, value):
    answer = nobody.post(setup_url, FIRST | {field: value})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert db.session.query(Company).count() == 0


@pytest.mark.parametrize("password", ["oito oit", "p" * 128, "senha com espaço", "пароль🔑пароль"])
def test_any_password_of_8_to_128_characters_works(nobody, person, setup_url, password):
    assert nobody.post(setup_url, FIRST | {"password": password}).location == "/"
    assert log_in(person(), "rita@nova.com.br", password).location == "/"


@pytest.fixture
def invitation(company):
    user = users.add_user(db.session, company, name="Bia", email="bia@example.com", role="member", password=None)
    token = links.create_link(db.session, purpose="invitation", user=user)
    db.session.commit()
    return f"/invitation/{token}"


def test_an_invitation_sets_a_password_and_logs_in(nobody, person, invitation):
    assert "bia@example.com" in nobody.get(invitation).text
    assert nobody.post(invitation, {"password": PASSWORD}).location == "/"
    assert nobody.get("/").status_code == 200
    assert log_in(person(), "bia@example.com").location == "/"


def test_an_invitation_works_once_and_not_for_ever(nobody, person, invitation, monkeypatch):
    later = clock.utcnow() + links.LINK_LIFETIMES["invitation"]
    with monkeypatch.context() as patch:
        patch.setattr(clock, "utcnow", lambda: later)
        assert nobody.get(invitation).status_code == 410
    nobody.post(invitation, {"password": PASSWORD})
    assert person().get(invitation).status_code == 410


def test_an_invitation_of_a_disabled_account_opens_nothing(nobody, invitation):
    db.session.query(User).filter_by(email="bia@example.com").one().disabled_at = clock.utcnow()
    db.session.commit()
    assert nobody.get(invitation).status_code == 404


def test_a_chosen_language_stays_with_the_person(admin):
    answer = admin.post("/language", {"language": "en", "next": "/contacts?level=3"})
    assert answer.location == "/contacts?level=3"
    assert '<html lang="en">' in admin.get("/").text
    assert db.session.get(User, admin.id).locale == "en"


def test_a_chosen_language_stays_with_the_browser(nobody):
    make_user(make_company("Uma"))
    assert '<html lang="pt-BR">' in nobody.get("/login").text
    nobody.post("/language", {"language": "en"})
    assert '<html lang="en">' in nobody.get("/login").text


def test_an_unknown_language_is_refused(nobody):
    assert nobody.post("/language", {"language": "tlh"}).status_code == 400
