"""What is said of people and companies is kept as it was said, each in its place, and who is meant is found."""

import pytest
from flask import Flask

from portal.database.db import db
from portal.models import AuditEntry, User
from portal.people import links, logging_in, passwords, users
from portal.people.passwords import InvalidAccount
from portal.privacy import closing
from tests.factories import PASSWORD, actor_of, make_company, make_user, set_second_factor


@pytest.fixture
def user(app: Flask) -> User:
    """Somebody who has a twin in another company."""
    make_user(make_company("Outra"), email="ana@x.test", role=None)
    return make_user(make_company(), email="ana@x.test")


def test_what_somebody_says_of_themselves_is_kept(user: User) -> None:
    for facts in (("Bia", "en", "UTC"), ("Bia", "pt_BR", None)):
        users.change_profile(db.session, user, **dict(zip(("name", "language", "timezone"), facts, strict=True)))
        db.session.commit()
        assert (user.name, user.locale, user.timezone) == facts


def test_a_company_has_the_name_and_zone_that_it_was_given_and_no_others_name(user: User) -> None:
    company, actor = user.company, actor_of(user.company)
    assert users.change_company(db.session, actor, company, name="Nova", timezone="America/Manaus")
    assert not users.change_company(db.session, actor, company, name="Outra", timezone="UTC")
    db.session.commit()
    assert (company.name, company.timezone) == ("Nova", "America/Manaus")


@pytest.mark.parametrize("act", [users.admit, users.invite])
def test_who_is_let_in_without_a_password_has_an_invitation(user: User, act) -> None:
    facts = {"name": "Bia", "email": "Bia@x.test", "role": "member"} | (
        {"password": None} if act is users.admit else {}
    )
    made, token = act(db.session, user.company, **facts, actor=actor_of(user.company))
    found = links.find_link(db.session, token, purpose="invitation")
    assert found is not None
    assert (found.user, made.name, made.email, made.role) == (made, "Bia", "bia@x.test", "member")


def test_a_person_is_found_by_the_address_within_the_company(user: User) -> None:
    make_user(user.company, email="bia@x.test")
    assert users.find_person(db.session, user.company_id, "ANA@x.test") is user
    assert users.find_person(db.session, user.company_id, "rui@x.test") is None


@pytest.mark.parametrize(
    ("length", "code"), [(7, "too_short"), (8, None), (128, None), (129, "too_long")], ids=["7", "8", "128", "129"]
)
def test_a_password_has_8_to_128_characters(user: User, length: int, code: str | None) -> None:
    password = ("açúcar-e-sal/" * 10)[:length]
    if code is None:
        passwords.set_password(user, password)
    else:
        with pytest.raises(InvalidAccount, match=code) as refusal:
            passwords.set_password(user, password)
        assert refusal.value.field == "password"


@pytest.mark.parametrize(("role", "is_refused"), [("member", True), (None, False)], ids=["logs in", "owns contacts"])
def test_of_two_with_one_address_the_first_to_choose_a_password_logs_in(
    user: User, role: str | None, is_refused: bool
) -> None:
    invited = User(
        company=make_company("Terceira"), name="Ana", email=user.email, role="member", created_at=user.created_at
    )
    db.session.add(invited)
    user.role = role
    db.session.commit()
    if is_refused:
        with pytest.raises(InvalidAccount, match="taken") as refusal:
            passwords.set_password(invited, "uma frase bem outra")
        assert refusal.value.field == "email"
    else:
        passwords.set_password(invited, "uma frase bem outra")
        assert invited.password_hash is not None


@pytest.mark.parametrize("has_second", [False, True])
def test_a_log_in_is_written_down_once_it_is_whole(user: User, has_second: bool) -> None:
    if has_second:
        set_second_factor(user, "A" * 32)
        db.session.commit()
    log_in = logging_in.find_log_in(db.session, user.email, ip="192.0.2.1")
    assert logging_in.record_log_in(db.session, log_in, password=PASSWORD, proven=True) is user
    written = [entry.action for entry in db.session.query(AuditEntry)]
    assert written == ([] if has_second else ["login.succeeded"])


def test_a_company_that_has_nothing_loses_nothing(user: User) -> None:
    empty = make_company("Vazia")
    assert set(closing.holdings_of(db.session, empty.id).values()) == {0}
