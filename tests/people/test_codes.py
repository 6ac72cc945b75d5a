"""What an app is given to make codes with: whose they are, and of what."""

from urllib.parse import parse_qs, unquote, urlsplit

import pyotp

from portal.people import second_factor


def test_the_app_shows_whose_codes_of_which_service_they_are() -> None:
    secret = second_factor.new_secret()
    parts = urlsplit(second_factor.app_address(secret, "bia+1@x.test"))
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/Catacliente:bia+1@x.test")
    assert parse_qs(parts.query) == {"secret": [secret], "issuer": ["Catacliente"]}, "the rest is what apps take it for"
    assert second_factor.find_step(secret, pyotp.TOTP(secret).now()) is not None
