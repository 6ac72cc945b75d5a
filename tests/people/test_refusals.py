"""What is refused of an account says where and why; who gets in, or does not, is written down with the address."""

from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
import time_machine
from flask import Flask

from portal import clock
from portal.audit import Actor
from portal.database.db import db
from portal.models import AccessLink, AuditEntry, Company, User
from portal.people import emails, links, logging_in, passwords, second_factor, users
from portal.people.passwords import InvalidAccount
from portal.runtime import runtime
from tests.factories import NOON, PASSWORD, actor_of, make_company, make_user, set_second_factor

IP = "192.0.2.7"
TAKEN = "rui@x.example"


@pytest.fixture
def user(app: Flask) -> User:
    """Ana, the only admin; Bia, and an owner without a log-in; and Rui, of another company, who logs in."""
    make_user(make_company("Outra"), email=TAKEN)
    company = make_company()
    make_user(company, email="bia@x.example", role="member")
    make_user(company, email="dono@x.example", role=None)
    return make_user(company, email="ana@x.example")


def invited(company: Company, email: str) -> User:
    boss = actor_of(company)
    return users.invite(db.session, company, name="Rui", email=email, role="member", actor=boss)[0]


def ask_twice(user: User, email: str) -> None:
    for _ in range(2):
        emails.ask(db.session, user, email, actor=Actor(user.company_id, user.email))


Act = Callable[[User], object]
ACTS: list[tuple[Act, str]] = [
    (lambda user: passwords.set_password(user, "x" * 7), "password: too_short"),
    (lambda user: passwords.set_password(user, "xy" * 64 + "z"), "password: too_long"),
    (lambda user: passwords.set_password(user, "password"), "password: too_common"),
    (lambda user: passwords.set_password(invited(user.company, TAKEN), PASSWORD), "email: taken"),
    (lambda user: users.normalise_email("ana"), "email: not_an_email"),
    (lambda user: invited(user.company, "bia@x.example"), "email: taken"),
    (lambda user: users.change_role(db.session, user, "member", actor=actor_of(user.company)), "role: last_admin"),
    (lambda user: users.disable(db.session, user, actor=actor_of(user.company)), "role: last_admin"),
    (lambda user: ask_twice(user, user.email), "email: unchanged"),
    (lambda user: ask_twice(user, "nova@x.example"), "email: too_soon"),
    (lambda user: emails.change(db.session, user, TAKEN, actor=actor_of(user.company)), "email: taken"),
    (lambda user: emails.change(db.session, user, "bia@x.example", actor=actor_of(user.company)), "email: taken_here"),
    (
        lambda user: emails.change(db.session, user, "dono@x.example", actor=actor_of(user.company)),
        "email: owns_contacts",
    ),
    (
        lambda user: emails.confirm(db.session, AccessLink(purpose="email", user=user), actor=actor_of(user.company)),
        "email: not_an_email",
    ),
    (
        lambda user: emails.confirm(db.session, AccessLink(purpose="email", email=TAKEN), actor=actor_of(user.company)),
        "email: not_an_email",
    ),
]


@pytest.mark.parametrize(("act", "refused"), ACTS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_refused_says_where_and_why(user: User, act: Act, refused: str) -> None:
    with db.session.no_autoflush, pytest.raises(InvalidAccount) as caught:
        act(user)
    assert f"{caught.value.field}: {caught.value.code}" == str(caught.value) == refused


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "active"),
        ({"password_hash": None}, "invited"),
        ({"password_hash": None, "proxied_at": NOON}, "active"),
        ({"disabled_at": NOON}, "disabled"),
        ({"role": None}, "without_login"),
        ({"role": None, "disabled_at": NOON}, "without_login"),
    ],
)
def test_the_state_of_a_person(user: User, facts: dict[str, object], state: str) -> None:
    for name, value in facts.items():
        setattr(user, name, value)
    assert users.state_of(user) == state


def written() -> list[tuple[str, str, str | None, int | None]]:
    db.session.flush()
    rows = db.session.query(AuditEntry).order_by(AuditEntry.id)
    return [(row.action, row.actor, row.ip, row.company_id) for row in rows]


def test_each_way_in_is_written_down_with_its_address(user: User) -> None:
    for email, password in (("nobody@x.example", PASSWORD), (user.email, "wrong"), (user.email, PASSWORD)):
        found = logging_in.find_log_in(db.session, email, ip=IP)
        logging_in.record_log_in(db.session, found, password=password, proven=found.proves(password))
    logging_in.record_confirmation(db.session, found, Actor(user.company_id, user.email, IP), proven=False)
    db.session.commit()
    let_in = logging_in.enter_proxied(db.session, user.email, ip=IP)
    assert (let_in, user.proxied_at is not None) == (user, True)
    links.request_reset(db.session, user.email, ip=IP)
    ours = (user.email, IP, user.company_id)
    assert written() == [
        ("login.failed", "nobody@x.example", IP, None),
        ("login.failed", *ours),
        ("login.succeeded", *ours),
        ("password.refused", *ours),
        ("login.proxied", *ours),
        ("reset.requested", *ours),
    ]


def test_each_code_lets_in_once_and_an_older_one_not_at_all(user: User) -> None:
    secret = second_factor.new_secret()
    set_second_factor(user, secret)
    steps = [NOON, NOON, NOON + timedelta(seconds=30), NOON, NOON + timedelta(seconds=60)]
    accepted = []
    for moment in steps:
        with time_machine.travel(moment, tick=False):
            code = pyotp.TOTP(secret).at(clock.utcnow())
            accepted.append(second_factor.accept_code(db.session, user, code, vault=runtime().vault, ip=IP))
    assert accepted == [True, False, True, False, True]
    acts = ["login.succeeded" if each else "login.code_refused" for each in accepted]
    assert written() == [(act, user.email, IP, user.company_id) for act in acts]
