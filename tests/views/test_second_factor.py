"""The second factor: turned on with an app, asked for at log-in, each code good once."""

import re
import threading
from datetime import timedelta

import pyotp
import pytest
import time_machine

from portal import clock
from portal.audit import Actor
from portal.database.db import db
from portal.models import AuditEntry, User
from portal.people import links, logging_in, second_factor
from portal.runtime import runtime
from tests.conftest import BOTH
from tests.factories import PASSWORD, make_company, make_user, second_factor_of, set_second_factor


def log_in(browser, email, password=PASSWORD, url="/login"):
    return browser.post(url, {"email": email, "password": password})


def code_of(user, *, steps=0) -> str:
    """What the user's app shows, or showed so many steps ago."""
    secret = second_factor_of(db.session.get_one(User, user.id, populate_existing=True))
    return pyotp.TOTP(secret).at(clock.utcnow() + timedelta(seconds=30 * steps))


@pytest.fixture
def guarded(company):
    """Somebody with a second factor, of which no code was used yet."""
    user = make_user(company, role="member", name="Bia")
    set_second_factor(user, second_factor.new_secret())
    db.session.commit()
    return user


@pytest.fixture
def asked(nobody, guarded):
    """A browser that is asked for the code of `guarded`."""
    assert log_in(nobody, guarded.email).location == "/login/code"
    return nobody


def scan(browser) -> str:
    """The secret that the page shows."""
    page = browser.get("/account/second-factor").text
    return re.search(r'id="chave">([^<]+)<', page)[1].replace(" ", "")


def test_turning_it_on_takes_a_code_and_the_password(member):
    secret = scan(member)
    code = pyotp.TOTP(secret).at(clock.utcnow())
    for values in ({"code": "000000", "current": PASSWORD}, {"code": code, "current": "wrong wrong"}):
        assert member.post("/account/second-factor", values).status_code == 422
    answer = member.post("/account/second-factor", {"code": code, "current": PASSWORD})
    assert answer.status_code == 200
    assert "Ligada" in member.get("/account").text
    stored = db.session.get(User, member.id).totp_secret
    assert secret not in stored
    assert second_factor_of(db.session.get(User, member.id)) == secret


@pytest.mark.parametrize("owner", ["nobody", "own", "another"])
def test_no_form_chooses_the_secret_nor_opens_one(member, company, owner):
    """Neither in plain text nor sealed, whoever it was sealed for: only what the session holds counts."""
    mine, theirs = scan(member), pyotp.random_base32()
    ids = {"own": company.id, "another": make_company("Outra").id}
    for purpose in ("second_factor", "second_factor_draft", "webhook_secret"):
        sent = runtime().vault.seal(theirs, purpose=purpose, company_id=ids[owner]) if owner in ids else theirs
        values = {"secret": sent, "code": pyotp.TOTP(theirs).at(clock.utcnow()), "current": PASSWORD}
        answer = member.post("/account/second-factor", values)
        assert answer.status_code == 422
        assert theirs not in answer.text.replace(" ", "")
    assert db.session.get(User, member.id).totp_secret is None
    values = {"secret": "", "code": pyotp.TOTP(mine).at(clock.utcnow()), "current": PASSWORD}
    assert member.post("/account/second-factor", values).status_code == 200


def test_looking_at_the_page_turns_nothing_on_and_shows_the_same_secret_for_a_while(member):
    first, second = scan(member), scan(member)
    assert first == second
    assert db.session.get(User, member.id).totp_secret is None
    with time_machine.travel(clock.utcnow() + timedelta(minutes=16)):
        code = pyotp.TOTP(first).at(clock.utcnow())
        answer = member.post("/account/second-factor", {"code": code, "current": PASSWORD})
        assert answer.location == "/account/second-factor"
        assert db.session.get(User, member.id).totp_secret is None
        assert scan(member) != first


def test_the_secret_in_the_cookie_cannot_be_read_and_is_of_one_person(member, person, company):
    secret = scan(member)
    with member.client.session_transaction() as session:
        draft = session["draft"]
    assert secret not in str(draft)
    other = person(make_user(company, role="member", name="Caio"))
    with other.client.session_transaction() as session:
        session["draft"] = draft
    assert scan(other) != secret


