"""Links that work once: for one purpose, and for nobody who may not come in."""

import pytest
from flask import Flask

from portal import people
from portal.audit import Actor
from portal.database.db import db
from portal.models import User
from tests.factories import make_company, make_user


@pytest.fixture
def user(app: Flask) -> User:
    company = make_company()
    make_user(company, role="admin")
    return make_user(company, role="member")


@pytest.mark.parametrize("purpose", ["setup", "invitation", "reset"])
def test_a_link_opens_what_it_was_made_for_only(user: User, purpose: str) -> None:
    token = people.create_link(db.session, purpose=purpose, user=None if purpose == "setup" else user)
    opened = {each for each in people.LINK_LIFETIMES if people.find_link(db.session, token, purpose=each)}
    assert opened == {purpose}


def test_using_one_link_uses_up_the_others_of_the_same_person(user: User) -> None:
    invitation = people.create_link(db.session, purpose="invitation", user=user)
    reset = people.create_link(db.session, purpose="reset", user=user)
    link = people.find_link(db.session, reset, purpose="reset")
    assert link is not None
    people.use_link(db.session, link)
    assert people.find_link(db.session, reset, purpose="reset") is None
    assert people.find_link(db.session, invitation, purpose="invitation") is None


def test_disabling_a_person_ends_their_links_for_good(user: User) -> None:
    token, actor = people.create_link(db.session, purpose="reset", user=user), Actor(user.company_id, "test")
    people.disable(db.session, user, actor=actor)
    people.enable(db.session, user, actor=actor)
    assert people.find_link(db.session, token, purpose="reset") is None
