"""One's own account: name, language, password, and how long a session lasts."""

import time
from datetime import timedelta

import pytest
import time_machine
from argon2 import PasswordHasher

from portal import clock
from portal.database.db import db
from portal.models import AccessLink, AuditEntry, User
from portal.people import links, logging_in, passwords, users
from portal.web import sessions
from tests.factories import PASSWORD, make_user, set_second_factor

OTHER = "uma frase bem outra"


def log_in(browser, email, password=PASSWORD):
    return browser.post("/login", {"email": email, "password": password})


@pytest.fixture
def logged_in(person, company):
    """Somebody who came in through the page."""
    browser = person()
    browser.email = make_user(company, role="member").email
    log_in(browser, browser.email)
    return browser


def test_a_name_and_a_language_are_kept(logged_in):
    logged_in.post("/account", {"name": "Ana Maria", "language": "en"})
    page = logged_in.get("/account").text
    assert '<html lang="en">' in page
    assert "Ana Maria" in page


@pytest.mark.parametrize("values", [{"name": "", "language": "en"}, {"name": "Ana", "language": "tlh"}])
def test_an_empty_name_and_an_unknown_language_are_refused(logged_in, values):
    assert logged_in.post("/account", values).status_code == 422


def test_nobody_becomes_admin_by_the_account_form(logged_in):
    logged_in.post("/account", {"name": "Ana", "language": "en", "role": "admin", "email": "x@example.com"})
    user = db.session.query(User).one()
    assert (user.role, user.email) == ("member", logged_in.email)


def test_a_new_password_ends_every_other_session_and_open_links(logged_in, person):
    elsewhere = person()
    log_in(elsewhere, logged_in.email)
    user = db.session.query(User).one()
    links.create_link(db.session, purpose="reset", user=user)
    answer = logged_in.post("/account/password", {"current": PASSWORD, "password": OTHER})
    assert answer.status_code == 303
    assert (logged_in.get("/").status_code, elsewhere.get("/").status_code) == (200, 302)
    assert db.session.query(AccessLink).one().used_at is not None
    assert log_in(person(), logged_in.email).status_code == 422
    assert log_in(person(), logged_in.email, OTHER).location == "/"
    assert db.session.query(AuditEntry).filter_by(action="password.changed").count() == 1


def test_changing_the_password_takes_the_present_one_and_wrong_guesses_count(logged_in):
    wrong = {"current": "wrong wrong", "password": OTHER}
    statuses = [logged_in.post("/account/password", wrong).status_code for _ in range(logging_in.FREE_FAILURES + 1)]
    assert statuses == [422] * logging_in.FREE_FAILURES + [429]
    assert db.session.query(AuditEntry).filter_by(action="password.refused").count() == logging_in.FREE_FAILURES


def test_what_takes_the_password_asks_for_it_and_nothing_typed_is_no_guess(admin, company):
    def asks(path: str, data: dict[str, str]) -> tuple[int, bool]:
        answer = admin.post(path, data)
        return answer.status_code, "Preencha este campo." in answer.text

    admin.get("/account/second-factor")
    acts = {
        "/account/password": {"password": OTHER},
        "/account/second-factor": {"code": "123456"},
        "/company/close": {"name": company.name},
    }
    assert {path: asks(path, data) for path, data in acts.items()} == dict.fromkeys(acts, (422, True))
    set_second_factor(db.session.get_one(User, admin.id), "JBSWY3DPEHPK3PXP")
    for act in ("codes", "remove"):
        assert asks(f"/account/second-factor/{act}", {}) == (422, True)
    assert db.session.query(AuditEntry).filter_by(action="password.refused").count() == 0


def test_leaving_everywhere_ends_every_session(logged_in, person):
    elsewhere = person()
    log_in(elsewhere, logged_in.email)
    assert "Sair de tudo" in logged_in.get("/account").text
    logged_in.post("/logout")
    assert elsewhere.get("/").status_code == 302


def test_a_session_that_nobody_uses_ends(logged_in):
    with time_machine.travel(clock.utcnow() + sessions.IDLE_LIFETIME + timedelta(seconds=2)):
        assert logged_in.get("/").status_code == 302


def test_a_session_in_use_ends_after_a_week(logged_in):
    start = clock.utcnow()
    for hours in range(0, 7 * 24, 7):
        with time_machine.travel(start + timedelta(hours=hours)):
            assert logged_in.get("/account").status_code == 200
    with time_machine.travel(start + sessions.WHOLE_LIFETIME):
        assert logged_in.get("/account").status_code == 302


