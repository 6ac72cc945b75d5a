"""What is sealed opens with the right key, for its purpose and its company, and says otherwise what is wrong."""

import base64

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal.vault import DamagedSecret, SecretError, Vault, WrongKey, is_old

KEY = "a secret key of an installation"
SECRET = "whsec_çãé"


def seal_as_before(secret: str, key: str = KEY) -> str:
    """As the versions wrote it that knew no purpose."""
    derived = HKDF(SHA256(), 32, salt=None, info=b"catacliente webhook secrets").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived)).encrypt(secret.encode()).decode()


@pytest.fixture
def vault() -> Vault:
    return Vault(KEY)


def test_what_is_sealed_opens_and_is_never_written_the_same_way_twice(vault: Vault) -> None:
    first, second = (vault.seal(SECRET, purpose="webhook_secret", company_id=7) for _ in range(2))
    assert first != second
    assert vault.open(first, purpose="webhook_secret", company_id=7) == SECRET
    assert Vault(KEY).open(second, purpose="webhook_secret", company_id=7) == SECRET


@pytest.mark.parametrize(
    ("purpose", "company_id"), [("second_factor", 7), ("second_factor_draft", 7), ("webhook_secret", 77)]
)
def test_it_opens_for_no_other_purpose_and_no_other_company(vault: Vault, purpose: str, company_id: int) -> None:
    sealed = vault.seal(SECRET, purpose="webhook_secret", company_id=7)
    vault.open(sealed, purpose="webhook_secret", company_id=7)  # what was opened once is remembered for its owner only
    with pytest.raises(DamagedSecret):
        vault.open(sealed, purpose=purpose, company_id=company_id)


def test_another_key_is_told_from_damage(vault: Vault) -> None:
    sealed = Vault("another key").seal(SECRET, purpose="webhook_secret", company_id=7)
    with pytest.raises(WrongKey):
        vault.open(sealed, purpose="webhook_secret", company_id=7)


@pytest.mark.parametrize(
    "sealed",
    [pytest.param(Vault("another key").seal("s", purpose="webhook_secret", company_id=7), id="another key"), "old"],
)
def test_a_key_that_opened_something_is_the_right_one_and_the_rest_damaged(vault: Vault, sealed: str) -> None:
    sealed = seal_as_before(SECRET, "another key") if sealed == "old" else sealed
    with pytest.raises(WrongKey):
        vault.open(sealed, purpose="webhook_secret", company_id=7)
    vault.open(vault.seal(SECRET, purpose="webhook_secret", company_id=8), purpose="webhook_secret", company_id=8)
    with pytest.raises(DamagedSecret):
        vault.open(sealed, purpose="webhook_secret", company_id=7)


def test_any_damage_is_noticed(vault: Vault) -> None:
    sealed = vault.seal(SECRET, purpose="webhook_secret", company_id=7)
    places = range(len(sealed) - 4)
    damaged = [sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :] for at in places]
    for text in [*damaged, sealed[:-1], sealed[:30], "", "v2", "v2.", "v2..", "çãé", "x" * 10_000]:
        with pytest.raises(SecretError):
            vault.open(text, purpose="webhook_secret", company_id=7)


def test_what_was_sealed_before_opens_for_what_it_was_sealed_for_then(vault: Vault) -> None:
    old = seal_as_before(SECRET)
    assert is_old(old)
    assert not is_old(vault.seal(SECRET, purpose="webhook_secret", company_id=7))
    assert vault.open(old, purpose="webhook_secret", company_id=7) == SECRET
    assert vault.open(old, purpose="second_factor", company_id=7) == SECRET
    for purpose in ("second_factor_draft", "webhook_header"):
        with pytest.raises(DamagedSecret):
            vault.open(old, purpose=purpose, company_id=7)
    with pytest.raises(WrongKey):
        Vault(KEY).open(seal_as_before(SECRET, "another key"), purpose="webhook_secret", company_id=7)


STORED = {
    "webhook_secret": "v2.ace34592c297.AewNiKsHCaZ2r3Y_MY1gfldTlt79h7J8HSqw0udpPyyXXYzBRlCaog==",
    "webhook_header": "v2.ace34592c297.9PVU_b7xd-K-8szV2hVe9XVBt8ZvAcExa98whNZdbeZH1PbnGwEmXg==",
    "second_factor": "v2.ace34592c297.A8dnLHBrj2V_Ia2jLKUOsg4htCAvZKeqJRzbU6zcZj24WTHoZvWH4A==",
    "second_factor_draft": "v2.ace34592c297.5FTFkKKP74HiuxbryskcQXEYId8ECZfM1mCsu3A5y4EUkgEkzwWd3g==",
    "chat_address": "v2.ace34592c297.03JKo5hmB8dpof5DVNmgQW8-x37TrnxFeBQlF5piFrUa0NayqKpabA==",
}
"""As databases hold them: made by 1.1."""


@pytest.mark.parametrize("other", [*STORED, "old"])
@pytest.mark.parametrize("purpose", STORED)
def test_what_stands_in_databases_opens_in_every_version_and_for_its_own_purpose(purpose: str, other: str) -> None:
    sealed = STORED.get(other) or seal_as_before(SECRET)
    if purpose == other or (other == "old" and purpose in ("webhook_secret", "second_factor")):
        assert Vault(KEY).open(sealed, purpose=purpose, company_id=7) == SECRET
    else:
        with pytest.raises(DamagedSecret):
            Vault(KEY).open(sealed, purpose=purpose, company_id=7)


def test_a_mark_is_the_same_in_every_version() -> None:
    mark = "b93ae50633d638d90fdf2fb0333558813889c9973ff2ceb41988ba62a4f8a829"
    assert Vault(KEY).mark("ana@example.com") == mark
    assert Vault("another key").mark("ana@example.com") != mark


def test_a_secret_is_sealed_anew_with_a_nonce_of_its_own_length_and_remembered_once_it_was_read(vault: Vault) -> None:
    sealed = vault.seal(SECRET, purpose="webhook_secret", company_id=7)
    form, name, held = sealed.split(".")
    assert (form, len(name), len(base64.urlsafe_b64decode(held))) == ("v2", 12, 12 + len(SECRET.encode()) + 16)
    for _ in range(3):
        vault.open(sealed, purpose="webhook_secret", company_id=7)
    seen = vault._open.cache_info()
    assert (seen.hits, seen.misses, seen.maxsize) == (2, 1, 256)