def test_a_damaged_second_factor_lets_nobody_in_and_says_what_to_do(asked, guarded, admin):
    guarded.totp_secret = guarded.totp_secret[:-6] + "AAAAAA"
    db.session.commit()
    answer = asked.post("/login/code", {"code": "000000"})
    assert answer.status_code == 409
    assert "peça a quem administra a empresa que a desligue" in answer.text
    admin.post(f"/team/{guarded.id}/second-factor/remove")
    assert db.session.get_one(User, guarded.id, populate_existing=True).totp_secret is None


def test_turning_it_on_ends_the_other_sessions(member, person):
    other = person(db.session.get_one(User, member.id))
    assert other.get("/account").status_code == 200
    code = pyotp.TOTP(scan(member)).at(clock.utcnow())
    member.post("/account/second-factor", {"code": code, "current": PASSWORD})
    assert member.get("/account").status_code == 200
    assert other.get("/account").status_code == 302


def test_the_code_that_turned_it_on_does_not_log_in(member, person):
    secret = scan(member)
    code = pyotp.TOTP(secret).at(clock.utcnow())
    member.post("/account/second-factor", {"code": code, "current": PASSWORD})
    browser = person()
    log_in(browser, member.email)
    assert browser.post("/login/code", {"code": code}).status_code == 422


def test_the_password_alone_does_not_log_in(asked, guarded):
    assert asked.get("/").status_code == 302
    assert asked.get("/login/code").status_code == 200
    assert db.session.query(AuditEntry).filter_by(action="login.succeeded").count() == 0


@pytest.mark.parametrize(
    "typed", ["12345", "1234567", "0000-0000", "0000-0000-0000-0000-000", "abcdef", "1234 5678 90"]
)
def test_a_code_that_is_not_whole_is_told_so(asked, guarded, typed):
    answer = asked.post("/login/code", {"code": typed})
    assert answer.status_code == 422
    assert "O código do aplicativo tem 6 números, e o de recuperação, 20." in answer.text


def test_a_wrong_code_of_either_kind_gets_the_advice_of_its_kind(asked, guarded):
    assert "Espere o próximo" in asked.post("/login/code", {"code": "000-000"}).text
    assert "Este código de recuperação não vale" in asked.post("/login/code", {"code": "0000-" * 4 + "0000"}).text


@pytest.mark.parametrize("form", ["{}{}", "{} {}", "{}-{}"])
def test_a_code_may_be_written_in_groups(nobody, guarded, form):
    log_in(nobody, guarded.email)
    code = pyotp.TOTP(second_factor_of(guarded)).at(clock.utcnow())
    assert nobody.post("/login/code", {"code": form.format(code[:3], code[3:])}).status_code == 303


def test_the_code_logs_in_and_leads_on(nobody, guarded):
    asked = log_in(nobody, guarded.email, url="/login?next=/deliveries?status=failed")
    answer = nobody.post(asked.location, {"code": code_of(guarded)})
    assert answer.location == "/deliveries?status=failed"
    assert nobody.get("/").status_code == 200
    assert db.session.query(AuditEntry).filter_by(action="login.succeeded").count() == 1


def test_after_the_code_nothing_leads_off_the_portal(nobody, guarded):
    log_in(nobody, guarded.email)
    assert nobody.post("/login/code?next=//evil.example", {"code": code_of(guarded)}).location == "/"


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_may_be_a_step_off(asked, guarded, steps):
    assert asked.post("/login/code", {"code": code_of(guarded, steps=steps)}).location == "/"


@pytest.mark.parametrize("steps", [-3, 3])
def test_older_and_later_codes_are_refused(asked, guarded, steps):
    assert asked.post("/login/code", {"code": code_of(guarded, steps=steps)}).status_code == 422


def test_a_code_is_good_once(asked, guarded, person):
    code = code_of(guarded)
    assert asked.post("/login/code", {"code": f"{code[:3]} {code[3:]}"}).location == "/"
    second = person()
    log_in(second, guarded.email)
    assert second.post("/login/code", {"code": code}).status_code == 422
    assert second.post("/login/code", {"code": code_of(guarded, steps=-1)}).status_code == 422


