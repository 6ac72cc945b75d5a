"""Each act on people is written down once, with who did it and to whom; what changes nothing is not written down."""

import pyotp
from flask import Flask

from portal import clock
from portal.audit import Actor
from portal.database.db import db
from portal.models import ApiToken, AuditEntry, User
from portal.people import links, second_factor, tokens, users
from portal.runtime import runtime
from tests.factories import PASSWORD, make_company, make_user

IP = "192.0.2.7"


def use_link(user: User, *, actor: Actor, password: str) -> None:
    purpose, token = links.issue_link(db.session, user, actor=actor)
    link = links.find_link(db.session, token, purpose=purpose)
    assert link is not None
    links.choose_password(db.session, link, user, password, ip=IP)


def test_each_act_on_people_is_written_down_once(app: Flask) -> None:
    company, vault = make_company(), runtime().vault
    boss = Actor(company.id, make_user(company, email="dona@x.test").email, IP)
    user, _ = users.invite(db.session, company, name="Bia", email="bia@x.test", role="member", actor=boss)
    caio = {"name": "Caio", "email": "caio@x.test", "role": "member"}
    assert users.admit(db.session, company, **caio, password=PASSWORD, actor=boss)[1] is None
    use_link(user, actor=boss, password=PASSWORD)
    use_link(user, actor=boss, password="uma frase bem outra")
    reset = links.create_link(db.session, purpose="reset", user=user)
    session_id = user.get_id()
    users.change_password(db.session, user, PASSWORD, actor=Actor(company.id, user.email, IP))
    assert user.get_id() != session_id
    assert links.find_link(db.session, reset, purpose="reset") is None
    secret = second_factor.new_secret()
    code = pyotp.TOTP(secret).at(clock.utcnow())
    assert second_factor.turn_on(db.session, user, code, secret=secret, vault=vault, actor=boss)
    second_factor.make_recovery_codes(db.session, user, actor=boss)
    tokens.create_token(db.session, user, label="CRM", actor=boss)
    db.session.flush()
    token = db.session.query(ApiToken).one()
    for _ in range(2):  # the second time it is so already
        second_factor.turn_off(db.session, user, actor=boss)
        tokens.revoke_token(db.session, token, actor=boss)
        users.change_role(db.session, user, "admin", actor=boss)
        users.disable(db.session, user, actor=boss)
        held = (token.revoked_at, user.disabled_at, user.session_version)
    assert held == (token.revoked_at, user.disabled_at, user.session_version)
    assert user.recovery_hashes is None
    for _ in range(2):
        users.enable(db.session, user, actor=boss)
    for zone in ("UTC", "America/Manaus"):
        assert users.change_company(db.session, boss, company, name="Nova", timezone=zone)
    db.session.commit()
    written = db.session.query(AuditEntry).order_by(AuditEntry.id)
    assert [(entry.action, entry.actor, entry.subject) for entry in written] == [
        ("user.invited", boss.email, "bia@x.test: member"),
        ("user.added", boss.email, "caio@x.test"),
        ("invitation.issued", boss.email, "bia@x.test"),
        ("invitation.accepted", "bia@x.test", None),
        ("reset.issued", boss.email, "bia@x.test"),
        ("password.reset", "bia@x.test", None),
        ("password.changed", "bia@x.test", None),
        ("second_factor.enabled", boss.email, None),
        ("second_factor.codes_made", boss.email, None),
        ("token.created", boss.email, "CRM (bia@x.test, manage)"),
        ("second_factor.removed", boss.email, "bia@x.test"),
        ("token.revoked", boss.email, "CRM (bia@x.test)"),
        ("user.role_changed", boss.email, "bia@x.test: member -> admin"),
        ("user.disabled", boss.email, "bia@x.test"),
        ("user.enabled", boss.email, "bia@x.test"),
        ("company.changed", boss.email, "UTC"),
        ("company.changed", boss.email, "America/Manaus"),
    ]
    assert {entry.ip for entry in written} == {IP}


def test_the_first_admin_is_written_down_with_the_company(app: Flask) -> None:
    token = links.create_link(db.session, purpose="setup")
    link = links.find_link(db.session, token, purpose="setup")
    assert link is not None
    facts = {"company": "Nova", "name": "Rita", "email": " Rita@Nova.test ", "password": PASSWORD}
    user = users.set_up(db.session, link, vault=runtime().vault, ip=IP, **facts)
    entry = db.session.query(AuditEntry).one()
    assert (entry.company_id, entry.action, entry.actor, entry.ip) == (
        user.company_id,
        "company.created",
        "rita@nova.test",
        IP,
    )
