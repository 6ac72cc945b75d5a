"""The tables of the portal's own work: what tasks hold, repeated calls, guesses, counts, signs of life."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.tables import Base, Numbered, UTCDateTime


class Told(Numbered):
    """What a company was told last by one way of telling, when, and why the last notice did not reach everybody."""

    __abstract__ = True
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"), unique=True)
    notified_state: Mapped[str] = mapped_column(String(16), default="active")
    notified_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    notice_error: Mapped[str | None] = mapped_column(String(200))


class Chat(Told):
    """The address of a chat's incoming webhook, to which a company's notices go besides the mail."""

    host: Mapped[str] = mapped_column(String(255))
    address_secret: Mapped[str] = mapped_column(Text)  # sealed: whoever has the address may write to the chat


class TaskBlock(Base):
    """A piece of what a task works on (`input`) or of a list that it leaves behind, in the order of its number."""

    task_id: Mapped[int] = mapped_column(ForeignKey("task.id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[str] = mapped_column(String(16), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class ImportedContact(Base):
    """A contact that a file named, and when its import last wrote to it: None where it found all as it was."""

    task_id: Mapped[int] = mapped_column(ForeignKey("task.id", ondelete="CASCADE"), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, index=True)
    is_created: Mapped[bool] = mapped_column()
    saved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ColumnMapping(Base):
    """What somebody chose for the columns of a file: the fields by the columns' numbers, for files of its header."""

    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"), primary_key=True)
    header_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    choices: Mapped[dict[str, str | None]] = mapped_column(JSON)


class CauseNote(Base):
    """What somebody wrote about a kind of failure or warning of the company."""

    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"), primary_key=True)
    cause: Mapped[str] = mapped_column(String(32), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(300))
    written_at: Mapped[datetime] = mapped_column(UTCDateTime)


class FormerKey(Base):
    """What somebody was matched by who was merged into a contact (`matching.former_keys`), for finding it by that."""

    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True)
    field: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(254), primary_key=True, index=True)


class CrmRecord(Base):
    """The id or link of a contact's record in the CRM: what stood at that place of the last answer that had it."""

    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True)
    pointer: Mapped[str] = mapped_column(String(300))
    value: Mapped[str] = mapped_column(String(500))


class IdempotencyKey(Base):
    """A call of the API that its caller may repeat, with what it was answered; no answer until its work is done."""

    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class LoginFailure(Numbered):
    """A log-in that failed, counted against its account and its address to slow guessing down."""

    __table_args__ = tuple(Index(f"ix_login_failure_{name}", name, "at") for name in ("account_key", "ip"))
    account_key: Mapped[str] = mapped_column(String(64))
    ip: Mapped[str] = mapped_column(String(45))
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class InspectedRequest(Numbered):
    """What arrived at a company's own test address: its body's first 64 KiB, and the size of the whole in bytes."""

    __table_args__ = (Index("ix_inspected_request_company", "company_id", "id"),)
    signature: Mapped[str] = mapped_column(String(16))
    headers: Mapped[list[list[str]]] = mapped_column(JSON)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int] = mapped_column()
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))


class Erasure(Base):
    """Who was erased, person or company, as a keyed hash (`privacy.marks`): a backup put back still has them."""

    mark: Mapped[str] = mapped_column(String(64), primary_key=True)


class AttemptCount(Base):
    """How many attempts ended so, and how long they took: counted as they are recorded, and never taken back.

    The sum of all parts counts: there are several, so that workers hardly ever wait for each other's commit.
    """

    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"), primary_key=True)
    status: Mapped[str] = mapped_column(String(16), primary_key=True)  # the delivery's, after the attempt
    reason: Mapped[str] = mapped_column(String(32), primary_key=True)
    up_to_ms: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 0 when it took no known time
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=0, server_default="0")
    number: Mapped[int] = mapped_column(BigInteger)
    total_ms: Mapped[int] = mapped_column(BigInteger)


class WorkerHeartbeat(Base):
    """The last sign of life of each worker process."""

    worker: Mapped[str] = mapped_column(String(100), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Outage(Numbered):
    """A time in which a company's receiver took nothing: from the first failure in a row until it was sent to again."""

    __table_args__ = (Index("ix_outage_company", "company_id", "id"),)
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    began_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reason: Mapped[str] = mapped_column(String(32))  # of the failure that told, with its code
    status_code: Mapped[int | None] = mapped_column()
    held: Mapped[int | None] = mapped_column()  # how many deliveries it held up; None while it lasts


class HeldDelivery(Base):
    """A delivery that an outage held up: it waited when the outage ended, or failed for good while it lasted."""

    outage_id: Mapped[int] = mapped_column(ForeignKey("outage.id", ondelete="CASCADE"), primary_key=True)
    delivery_id: Mapped[int] = mapped_column(
        ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True, index=True
    )
