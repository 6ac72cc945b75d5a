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
