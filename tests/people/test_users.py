"""Rules about people that have to hold when several act at once, on both databases."""

import threading

import pyotp
from flask import Flask

from portal import clock
from portal.audit import Actor
from portal.database.db import db
from portal.models import User
from portal.people import passwords, second_factor, users
from portal.runtime import runtime
from tests.conftest import BOTH
from tests.factories import make_company, make_user, session_of, set_second_factor

pytestmark = BOTH


def demote(app: Flask, user_id: int, refused: list[str]) -> None:
    with session_of(app) as session:
        try:
            user = session.get_one(User, user_id)
            users.change_role(session, user, "member", actor=Actor(user.company_id, "test"))
            session.commit()
        except passwords.InvalidAccount as error:
            refused.append(error.code)


def test_two_admins_who_demote_each_other_leave_one(app: Flask) -> None:
    company = make_company()
    first, second = (make_user(company, role="admin").id for _ in range(2))
    db.session.commit()
    refused: list[str] = []
    with session_of(app) as session:
        users.change_role(session, session.get_one(User, first), "member", actor=Actor(company.id, "test"))
        session.flush()
        other = threading.Thread(target=demote, args=(app, second, refused))
        other.start()
        other.join(0.5)  # it has to wait for what this transaction decides
        session.commit()
    other.join(60)
    assert refused == ["last_admin"]
    assert db.session.query(User).filter_by(role="admin").count() == 1


def test_neither_another_companys_admins_nor_who_cannot_log_in_lets_the_last_one_go(app: Flask) -> None:
    company, other = make_company(), make_company("Outra")
    admin = make_user(company)
    for_nothing = [make_user(other), make_user(other), make_user(company, role="member"), make_user(company)]
    for_nothing[3].password_hash = None  # invited, and not there yet
    disabled = make_user(company)
    disabled.disabled_at = clock.utcnow()
    db.session.commit()
    refused: list[str] = []
    demote(app, admin.id, refused)
    assert refused == ["last_admin"]
    for_nothing[3].password_hash = admin.password_hash
    db.session.commit()
    demote(app, admin.id, [])
    assert db.session.get_one(User, admin.id, populate_existing=True).role == "member"


def enter_code(app: Flask, user_id: int, code: str, start: threading.Barrier, accepted: list[bool]) -> None:
    with session_of(app) as session:
        user = session.get_one(User, user_id)
        session.rollback()
        start.wait(10)
        accepted.append(second_factor.accept_code(session, user, code, vault=runtime().vault, ip="192.0.2.1"))
        session.commit()


def test_two_log_ins_at_once_cannot_share_a_code(app: Flask) -> None:
    user, secret = make_user(make_company()), second_factor.new_secret()
    set_second_factor(user, secret)
    db.session.commit()
    code = pyotp.TOTP(secret).at(clock.utcnow())
    start, accepted = threading.Barrier(2), []
    threads = [threading.Thread(target=enter_code, args=(app, user.id, code, start, accepted)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(accepted) == [False, True]
