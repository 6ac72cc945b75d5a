"""Guessing is slowed down, however many guess at once, on both databases."""

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask

from portal import clock
from portal.audit import Actor
from portal.database.db import db
from portal.people import logging_in, passwords, second_factor, users
from portal.people.logging_in import ACCOUNTS_A_HOST, network_of
from portal.runtime import runtime
from portal.working_models import LoginFailure
from tests.conftest import BOTH
from tests.factories import PASSWORD, make_company, make_user, session_of


def guess(ip: str = "192.0.2.1", email: str = "ana@example.com") -> bool:
    """Whether a wrong guess is checked at all."""
    try:
        logging_in.find_log_in(db.session, email, ip=ip)
    except logging_in.TooManyFailures:
        db.session.rollback()
        return False
    db.session.commit()
    return True


@BOTH
def test_of_40_guesses_at_once_no_more_than_10_are_checked(app: Flask) -> None:
    start, checked = threading.Barrier(40), []

    def one() -> None:
        with session_of(app) as session:
            start.wait(30)
            try:
                logging_in.find_log_in(session, "ana@example.com", ip="192.0.2.1")
                session.commit()
                checked.append(True)
            except logging_in.TooManyFailures:
                session.rollback()

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(checked) == logging_in.FREE_FAILURES


def test_after_the_window_one_gets_in_again_and_old_guesses_are_forgotten(app: Flask) -> None:
    assert [guess() for _ in range(11)] == [True] * 10 + [False]
    with time_machine.travel(clock.utcnow() + timedelta(minutes=14)):
        assert not guess()
    with time_machine.travel(clock.utcnow() + timedelta(minutes=16)):
        assert guess()
        assert db.session.query(LoginFailure).count() == 1


def test_one_address_guesses_no_more_whatever_the_account_and_no_other_is_kept_out(app: Flask) -> None:
    tried = [guess(email=f"a{number}@example.com") for number in range(logging_in.FREE_FAILURES * ACCOUNTS_A_HOST + 1)]
    assert tried == [True] * 50 + [False]
    assert guess("192.0.2.2")


def test_the_addresses_of_one_ipv6_network_are_one(app: Flask) -> None:
    assert [guess(f"2001:db8::{number:x}") for number in range(1, 12)] == [True] * 10 + [False]
    assert guess("2001:db8:0:1::1")


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_what_guesses_are_counted_by(ip: str, network: str) -> None:
    assert network_of(ip) == network


def test_a_right_password_counts_against_nobody(app: Flask) -> None:
    user = make_user(make_company())
    for _ in range(12):
        log_in = logging_in.find_log_in(db.session, user.email, ip="192.0.2.1")
        db.session.commit()
        assert logging_in.record_log_in(db.session, log_in, password=PASSWORD, proven=log_in.proves(PASSWORD))
        db.session.commit()
    assert db.session.query(LoginFailure).count() == 0


def test_an_address_may_be_typed_with_capitals_and_spaces_around(app: Flask) -> None:
    user = make_user(make_company(), email="ana@example.com")
    assert logging_in.find_log_in(db.session, "  Ana@Example.com ", ip="192.0.2.1").user_id == user.id


def test_no_more_of_a_typed_password_is_hashed_than_one_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(passwords, "hasher", SimpleNamespace(verify=lambda _hash, typed: seen.append(len(typed))))
    passwords.is_password("a hash", "x" * 10_000)
    assert seen == [passwords.MAX_PASSWORD_LENGTH]


def test_a_password_that_was_kept_with_less_work_is_kept_anew(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_user(make_company())
    old = user.password_hash
    log_in = logging_in.find_log_in(db.session, user.email, ip="192.0.2.1")
    more = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    for room in (passwords, logging_in):
        monkeypatch.setattr(room, "hasher", more)
    for proven in (False, True):
        assert user.password_hash == old
        logging_in.record_log_in(db.session, log_in, password=PASSWORD, proven=proven)
    assert user.password_hash != old
    assert passwords.is_password(user.password_hash, PASSWORD)


def test_a_right_code_counts_against_nobody(app: Flask) -> None:
    user = make_user(make_company())
    codes = second_factor.make_recovery_codes(db.session, user, actor=Actor(user.company_id, user.email))
    for code in codes:
        assert second_factor.accept_code(db.session, user, code, vault=runtime().vault, ip="192.0.2.1")
    assert db.session.query(LoginFailure).count() == 0
    assert not second_factor.accept_code(db.session, user, codes[0], vault=runtime().vault, ip="192.0.2.1")


def test_who_has_a_password_is_meant_before_an_older_invitation_to_the_same_address(app: Flask) -> None:
    invited, own = make_user(make_company("Alheia")), make_user(make_company("Sua"))
    invited.email = own.email = "ana@example.com"
    invited.password_hash = None
    db.session.commit()
    assert invited.id < own.id
    assert logging_in.find_user(db.session, "ana@example.com") == own


def test_a_proxy_means_nobody_else_once_it_means_somebody(app: Flask) -> None:
    first, second = make_user(make_company("Primeira"), role="member"), make_user(make_company("Segunda"))
    first.email = second.email = "ana@example.com"
    second.password_hash = None
    db.session.flush()
    logging_in.keep_for_proxy(db.session, first)
    since = first.proxied_at
    for user in (second, first):
        logging_in.keep_for_proxy(db.session, user)
    assert (first.proxied_at, second.proxied_at) == (since, None)
    assert since is not None
    users.disable(db.session, first, actor=Actor(first.company_id, "dona@example.com"))
    assert first.proxied_at is None
