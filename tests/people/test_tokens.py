"""Whom a token proves: its own user in its own company, whoever else there is."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from portal import clock
from portal.database.db import db
from portal.models import ApiToken
from portal.people import tokens
from tests.conftest import BOTH
from tests.factories import actor_of, make_company, make_user

pytestmark = BOTH
END = clock.utcnow().date() + timedelta(days=7)


def test_a_token_proves_its_user_and_company_among_many(app: Flask) -> None:
    zones = ("America/Manaus", "Europe/Lisbon", "UTC")
    companies = [make_company(f"Empresa {zone}") for zone in zones]
    made = {}
    for company, zone in zip(companies, zones, strict=True):
        company.timezone = zone
        for role in ("admin", "member"):
            user = make_user(company, role=role)
            token = tokens.create_token(db.session, user, label="CRM", scope="classify", last_day=END)
            made[token] = (company.id, user.id, user.name, user.email, role, "classify", zone)
    db.session.commit()
    for token, facts in made.items():
        bearer = tokens.find_bearer(db.engine, token)
        assert bearer is not None
        names = ("company_id", "user_id", "name", "email", "role", "scope", "timezone")
        assert tuple(getattr(bearer, name) for name in names) == facts
        assert (bearer.last_day, bearer.is_over) == (END, False)


def test_letters_of_one_token_and_the_secret_of_another_prove_nobody(app: Flask) -> None:
    user = make_user(make_company())
    first, second = (tokens.create_token(db.session, user, label="CRM") for _ in range(2))
    db.session.commit()
    (prefix, lookup, secret), (_, _, other) = (token.split("_", 2) for token in (first, second))
    for presented in (
        f"{prefix}_{lookup}_{other}",
        f"dog_{lookup}_{secret}",
        f"{prefix}_{lookup}",
        f"{prefix}_{lookup}_",
        "",
    ):
        assert tokens.find_bearer(db.engine, presented) is None


@pytest.mark.parametrize("change", ["revoked", "disabled", "without a log-in"])
def test_a_token_ends_with_its_user_and_leaves_others(app: Flask, change: str) -> None:
    company = make_company()
    user, other = make_user(company), make_user(company)
    token, kept = (tokens.create_token(db.session, each, label="CRM") for each in (user, other))
    db.session.commit()
    if change == "revoked":
        row = db.session.query(ApiToken).filter_by(user_id=user.id).one()
        tokens.revoke_token(db.session, row, actor=actor_of(company))
    elif change == "disabled":
        user.disabled_at = clock.utcnow()
    else:
        user.role = None
    db.session.commit()
    assert tokens.find_bearer(db.engine, token) is None
    assert tokens.find_bearer(db.engine, kept) is not None


def test_tokens_are_listed_and_found_within_their_company(app: Flask) -> None:
    ours, theirs = make_company(), make_company("Outra")
    for company, label in ((ours, "primeiro"), (theirs, theirs.name), (ours, ours.name)):
        tokens.create_token(db.session, make_user(company), label=label)
    db.session.commit()
    mine, older = tokens.tokens_of(db.session, ours.id)
    assert older.label == "primeiro"
    (foreign,) = tokens.tokens_of(db.session, theirs.id)
    assert (mine.label, foreign.label) == (ours.name, theirs.name)
    assert tokens.get_token(db.session, ours.id, mine.id) is mine
    assert tokens.get_token(db.session, ours.id, foreign.id) is None


def test_a_last_day_is_today_or_later_within_ten_years(app: Flask) -> None:
    user = make_user(make_company())
    user.company.timezone = "UTC"
    today = clock.utcnow().date()
    for days in (0, 3653):
        token = tokens.create_token(db.session, user, label="CRM", last_day=today + timedelta(days=days))
        db.session.commit()
        bearer = tokens.find_bearer(db.engine, token)
        assert bearer is not None
        assert not bearer.is_over
        assert replace(bearer, last_day=today - timedelta(days=2)).is_over
    for days in (-2, 3655):
        with pytest.raises(tokens.NoLastDay):
            tokens.create_token(db.session, user, label="CRM", last_day=today + timedelta(days=days))
