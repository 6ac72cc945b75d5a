"""Who and what is meant, and no other: of the rest each misses by one fact, and moments are told apart exactly."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal.audit import Actor
from portal.clock import utcnow
from portal.database.db import db
from portal.models import AccessLink, ApiToken, Company, User
from portal.people import links, logging_in, tokens, users
from portal.people.logging_in import FAILURE_WINDOW, FREE_FAILURES, TooManyFailures
from portal.people.passwords import InvalidAccount, hash_secret
from portal.working_models import LoginFailure
from tests.factories import NOON, actor_of, make_company, make_user

MOMENT = timedelta(microseconds=1)
EMAIL = "ana@x.test"
IP = "192.0.2.1"


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def user(app: Flask) -> User:
    return make_user(make_company(), email=EMAIL)


def make_person(company: Company | str = "Outra", **facts: Any) -> User:
    """Somebody with the same address, as an admin with a password but for these facts."""
    company = make_company(company) if isinstance(company, str) else company
    defaults = {"name": "Ana", "email": EMAIL, "role": "admin", "password_hash": "x", "created_at": NOON}
    person = User(company_id=company.id, **defaults | facts)
    db.session.add(person)
    db.session.commit()
    return person


def make_link(user: User, **facts: Any) -> AccessLink:
    defaults = {
        "purpose": "reset",
        "token_hash": hash_secret("right"),
        "user_id": user.id,
        "created_at": NOON,
        "expires_at": NOON + MOMENT,
    }
    link = AccessLink(**defaults | facts)
    db.session.add(link)
    db.session.commit()
    return link


@pytest.mark.parametrize(
    ("facts", "opens", "why"),
    [
        ({}, True, None),
        ({"expires_at": NOON}, False, "expired"),
        ({"used_at": NOON}, False, "used"),
        ({"used_at": NOON, "expires_at": NOON}, False, "used"),
        ({"purpose": "invitation"}, False, None),
        ({"token_hash": hash_secret("wrong")}, False, None),
        ({"user_id": None}, True, None),
    ],
    ids=["right", "over", "used", "used and over", "for something else", "another's", "of nobody"],
)
def test_a_link_opens_while_all_is_right(user: User, facts: dict[str, Any], opens: bool, why: str | None) -> None:
    link = make_link(user, **facts)
    assert links.find_link(db.session, "right", purpose="reset") is (link if opens else None)
    assert links.why_closed(db.session, "right", purpose="reset") == why


@pytest.mark.parametrize(
    ("facts", "asked_again"),
    [
        ({"mailed_at": NOON - timedelta(minutes=5) + MOMENT}, False),
        ({"mailed_at": NOON - timedelta(minutes=5)}, True),
        ({"mailed_at": None}, True),
        ({"mailed_at": NOON, "used_at": NOON}, False),
        ({"mailed_at": NOON, "purpose": "email"}, True),
        ({"mailed_at": NOON, "user_id": None}, True),
    ],
)
def test_a_link_is_mailed_again_after_five_minutes(user: User, facts: dict[str, Any], asked_again: bool) -> None:
    make_link(user, **facts)
    assert (links.request_reset(db.session, EMAIL, ip=IP) is not None) is asked_again


def test_a_link_whose_mail_did_not_go_is_worthless_and_may_be_asked_for_at_once(user: User) -> None:
    other, (_, token) = make_user(user.company), links.request_reset(db.session, EMAIL, ip=IP) or (None, "")
    kept = links.create_link(db.session, purpose="reset", user=other)
    links.take_back(db.session, token)
    assert links.find_link(db.session, token, purpose="reset") is None
    assert links.find_link(db.session, kept, purpose="reset") is not None
    assert links.request_reset(db.session, EMAIL, ip=IP) is not None


@pytest.mark.parametrize(
    ("purpose", "ended"),
    [("reset", {"reset"}), ("email", {"email"}), ("drop", {"invitation", "reset", "email"})],
)
def test_a_new_link_ends_those_before_it_of_its_person_and_purpose(user: User, purpose: str, ended: set[str]) -> None:
    other = make_user(user.company)
    ours = {name: make_link(user, purpose=name, token_hash=name) for name in ("invitation", "reset", "email", "setup")}
    theirs = [make_link(other, token_hash="other"), make_link(other, token_hash="nobody", user_id=None)]
    used = make_link(user, token_hash="long", used_at=NOON - timedelta(days=1))
    if purpose == "drop":
        links.drop_links(db.session, user.id)
    else:
        links.create_link(db.session, purpose=purpose, user=user)
    db.session.expire_all()
    assert {name: link.used_at for name, link in ours.items() if link.used_at} == dict.fromkeys(ended, NOON)
    assert [link.used_at for link in theirs] == [None, None]
    assert used.used_at == NOON - timedelta(days=1)


def test_a_new_link_says_all_of_itself(user: User) -> None:
    lasts = {"setup": 7, "invitation": 7, "reset": 1, "email": 1}
    for purpose, days in lasts.items():
        token = links.create_link(db.session, purpose=purpose, user=user, email="novo@x.test", is_mailed=days == 1)
        link = links.find_link(db.session, token, purpose=purpose)
        assert link is not None
        assert (link.user, link.email, link.created_at, link.expires_at, link.mailed_at) == (
            *(user, "novo@x.test", NOON, NOON + timedelta(days=days)),
            NOON if days == 1 else None,
        )


BAD = {"no log-in": {"role": None}, "shut out": {"disabled_at": NOON}}


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    ("facts", "is_alone"),
    [
        ({"role": None}, True),
        ({"disabled_at": NOON, "password_hash": None}, True),
        ({"password_hash": None}, False),
        ({"email": "outra@x.test"}, True),
    ],
    ids=["no log-in", "shut out", "invited", "of another address"],
)
def test_an_address_means_who_may_log_in_and_has_a_password(
    app: Flask, facts: dict[str, Any], is_alone: bool, is_first: bool
) -> None:
    if is_first:
        make_person("Uma", **facts)
    right = make_person("Certa")
    if not is_first:
        make_person("Uma", **facts)
    assert logging_in.find_user(db.session, EMAIL) is right
    assert logging_in.find_proxied(db.session, EMAIL) is (right if is_alone else None)
    right.proxied_at = NOON
    assert logging_in.find_proxied(db.session, EMAIL) is right


def test_of_two_who_were_invited_an_address_means_the_first(app: Flask) -> None:
    first, second = (make_person(name, password_hash=None) for name in ("Uma", "Duas"))
    assert logging_in.find_user(db.session, EMAIL) is first
    assert logging_in.find_proxied(db.session, EMAIL) is None
    logging_in.keep_for_proxy(db.session, first)
    logging_in.keep_for_proxy(db.session, second)
    assert (first.proxied_at, second.proxied_at) == (NOON, None)
    assert logging_in.find_proxied(db.session, EMAIL) is first


@pytest.mark.parametrize(
    "facts",
    [{}, {"role": "member"}, {"password_hash": None}, {"disabled_at": NOON}, {"company": "Outra"}],
    ids=["as good", "a member", "invited", "shut out", "of another company"],
)
def test_the_last_admin_who_can_log_in_stays(user: User, facts: dict[str, Any]) -> None:
    make_person(**{"company": user.company, "email": "bia@x.test"} | facts)
    for act in (
        lambda: users.disable(db.session, user, actor=actor_of(user.company)),
        lambda: users.change_role(db.session, user, "member", actor=actor_of(user.company)),
    ):
        if facts:
            with pytest.raises(InvalidAccount, match="last_admin"):
                act()
        else:
            act()
            user.disabled_at, user.role = None, "admin"
    assert (user.role, user.disabled_at) == ("admin", None)


@pytest.mark.parametrize("anywhere", [False, True])
@pytest.mark.parametrize(
    ("ip", "account", "at", "is_near", "is_of_account"),
    [
        (IP, EMAIL, NOON, True, True),
        (IP, EMAIL, NOON - FAILURE_WINDOW + MOMENT, True, True),
        (IP, EMAIL, NOON - FAILURE_WINDOW, False, False),
        ("192.0.2.2", EMAIL, NOON, False, True),
        (IP, "outra@x.test", NOON, False, False),
    ],
    ids=["right", "young enough", "too old", "from elsewhere", "of another account"],
)
def test_the_tenth_failure_is_the_last(
    app: Flask, anywhere: bool, ip: str, account: str, at: datetime, is_near: bool, is_of_account: bool
) -> None:
    failures = [LoginFailure(account_key=hash_secret(account), ip=ip, at=at) for _ in range(FREE_FAILURES)]
    kept = LoginFailure(account_key="x", ip="x", at=NOON - FAILURE_WINDOW)
    gone = LoginFailure(account_key="x", ip="x", at=NOON - FAILURE_WINDOW - MOMENT)
    db.session.add_all([*failures, kept, gone])
    db.session.commit()

    def guess() -> None:
        logging_in.count_guess(db.session, EMAIL, ip=IP, anywhere=anywhere)
        db.session.commit()

    if is_of_account if anywhere else is_near:
        with pytest.raises(TooManyFailures):
            guess()
        db.session.rollback()
        db.session.delete(failures[0])
        db.session.commit()
        guess()
        assert db.session.query(LoginFailure).filter_by(ip="x").one() is kept
    else:
        guess()
        for _ in range(FREE_FAILURES - 1):
            guess()
    with pytest.raises(TooManyFailures):
        guess()


@pytest.mark.parametrize(
    ("facts", "person", "presented", "proves"),
    [
        ({}, {}, "cat_look_secret", True),
        ({}, {"password_hash": None}, "cat_look_secret", True),
        ({}, {}, "dog_look_secret", False),
        ({}, {}, "cat_look_secrets", False),
        ({}, {}, "cat_loop_secret", False),
        ({"revoked_at": NOON}, {}, "cat_look_secret", False),
        *(({}, facts, "cat_look_secret", False) for facts in BAD.values()),
    ],
)
def test_a_token_proves_its_user_while_all_is_right(
    app: Flask, facts: dict[str, Any], person: dict[str, Any], presented: str, proves: bool
) -> None:
    owner, last_day = make_person(**person), NOON.date() - timedelta(days=1)
    said = {"label": "CRM", "lookup": "look", "secret_hash": hash_secret("secret"), "created_at": NOON}
    more = {"scope": "read", "last_day": last_day, "last_used_at": NOON}
    token = ApiToken(company_id=owner.company_id, user_id=owner.id, **said | more | facts)
    db.session.add(token)
    db.session.commit()
    expected = tokens.Bearer(
        *(token.id, owner.company_id, owner.id, "Ana", EMAIL, "admin"), "read", last_day, NOON, "America/Sao_Paulo"
    )
    assert tokens.find_bearer(db.engine, presented) == (expected if proves else None)
    assert expected.is_over
    assert tokens.is_over(token)


def test_a_company_has_a_hundred_tokens_at_one_time_the_newest_first(user: User) -> None:
    other = make_user(make_company("Outra"))
    tokens.create_token(db.session, other, label="theirs")
    for number in range(100):
        tokens.create_token(db.session, user, label=str(number))
    with pytest.raises(tokens.TooManyTokens):
        tokens.create_token(db.session, user, label="100")
    listed = tokens.tokens_of(db.session, user.company_id)
    assert [token.label for token in listed] == [str(number) for number in range(99, -1, -1)]
    assert (listed[0].scope, listed[0].created_at, listed[0].last_day) == ("manage", NOON, None)
    tokens.revoke_token(db.session, listed[0], actor=Actor(user.company_id, EMAIL))
    tokens.create_token(db.session, user, label="100")


def test_use_of_a_token_is_noted_of_that_one(user: User) -> None:
    for label in ("used", "unused"):
        tokens.create_token(db.session, user, label=label)
    db.session.commit()
    unused, used = tokens.tokens_of(db.session, user.company_id)
    number = used.id
    db.session.rollback()
    tokens.record_token_use(db.engine, number)
    db.session.expire_all()
    assert (used.last_used_at, unused.last_used_at) == (utcnow(), None)


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        (" Ana@X.Test ", EMAIL),
        ("@x.test", None),
        ("ana", None),
        ("ana@xtest", None),
        ("a na@x.test", None),
        ("ana\u200b@x.test", None),
        ("a" * 247 + "@x.test", "a" * 247 + "@x.test"),
        ("a" * 248 + "@x.test", None),
    ],
)
def test_an_address_is_kept_in_one_form(email: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(InvalidAccount, match="not_an_email"):
            users.normalise_email(email)
    else:
        assert users.normalise_email(email) == kept
