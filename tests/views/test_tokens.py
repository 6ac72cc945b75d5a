"""The company's API tokens, as an admin makes and revokes them."""

import re
from datetime import timedelta

import pytest

from portal import clock
from portal.database.db import db
from portal.models import ApiToken, AuditEntry
from portal.people import tokens
from tests.factories import make_company, make_user


def make(admin, user_id, label="n8n", scope="manage", last_day=""):
    answer = admin.post("/tokens", {"label": label, "user": str(user_id), "scope": scope, "last_day": last_day})
    found = re.search(r'id="token-valor">(cat_[^<]+)<', answer.text)
    return found[1] if found else None


def status(browser, token) -> int:
    return browser.get("/api/v1/webhook", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_token_is_shown_once_and_opens_the_api(admin, nobody):
    token = make(admin, admin.id)
    assert status(nobody, token) == 200
    page = admin.get("/tokens").text
    assert "_".join(token.split("_")[:2]) in page
    assert token not in page


def test_the_list_says_whose_a_token_is_and_when_it_was_used(admin, member, nobody):
    token = make(admin, member.id)
    assert "nunca" in admin.get("/tokens").text
    status(nobody, token)
    page = admin.get("/tokens").text
    assert "nunca" not in page
    assert "João, Membro" in page


def test_a_revoked_token_stops_with_the_next_call(admin, nobody):
    token = make(admin, admin.id)
    admin.post(f"/tokens/{db.session.query(ApiToken).one().id}/revoke")
    assert status(nobody, token) == 401
    assert "Nenhum token ainda" in admin.get("/tokens").text


def test_the_token_of_somebody_who_was_shut_out_is_marked(admin, member):
    make(admin, member.id)
    admin.post(f"/team/{member.id}/disable")
    assert "Parado: pessoa sem acesso" in admin.get("/tokens").text


def test_making_and_revoking_are_in_the_audit_log_without_the_secret(admin, member):
    token = make(admin, member.id)
    admin.post(f"/tokens/{db.session.query(ApiToken).one().id}/revoke")
    entries = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    created, revoked = f"n8n ({member.email}, manage)", f"n8n ({member.email})"
    assert [(entry.action, entry.actor, entry.subject) for entry in entries] == [
        ("token.created", admin.email, created),
        ("token.revoked", admin.email, revoked),
    ]
    assert token.split("_", 2)[2] not in str([vars(entry) for entry in entries])


def test_a_token_needs_a_label_and_somebody_of_the_company_who_logs_in(admin, company):
    owner, foreigner = make_user(company, role=None), make_user(make_company("Outra"))
    assert admin.post("/tokens", {"label": " ", "user": str(admin.id)}).status_code == 422
    for user in (owner, foreigner):
        assert admin.post("/tokens", {"label": "CRM", "user": str(user.id), "scope": "read"}).status_code == 422
    assert db.session.query(ApiToken).count() == 0


def test_the_documentation_of_the_api_leads_to_the_tokens(nobody):
    assert 'href="/tokens"' in nobody.get("/api/docs").text


def test_a_token_has_the_scope_and_the_end_that_were_chosen(admin, nobody):
    day = clock.utcnow().date() + timedelta(days=30)
    token = make(admin, admin.id, scope="read", last_day=day.isoformat())
    stored = db.session.query(ApiToken).one()
    assert (stored.scope, stored.last_day) == ("read", day)
    assert status(nobody, token) == 200
    page = admin.get("/tokens").text
    assert " · Ler · " in page
    assert "vale até" in page


def test_a_token_whose_last_day_is_past_is_marked(admin):
    make(admin, admin.id)
    db.session.query(ApiToken).update({"last_day": clock.utcnow().date() - timedelta(days=2)})
    db.session.commit()
    page = admin.get("/tokens").text
    assert "O último dia passou" in page
    assert "vale até" not in page


@pytest.mark.parametrize("days", [-2, 3700], ids=["past", "far"])
def test_a_last_day_that_is_past_or_far_is_refused(admin, days):
    day = clock.utcnow().date() + timedelta(days=days)
    answer = admin.post("/tokens", {"label": "x", "user": str(admin.id), "scope": "read", "last_day": day.isoformat()})
    assert answer.status_code == 422
    assert "dentro de dez anos" in answer.text
    assert db.session.query(ApiToken).count() == 0


def test_an_unknown_scope_is_refused(admin):
    assert make(admin, admin.id, scope="everything") is None
    assert db.session.query(ApiToken).count() == 0


def test_a_company_has_no_more_tokens_than_it_may(admin, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_TOKENS", 2)
    make(admin, admin.id)
    make(admin, admin.id)
    assert make(admin, admin.id) is None
    admin.post(f"/tokens/{db.session.query(ApiToken).first().id}/revoke")
    assert make(admin, admin.id) is not None, "a revoked token does not count"
    make_user(make_company("Outra"))
    assert db.session.query(ApiToken).count() == 3