def test_guessing_codes_is_slowed_down_wherever_it_comes_from(asked, guarded, person):
    for number in range(logging_in.FREE_FAILURES):
        assert guess(asked, f"192.0.2.{number}") == 422
    assert guess(asked, "192.0.2.99") == 429
    assert db.session.query(AuditEntry).filter_by(action="login.code_refused").count() == logging_in.FREE_FAILURES


def guess(browser, ip) -> int:
    data = {"csrf_token": browser.token(), "code": "000000"}
    return browser.open("/login/code", method="POST", data=data, environ_base={"REMOTE_ADDR": ip}).status_code


def test_wrong_passwords_of_others_do_not_keep_the_code_out(person, asked, guarded):
    for _ in range(logging_in.FREE_FAILURES):
        log_in(person(), guarded.email, "wrong wrong")
    assert asked.post("/login/code", {"code": code_of(guarded)}).location == "/"


def test_the_code_has_to_come_soon_after_the_password(asked, guarded):
    with time_machine.travel(clock.utcnow() + timedelta(minutes=6)):
        assert asked.post("/login/code", {"code": code_of(guarded)}).location == "/login"
        assert asked.get("/").status_code == 302


def test_a_password_proven_before_the_sessions_ended_counts_no_more(asked, guarded, admin):
    admin.post(f"/team/{guarded.id}/role", {"role": "admin"})
    assert asked.post("/login/code", {"code": code_of(guarded)}).location == "/login"


@pytest.mark.parametrize("change", [{"disabled_at": clock.utcnow()}, {"role": None}], ids=["disabled", "no log-in"])
def test_the_code_lets_nobody_in_who_may_not_log_in_any_more(asked, guarded, change):
    code = code_of(guarded)
    for name, value in change.items():
        setattr(guarded, name, value)
    db.session.commit()
    assert asked.post("/login/code", {"code": code}).location == "/login"


def test_without_the_password_no_code_is_asked_for(nobody, guarded):
    assert nobody.get("/login/code").location == "/login"
    assert nobody.post("/login/code", {"code": code_of(guarded)}).location == "/login"


def test_a_new_password_by_link_does_not_go_round_the_code(admin, nobody, guarded):
    token = links.create_link(db.session, purpose="reset", user=guarded)
    assert nobody.post(f"/reset/{token}", {"password": "uma frase bem outra"}).location == "/login/code"
    assert nobody.get("/").status_code == 302


def test_turning_it_off_takes_the_password(person, guarded):
    browser = person(guarded)
    assert browser.post("/account/second-factor/remove", {"current": "wrong wrong"}).status_code == 422
    assert browser.post("/account/second-factor/remove", {"current": PASSWORD}).location == "/account"
    assert log_in(person(), guarded.email).location == "/"


def test_an_admin_turns_it_off_for_somebody_who_lost_the_phone(admin, person, guarded):
    assert "Desligar a verificação" in admin.get(f"/team/{guarded.id}").text
    admin.post(f"/team/{guarded.id}/second-factor/remove")
    assert log_in(person(), guarded.email).location == "/"
    entry = db.session.query(AuditEntry).filter_by(action="second_factor.removed").one()
    assert (entry.actor, entry.subject) == (admin.email, guarded.email)


def test_the_qr_code_needs_nothing_that_the_content_security_policy_forbids(member):
    page = member.get("/account/second-factor").text
    assert 'src="data:image/svg+xml' in page
    assert 'href="otpauth://totp/Catacliente' in page
    assert "style=" not in page


def codes_in(page: str) -> list[str]:
    return re.search(r'id="codigos"[^>]*>([^<]+)<', page)[1].split()


@pytest.fixture
def recovery(guarded) -> list[str]:
    """The codes of `guarded`."""
    codes = second_factor.make_recovery_codes(db.session, guarded, actor=Actor(guarded.company_id, guarded.email))
    db.session.commit()
    return codes