def test_logging_in_begins_a_cookie_of_its_own(nobody, company):
    with nobody.client.session_transaction() as session:
        session["planted"] = "by somebody else"
    log_in(nobody, make_user(company).email)
    with nobody.client.session_transaction() as session:
        assert "planted" not in session


def test_the_session_cookie_is_out_of_reach_of_scripts_and_of_other_sites(make_app, person, company):
    user = make_user(company)
    app = make_app(base_url="https://portal.example.com")
    client = app.test_client()
    with app.app_context(), client.session_transaction(base_url="https://portal.example.com") as session:
        session["_user_id"], session["since"] = user.get_id(), int(clock.utcnow().timestamp())
        session.permanent = True
    answer = client.get("/account", base_url="https://portal.example.com")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}


COMMON = ["password1", "ana.prado@example.com", "Senha123", "QWERTYUIOP", "corinthians", " 12345678 "]


@pytest.mark.parametrize("password", [*COMMON, "Ana.Prado", "Ana Maria Prado", "vendas exemplo"])
def test_what_somebody_would_try_first_is_no_password(company, password):
    user = make_user(company, email="ana.prado@example.com", name="Ana Maria Prado")
    with pytest.raises(passwords.InvalidAccount, match="too_common"):
        passwords.set_password(user, password)


def test_the_list_of_common_passwords_holds_three_thousand_that_would_be_long_enough():
    common = passwords.common_passwords()
    assert len([each for each in common if len(each) >= passwords.MIN_PASSWORD_LENGTH]) >= 3000


def test_a_common_password_is_refused_at_its_field(logged_in):
    answer = logged_in.post("/account/password", {"current": PASSWORD, "password": "password1"})
    assert answer.status_code == 422
    assert "primeiras que alguém tentaria" in answer.text


def test_a_common_password_is_refused_by_an_invitation_which_stays_open(nobody, company):
    user = users.add_user(db.session, company, name="Bia", email="bia@example.com", role="member", password=None)
    link = f"/invitation/{links.create_link(db.session, purpose='invitation', user=user)}"
    assert nobody.post(link, {"password": "password1"}).status_code == 422
    assert nobody.post(link, {"password": PASSWORD}).location == "/"


@pytest.mark.usefixtures("real_hashing")
def test_an_unknown_account_costs_as_much_work_as_a_known_one(company):
    known = logging_in.find_log_in(db.session, make_user(company).email, ip="192.0.2.1")
    unknown = logging_in.find_log_in(db.session, "nobody@example.com", ip="192.0.2.1")
    work = {log_in: min(cpu_seconds(log_in) for _ in range(5)) for log_in in (known, unknown)}
    assert work[unknown] == pytest.approx(work[known], rel=0.5)
    assert not passwords.hasher.check_needs_rehash(passwords._DUMMY_HASH)


def cpu_seconds(log_in) -> float:
    begun = time.process_time()  # passwords are hashed on a thread of their own
    log_in.proves("wrong wrong")
    return time.process_time() - begun


def test_guesses_from_elsewhere_keep_nobody_out(nobody, company):
    user = make_user(company)
    for _ in range(logging_in.FREE_FAILURES + 1):
        log_in(nobody, user.email, "wrong wrong")
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    data = {"csrf_token": nobody.token(), "email": user.email, "password": PASSWORD}
    assert nobody.open("/login", method="POST", data=data, environ_base=elsewhere).location == "/"


def test_without_a_proxy_a_forwarded_address_does_not_count(nobody, company):
    user = make_user(company)
    statuses = [
        nobody.post(
            "/login",
            {"email": user.email, "password": "wrong wrong"},
            headers={"X-Forwarded-For": f"192.0.2.{number}"},
        ).status_code
        for number in range(logging_in.FREE_FAILURES + 1)
    ]
    assert statuses[-1] == 429
    assert {entry.ip for entry in db.session.query(AuditEntry)} == {"127.0.0.1"}


def test_behind_one_proxy_the_address_that_it_saw_counts(make_app, person, company):
    user = make_user(company)
    app = make_app(proxy_hops=1)
    with app.app_context():
        browser = type(person())(app.test_client(), None)
        forwarded = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
        browser.post("/login", {"email": user.email, "password": "wrong wrong"}, headers=forwarded)
    assert db.session.query(AuditEntry).one().ip == "192.0.2.7"


@pytest.mark.usefixtures("real_hashing")
def test_a_password_kept_the_old_way_is_kept_the_new_way_after_log_in(nobody, company):
    user = make_user(company)
    assert user.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    old = user.password_hash = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    db.session.commit()
    assert log_in(nobody, user.email).location == "/"
    db.session.refresh(user)
    assert user.password_hash != old
    assert not passwords.hasher.check_needs_rehash(user.password_hash)
