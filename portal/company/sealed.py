"""The sealed secrets of the database, whoever's they are: found, checked, and sealed anew when an older version did."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from portal.models import Endpoint, User
from portal.vault import DamagedSecret, Purpose, Vault, WrongKey, is_old
from portal.working_models import Chat

# Every column that holds sealed text, and what it is sealed for.
PURPOSES: Mapping[InstrumentedAttribute[str] | InstrumentedAttribute[str | None], Purpose] = {
    Endpoint.secret: "webhook_secret",
    Endpoint.old_secret: "webhook_secret",
    Endpoint.header_secret: "webhook_header",
    User.totp_secret: "second_factor",
    Chat.address_secret: "chat_address",
}


@dataclass(frozen=True)
class StoredSecret:
    """A sealed secret, and the row that holds it."""

    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
    row_id: int
    company_id: int
    sealed: str

    def open(self, vault: Vault) -> str:
        """Raises WrongKey or DamagedSecret."""
        return vault.open(self.sealed, purpose=PURPOSES[self.column], company_id=self.company_id)


def stored_secrets(session: Session) -> Iterator[StoredSecret]:
    """Every sealed secret of every company."""
    for column in PURPOSES:
        model = column.class_
        for row in session.execute(select(model.id, model.company_id, column).where(column.is_not(None))).all():
            yield StoredSecret(column, *row)


def prove_key(session: Session, vault: Vault) -> None:
    """Raises WrongKey when the key opens none of the stored secrets; when it opens one, the others are damaged."""
    wrong: WrongKey | None = None
    for stored in stored_secrets(session):
        try:
            stored.open(vault)
            return
        except WrongKey as error:
            wrong = error
        except DamagedSecret:
            pass
    if wrong is not None:
        raise wrong


def has_old(session: Session) -> bool:
    """Whether there is a secret that an older version sealed."""
    return any(is_old(stored.sealed) for stored in stored_secrets(session))


def reseal(session: Session, vault: Vault) -> int:
    """Seal anew, as far as it opens, what an older version sealed. Returns how much. Raises WrongKey."""
    prove_key(session, vault)
    count = 0
    for stored in [each for each in stored_secrets(session) if is_old(each.sealed)]:
        with suppress(DamagedSecret):  # it stays as it is: the doctor names it
            model, secret = stored.column.class_, stored.open(vault)
            fresh = vault.seal(secret, purpose=PURPOSES[stored.column], company_id=stored.company_id)
            is_same = (model.id == stored.row_id) & (stored.column == stored.sealed)
            session.execute(update(model).where(is_same).values({stored.column.key: fresh}))
            count += 1
    return count
