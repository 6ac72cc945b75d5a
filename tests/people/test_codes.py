"""What an app is given to make codes with: whose they are, and of what."""

from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
from flask import Flask

from portal.audit import Actor
from portal.database.db import db
from portal.people import second_factor
from tests.factories import make_company, make_user


def test_the_app_shows_whose_codes_of_which_service_they_are() -> None:
    secret = second_factor.new_secret()
    parts = urlsplit(second_factor.app_address(secret, "bia+1@x.test"))
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/Catacliente:bia+1@x.test")
    assert parse_qs(parts.query) == {"secret": [secret], "issuer": ["Catacliente"]}, "the rest is what apps take it for"
    assert second_factor.find_step(secret, pyotp.TOTP(secret).now()) is not None


def test_new_recovery_codes_take_the_place_of_all_before(app: Flask) -> None:
    user = make_user(make_company())
    old, new = (second_factor.make_recovery_codes(db.session, user, actor=Actor(user.company_id, "")) for _ in range(2))
    are_taken = [second_factor.use_recovery_code(db.session, user, code) for code in (*old, *new)]
    assert are_taken == [False] * 10 + [True] * 10
