"""Another e-mail: nobody takes somebody else's, and what hung on the old one ends."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy.orm import Session

from portal import clock
from portal.audit import Actor
from portal.database.db import db
from portal.models import AccessLink, AuditEntry, Contact, User
from portal.people import emails, links, users
from portal.people.passwords import InvalidAccount
from tests.conftest import BOTH
from tests.factories import make_company, make_contact, make_user


def actor_for(user: User) -> Actor:
    return Actor(user.company_id, user.email, "192.0.2.7")


def own_link(user: User, email: str) -> AccessLink:
    link = links.find_link(db.session, emails.ask(db.session, user, email, actor=actor_for(user)), purpose="email")
    assert link is not None
    return link


def problem_of(call: object, *arguments: object, **more: object) -> str:
    with pytest.raises(InvalidAccount) as caught:
        call(*arguments, **more)  # type: ignore[operator]
    return caught.value.code


@BOTH
def test_a_confirmed_address_is_the_persons_and_every_session_and_link_ends(app: Flask) -> None:
    user = make_user(make_company(), email="ana@example.com")
    user.proxied_at = clock.utcnow()
    reset, session_id = links.create_link(db.session, purpose="reset", user=user), user.get_id()
    assert emails.confirm(db.session, own_link(user, " Ana@Nova.example "), actor=actor_for(user)) == "ana@example.com"
    db.session.commit()
    assert user.email == "ana@nova.example"
    assert user.get_id() != session_id
    assert user.proxied_at is None
    assert links.find_link(db.session, reset, purpose="reset") is None
    entry = db.session.query(AuditEntry).filter_by(action="email.changed").one()
    assert (entry.actor, entry.subject, entry.ip) == (
        "ana@example.com",
        "ana@example.com -> ana@nova.example",
        "192.0.2.7",
    )


@BOTH
def test_asking_tells_nobody_whether_an_address_is_taken_and_confirming_does(app: Flask) -> None:
    make_user(make_company("Outra"), email="vera@example.com")
    company = make_company()
    make_user(company, email="dona@example.com", role=None)
    ana, bia = (make_user(company, email=f"{name}@example.com") for name in ("ana", "bia"))
    elsewhere, here = own_link(ana, "vera@example.com"), own_link(bia, "dona@example.com")
    assert problem_of(emails.confirm, db.session, elsewhere, actor=actor_for(ana)) == "taken"
    assert problem_of(emails.confirm, db.session, here, actor=actor_for(bia)) == "owns_contacts"
    assert problem_of(emails.change, db.session, bia, "ana@example.com", actor=actor_for(bia)) == "taken_here"
    assert (ana.email, bia.email) == ("ana@example.com", "bia@example.com")
    bia.password_hash = None  # invited only: whoever opens the link is told
    assert emails.change(db.session, bia, "vera@example.com", actor=actor_for(ana)) == "bia@example.com"


def test_only_who_was_invited_and_may_come_in_is_invited_anew(app: Flask) -> None:
    company = make_company()
    boss, invited, out, owner = (make_user(company, email=f"{name}@example.com") for name in ("a", "b", "c", "d"))
    for user in (invited, out, owner):
        user.password_hash = None
    out.disabled_at, owner.role = clock.utcnow(), None
    db.session.commit()
    everybody = (boss, invited, out, owner)
    made = [emails.change_for(db.session, user, f"x{user.email}", actor=actor_for(boss)) for user in everybody]
    assert [link and link[0] for link in made] == ["email", "invitation", None, None]
    assert [user.email[0] for user in everybody] == ["a", "x", "x", "x"]


@BOTH
def test_two_who_confirm_one_address_at_once_do_not_share_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    company = make_company()
    ana, other = make_user(company, email="ana@example.com"), make_user(make_company("Outra"), email="x@example.com")

    def taken_meanwhile(session: Session, *_: object) -> None:
        session.query(User).filter_by(id=other.id).update({"email": "nova@example.com"})

    monkeypatch.setattr(emails, "_refuse_taken", taken_meanwhile)
    assert problem_of(emails.change, db.session, ana, "nova@example.com", actor=actor_for(ana)) == "taken"


NO_ADDRESSES = ("ana", "@x.test", "ana@xtest", "a na@x.test", "ana@x .test", "ana@x.test\u200b", "a" * 248 + "@x.test")


def test_what_is_no_other_address_is_refused(app: Flask) -> None:
    user = make_user(make_company(), email="ana@example.com")
    wrong = {**dict.fromkeys(NO_ADDRESSES, "not_an_email"), " ANA@example.com": "unchanged"}
    said = {email: problem_of(emails.ask, db.session, user, email, actor=actor_for(user)) for email in wrong}
    assert said == wrong


def test_somebody_asks_for_themselves_once_in_a_while_and_an_admin_at_any_time(app: Flask) -> None:
    company = make_company()
    ana, boss = make_user(company, email="ana@example.com"), make_user(company, email="boss@example.com")
    own_link(ana, "nova@example.com")
    assert problem_of(emails.ask, db.session, ana, "outra@example.com", actor=actor_for(ana)) == "too_soon"
    emails.ask(db.session, ana, "outra@example.com", actor=actor_for(boss))
    with time_machine.travel(clock.utcnow() + timedelta(minutes=6)):
        own_link(ana, "mais@example.com")


def test_a_newer_link_and_a_new_password_end_an_older_one(app: Flask) -> None:
    company = make_company()
    ana, boss = make_user(company, email="ana@example.com"), make_user(company, email="boss@example.com")
    tokens = [emails.ask(db.session, ana, f"{name}@example.com", actor=actor_for(boss)) for name in ("b", "c")]
    assert [links.find_link(db.session, token, purpose="email") is not None for token in tokens] == [False, True]
    links.drop_links(db.session, ana.id)
    assert links.find_link(db.session, tokens[1], purpose="email") is None


@BOTH
@pytest.mark.parametrize("act", ["email", "name", "log-in"])
def test_the_crm_has_the_old_data_of_the_owners_contacts(app: Flask, act: str) -> None:
    company = make_company()
    mine, theirs = make_contact(company), make_contact(company)
    theirs.owner = make_user(company, email="outra@example.com")
    mine.data_changed_at = theirs.data_changed_at = None
    db.session.commit()
    match act:
        case "email":
            emails.change(db.session, mine.owner, "nova@example.com", actor=Actor(company.id, "console"))
        case "name":
            users.change_profile(db.session, mine.owner, name="Outro", language="en", timezone=None)
        case "log-in":
            who = {"email": mine.owner.email, "role": "member", "password": None}
            users.add_user(db.session, company, name="Outro", **who)
    db.session.commit()
    db.session.expire_all()
    changed = {each.id for each in db.session.query(Contact) if each.data_changed_at is not None}
    assert changed == {mine.id}