def test_turning_it_on_shows_ten_recovery_codes_once_and_keeps_none(member):
    code = pyotp.TOTP(scan(member)).at(clock.utcnow())
    codes = codes_in(member.post("/account/second-factor", {"code": code, "current": PASSWORD}).text)
    assert len(set(codes)) == 10
    kept = db.session.get(User, member.id).recovery_hashes
    assert len(kept) == 10
    assert not any(code.replace("-", "") in "".join(kept) for code in codes)
    page = member.get("/account/second-factor").text
    assert "Restam 10 códigos" in page
    assert codes[0] not in page


@pytest.mark.parametrize("spelt", [str, lambda code: code.replace("-", ""), lambda code: f" {code.replace('-', ' ')} "])
def test_a_recovery_code_lets_in_once(asked, person, guarded, recovery, spelt):
    assert asked.post("/login/code", {"code": spelt(recovery[3])}).location == "/"
    assert db.session.query(AuditEntry).filter_by(action="login.recovered").count() == 1
    assert len(db.session.get(User, guarded.id).recovery_hashes) == 9
    assert "Você entrou com um código de recuperação; restam 9." in asked.get("/").text
    assert "Você tem 9 códigos de recuperação." in asked.get("/account").text
    again = person()
    log_in(again, guarded.email)
    refused = again.post("/login/code", {"code": recovery[3]})
    assert (refused.status_code, "não vale, ou já foi usado" in refused.text) == (422, True)
    assert "Espere o próximo" in again.post("/login/code", {"code": "000000"}).text
    assert again.post("/login/code", {"code": recovery[4]}).location == "/"


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (1, "Você entrou com um código de recuperação; resta 1. Se perdeu"),
        (0, "Você entrou com o seu último código de recuperação. Se perdeu"),
    ],
)
def test_the_last_recovery_codes_are_said_to_be_the_last(asked, guarded, recovery, left, words):
    guarded.recovery_hashes = guarded.recovery_hashes[: left + 1]
    db.session.commit()
    asked.post("/login/code", {"code": recovery[0]})
    assert words in asked.get("/").text


def test_guesses_of_recovery_codes_are_slowed_down_like_others(asked, recovery):
    statuses = {asked.post("/login/code", {"code": "0" * 20}).status_code for _ in range(logging_in.FREE_FAILURES + 1)}
    assert statuses == {422, 429}
    assert asked.post("/login/code", {"code": recovery[0]}).status_code == 429


def test_another_person_s_code_is_none(asked, company, recovery):
    other = make_user(company)
    codes = second_factor.make_recovery_codes(db.session, other, actor=Actor(company.id, other.email))
    db.session.commit()
    assert asked.post("/login/code", {"code": codes[0]}).status_code == 422


def test_new_codes_take_the_password_and_replace_the_old_ones(member):
    user = db.session.get(User, member.id)
    set_second_factor(user, second_factor.new_secret())
    old = second_factor.make_recovery_codes(db.session, user, actor=Actor(user.company_id, user.email))
    db.session.commit()
    assert member.post("/account/second-factor/codes", {"current": "wrong wrong"}).status_code == 422
    new = codes_in(member.post("/account/second-factor/codes", {"current": PASSWORD}).text)
    assert not set(old) & set(new)
    member.post("/account/second-factor/remove", {"current": PASSWORD})
    assert db.session.get(User, member.id).recovery_hashes is None
    assert member.post("/account/second-factor/codes", {"current": PASSWORD}).location == "/account/second-factor"


@BOTH
def test_two_at_once_do_not_share_a_recovery_code(app, company):
    user = make_user(company)
    (code, *_) = second_factor.make_recovery_codes(db.session, user, actor=Actor(company.id, user.email))
    user_id = user.id
    db.session.commit()
    start, used = threading.Barrier(2), []

    def use() -> None:
        with app.app_context():
            start.wait()
            used.append(second_factor.use_recovery_code(db.session, db.session.get_one(User, user_id), code))
            db.session.commit()
            db.session.remove()

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(used) == [False, True]


def test_the_account_says_when_no_recovery_code_is_left(asked, guarded, recovery):
    assert asked.post("/login/code", {"code": recovery[3]}).location == "/"
    db.session.get(User, guarded.id).recovery_hashes = []
    db.session.commit()
    assert "Você não tem nenhum código de recuperação." in asked.get("/account").text
