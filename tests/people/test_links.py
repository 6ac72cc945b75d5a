"""Links that work once: for one purpose, and for nobody who may not come in."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from portal import clock
from portal.audit import Actor
from portal.database.db import db
from portal.models import User
from portal.people import links, users
from tests.factories import make_company, make_user


@pytest.fixture
def user(app: Flask) -> User:
    company = make_company()
    make_user(company, role="admin")
    return make_user(company, role="member")


@pytest.mark.parametrize("purpose", list(links.LINK_LIFETIMES))
def test_a_link_opens_what_it_was_made_for_only(user: User, purpose: str) -> None:
    token = links.create_link(db.session, purpose=purpose, user=None if purpose == "setup" else user)
    opened = {each for each in links.LINK_LIFETIMES if links.find_link(db.session, token, purpose=each)}
    assert opened == {purpose}


def test_links_last_as_long_as_their_mails_say() -> None:
    days = {"setup": 7, "invitation": 7, "reset": 1, "email": 1}
    assert {purpose: timedelta(days=each) for purpose, each in days.items()} == links.LINK_LIFETIMES


def test_who_was_given_a_link_by_an_admin_may_still_ask_for_one(user: User) -> None:
    links.issue_link(db.session, user, actor=Actor(user.company_id, "dona@x.test"))
    assert links.request_reset(db.session, user.email, ip="192.0.2.7") is not None
    assert links.request_reset(db.session, user.email, ip="192.0.2.7") is None


def test_why_a_link_opens_nothing_is_told_of_our_own_only(user: User) -> None:
    token = links.create_link(db.session, purpose="reset", user=user)

    def why(purpose: str = "reset") -> str | None:
        return links.why_closed(db.session, token, purpose=purpose)

    assert why() is None
    with time_machine.travel(clock.utcnow() + timedelta(days=2)):
        assert (why(), why("email")) == ("expired", None)
    links.drop_links(db.session, user.id)
    assert (why(), links.why_closed(db.session, "x", purpose="reset")) == ("used", None)


def test_using_one_link_uses_up_the_others_of_the_same_person(user: User) -> None:
    invitation = links.create_link(db.session, purpose="invitation", user=user)
    reset = links.create_link(db.session, purpose="reset", user=user)
    link = links.find_link(db.session, reset, purpose="reset")
    assert link is not None
    links.use_link(db.session, link)
    assert links.find_link(db.session, reset, purpose="reset") is None
    assert links.find_link(db.session, invitation, purpose="invitation") is None


def test_disabling_a_person_ends_their_links_for_good(user: User) -> None:
    token, actor = links.create_link(db.session, purpose="reset", user=user), Actor(user.company_id, "test")
    users.disable(db.session, user, actor=actor)
    users.enable(db.session, user, actor=actor)
    assert links.find_link(db.session, token, purpose="reset") is None


def test_the_link_of_somebody_without_a_log_in_opens_nothing(user: User) -> None:
    token = links.create_link(db.session, purpose="reset", user=user)
    user.role = None
    assert links.find_link(db.session, token, purpose="reset") is None
