"""Rules about people that have to hold when several act at once, on both databases."""

import threading

from flask import Flask

from portal import accounts
from portal.db import db
from portal.models import User
from tests.engine.conftest import BOTH
from tests.factories import make_company, make_user, session_of

pytestmark = BOTH


def demote(app: Flask, user_id: int, start: threading.Barrier, refused: list[str]) -> None:
    with session_of(app) as session:
        start.wait(10)
        try:
            accounts.change_role(session, session.get_one(User, user_id), "member", actor="test", ip=None)
            session.commit()
        except accounts.InvalidAccount as error:
            refused.append(error.problem)


def test_two_admins_who_demote_each_other_leave_one(app: Flask) -> None:
    company = make_company()
    ids = [make_user(company, role="admin").id for _ in range(2)]
    db.session.commit()
    start, refused = threading.Barrier(2), []
    threads = [threading.Thread(target=demote, args=(app, user_id, start, refused)) for user_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert refused == ["last_admin"]
    assert db.session.query(User).filter_by(role="admin").count() == 1
