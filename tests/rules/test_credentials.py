"""What nobody else may learn of a header's value is blotted out, to the letter."""

import base64

import pytest

from portal.rules.credentials import SHORTEST, blot, blot_body, credentials_of, is_masked, mask_value


@pytest.mark.parametrize("value", ["k" * SHORTEST, "Bearer abcdef", "Basic YW5hOnNlZ3JlZG8=", "a/b/c/d"])
def test_a_credential_is_covered_by_as_many_stars(value: str) -> None:
    bare = value.partition(" ")[2] or value
    for repeated in (bare, bare.replace("/", "\\/")):
        text = f"got {repeated}, twice {repeated}."
        covered = text.replace(repeated, "*" * len(repeated))
        assert blot(text, credentials_of(value)) == covered
        assert blot_body(text.encode(), credentials_of(value)) == covered.encode()


def test_the_password_of_basic_is_covered_by_itself() -> None:
    value = "Basic " + base64.b64encode(b"ana:segredo:1").decode()
    assert blot("segredo:1 for ana", credentials_of(value)) == "********* for ana"
    assert credentials_of("Basic no base64!") == ("no base64!",)


def test_what_is_too_short_spoils_no_answer() -> None:
    assert credentials_of("k" * (SHORTEST - 1)) == ()
    assert credentials_of("Bearer " + "k" * (SHORTEST - 1)) == ()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Bearer abcdef", "Bearer …"),
        ("Basic YW5h", "Basic …"),
        ("Token abcdef", "…"),
        ("bearer abcdef", "…"),
        ("Bearer", "…"),
        ("abcdef", "…"),
    ],
)
def test_at_most_the_name_of_a_common_scheme_is_shown(value: str, shown: str) -> None:
    assert mask_value(value) == shown
    assert is_masked(shown)
    assert not is_masked(value)
