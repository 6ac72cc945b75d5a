"""The tables: columns, constraints, indexes and read-only properties. Nothing here decides, queries or sends."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, false, true
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from portal.database.indexes import by_number, few, only
from portal.database.packing import Packed
from portal.database.tables import GIVEN_ONCE, Base, Headers, Key, Numbered, PublicId, UTCDateTime, following, one_of
from portal.working_models import Told

LEVELS = (1, 2, 3)
ROLES = ("admin", "member")
REPORTS = ("week", "month")  # how often somebody gets the report by e-mail
SCOPES = ("read", "classify", "manage")  # what a token may do; each includes those before it
ENDPOINT_STATES = ("active", "failing", "paused")
DELIVERY_STATUSES = ("pending", "sending", "delivered", "failed", "superseded", "cancelled")
OPEN_STATUSES = ("pending", "sending")
RARE_REASON = "reason NOT IN ('ok_empty', 'ok_json', 'ok_text')"  # of a delivery; like the next it keeps an index small
RARE_TRIGGER = "trigger <> 'classification'"
UNPURGED = "NOT is_purged"
BEHIND = "interest_level <> coalesce(delivered_level, 0)"  # of a contact: it has a level that the CRM does not know
CHANGED = "data_changed_at > delivered_frozen_at"  # of a contact: the CRM has the old data
REMOVED = "interest_level IS NULL AND delivered_level IS NOT NULL"  # of a contact: the CRM has the level of before
REPLIED = "reply_date IS NOT NULL AND (classified_at IS NULL OR reply_date > classified_at)"  # since it was classified
PLACE = {"contact_id": "id", "campaign_id": "campaign_id", "owner_id": "owner_id"}  # a contact's, and what it calls it
TRIGGERS = ("classification", "retry", "manual", "sync", "test")
TASK_STATUSES = ("draft", "waiting", "running", "done", "failed")


class Company(Numbered):
    """A customer of the installation: everything below belongs to exactly one."""

    name: Mapped[str] = mapped_column(String(200), unique=True)
    timezone: Mapped[str] = mapped_column(String(64), default="America/Sao_Paulo")
    locale: Mapped[str] = mapped_column(String(8), default="pt_BR")
    keep_bodies_days: Mapped[int] = mapped_column(default=30)
    keep_log_days: Mapped[int] = mapped_column(default=365)
    keep_audit_days: Mapped[int] = mapped_column(default=730)
    inspector_token: Mapped[str | None] = mapped_column(String(32), unique=True)  # the secret part of its test address
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # it is being erased since then


# Of whom an e-mail is unique over all companies: who is invited learns by the link that it has a log-in already.
LOGS_IN = "role IS NOT NULL AND password_hash IS NOT NULL"


class User(Numbered):
    """A person of a company. Without a role the person only owns contacts and cannot log in."""

    __tablename__ = "user_account"
    __table_args__ = (
        UniqueConstraint("company_id", "email"),
        Index("uq_user_account_login_email", "email", unique=True, **only(LOGS_IN)),
        Index("uq_user_account_proxied_email", "email", unique=True, **only("proxied_at IS NOT NULL")),
        one_of("role", ROLES),
        GIVEN_ONCE,
    )
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str | None] = mapped_column(String(16))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    proxied_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # a trusted proxy means this account since then
    session_version: Mapped[int] = mapped_column(default=1)
    totp_secret: Mapped[str | None] = mapped_column(Text)  # sealed by the vault; None without a second factor
    totp_step: Mapped[int | None] = mapped_column(BigInteger)  # of the last code accepted: none counts twice
    recovery_hashes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))  # of the codes that are unused
    locale: Mapped[str | None] = mapped_column(String(8))
    timezone: Mapped[str | None] = mapped_column(String(64))  # None: the company's
    report_every: Mapped[str | None] = mapped_column(String(8))  # one of `REPORTS`; None: it is not mailed
    report_told: Mapped[date | None]  # the day on which the span ended that was mailed last
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    company: Mapped[Company] = relationship()
    is_authenticated, is_active, is_anonymous = True, True, False  # what Flask-Login asks of a user that it loaded

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    def get_id(self) -> str:
        """What the session cookie holds: the version makes older cookies worthless."""
        return f"{self.id}.{self.session_version}"


class AccessLink(Numbered):
    """A link that works once: first set-up, invitation, new password, another e-mail. Only its hash is kept."""

    __table_args__ = (one_of("purpose", ("setup", "invitation", "reset", "email")),)
    purpose: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    email: Mapped[str | None] = mapped_column(String(254))  # the one that an `email` link confirms
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    mailed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # to whoever asked for it themselves
    user: Mapped[User | None] = relationship()


class ApiToken(Numbered):
    """A bearer token of the API: found by its public part, proven by the hash of its secret part."""

    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    label: Mapped[str] = mapped_column(String(100))
    lookup: Mapped[str] = mapped_column(String(16), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column(String(10), server_default="manage")
    last_day: Mapped[date | None]  # in the company's time zone
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    user: Mapped[User] = relationship()


class Campaign(Numbered):
    """A campaign of prospecting; its name tells it apart within the company."""

    __table_args__ = (UniqueConstraint("company_id", "name"), GIVEN_ONCE)
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)


class Contact(Numbered):
    """A person who is prospected in one campaign, owned by one user."""

    __table_args__ = (
        Index("ix_contact_campaign_email", "campaign_id", "email"),
        Index("ix_contact_company_name", "company_id", "search_name", "id"),
        Index("ix_contact_company", "company_id", "id", sqlite_where=false()),  # it reads the next one
        Index("ix_contact_searched", "company_id", "id", "search_text", "phone", postgresql_where=false()),  # too long
        Index("ix_contact_owner", "company_id", "owner_id", "search_name", "id"),
        Index("ix_contact_classified", "company_id", "classified_at", "id"),
        Index("ix_contact_warned", "company_id", "delivered_warning", "id", **only("delivered_warning IS NOT NULL")),
        Index("ix_contact_behind", "company_id", "interest_level", "classified_at", "id", **only(BEHIND)),
        *few(unclassified="interest_level IS NULL", changed=CHANGED, removed=REMOVED, replied=REPLIED),
        Index("uq_contact_place", *PLACE.values(), unique=True),
        one_of("interest_level", LEVELS),
        GIVEN_ONCE,
    )
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    owner_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    name: Mapped[str] = mapped_column(String(300))
    search_name: Mapped[str] = mapped_column(String(300))  # the name without case and accents: what order goes by
    search_text: Mapped[str] = mapped_column(Text)  # and with e-mail, LinkedIn id and company: what search goes by
    linkedin_public_id: Mapped[str | None] = mapped_column(String(200), index=True)
    current_company: Mapped[str | None] = mapped_column(String(300))
    current_company_link: Mapped[str | None] = mapped_column(String(2000))
    role: Mapped[str | None] = mapped_column(String(300))
    location: Mapped[str | None] = mapped_column(String(300))
    email: Mapped[str | None] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(100))
    invite_date: Mapped[datetime | None] = mapped_column(UTCDateTime)
    accept_date: Mapped[datetime | None] = mapped_column(UTCDateTime)
    collect_date: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reply_date: Mapped[datetime | None] = mapped_column(UTCDateTime)
    interest_level: Mapped[int | None] = mapped_column()
    classified_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    is_level_imported: Mapped[bool] = mapped_column(default=False)  # the level came with a file
    data_changed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # some field of its body that is told
    delivered_level: Mapped[int | None] = mapped_column()  # what the CRM learned last; `outbox.settle` keeps it, with
    delivered_frozen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # when the body was made that said it
    delivered_warning: Mapped[str | None] = mapped_column(String(32))  # what it, or one before, said; None if settled
    skills: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # as in the body, like the next
    experiences: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    merged: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))  # `merging.REMEMBERED` of each
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    company: Mapped[Company] = relationship()
    campaign: Mapped[Campaign] = relationship()
    owner: Mapped[User] = relationship()
    messages: Mapped[list["Message"]] = relationship(order_by="Message.id", cascade="all, delete-orphan")


class Message(Numbered):
    """A message exchanged with a contact, in the order of the thread."""

    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id", ondelete="CASCADE"), index=True)
    sender_name: Mapped[str] = mapped_column(String(300))
    message: Mapped[str] = mapped_column(Text)
    date: Mapped[datetime | None] = mapped_column(UTCDateTime)
    pending: Mapped[bool] = mapped_column(default=False)


class Classification(Numbered):
    """A dated fact: somebody set, changed or removed a contact's interest level. What the report asks of it follows."""

    __table_args__ = (
        following("contact", **PLACE),
        Index("ix_classification_day", "company_id", "created_at", "new_level", *PLACE, "repeated_at", "arrived_at"),
    )
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    contact_id: Mapped[int] = mapped_column(Key, index=True)
    campaign_id: Mapped[int] = mapped_column(Key)  # the contact's of today, like the next: the database keeps them
    owner_id: Mapped[int] = mapped_column(Key)
    old_level: Mapped[int | None] = mapped_column()
    new_level: Mapped[int | None] = mapped_column()
    actor: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    repeated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # when the contact was set to that level again
    arrived_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # when the CRM first took what told of it or later


class Endpoint(Told):
    """A company's configured address, with its secret, its state and what happened there last."""

    __table_args__ = (one_of("state", ENDPOINT_STATES),)
    url: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(Text)  # sealed by the vault, like the old one, which signs too until its end
    old_secret: Mapped[str | None] = mapped_column(Text)
    old_secret_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    header_name: Mapped[str | None] = mapped_column(String(100))
    header_secret: Mapped[str | None] = mapped_column(Text)  # sealed; sent to no other origin than this one:
    header_origin: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), default="active")
    consecutive_failures: Mapped[int] = mapped_column(default=0)
    failed_deliveries: Mapped[int] = mapped_column(default=0)
    last_failed_delivery_id: Mapped[int | None] = mapped_column(Key)
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    probe_count: Mapped[int] = mapped_column(default=0)
    next_probe_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    paused_reason: Mapped[str | None] = mapped_column(String(32))  # manual, gone (410), outage (of days), or restored
    last_success_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_failure_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    answer_shape: Mapped[str | None] = mapped_column(String(200))  # of its accepted answers (`outbox.shapes`)
    link_pointer: Mapped[str | None] = mapped_column(String(300))  # where an answer says the id of the CRM's record
    link_template: Mapped[str | None] = mapped_column(String(1000))  # what makes an address of it; None: no links
    crm_since: Mapped[datetime | None] = mapped_column(UTCDateTime)  # when somebody said that another CRM is there
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    company: Mapped[Company] = relationship()


class Delivery(Numbered):
    """One body for one endpoint: an open row of the outbox, in the order of numbers; a line of the log for good."""

    __table_args__ = (
        *by_number("ix_delivery_due", "company_id", "next_attempt_at", **only("status = 'pending'")),
        Index("ix_delivery_sending", "lease_expires_at", **only("status = 'sending'")),
        *by_number("ix_delivery_open", "contact_id", **only("status IN ('pending', 'sending')")),
        *by_number("ix_delivery_log", "company_id"),
        *by_number("ix_delivery_status", "company_id", "status"),
        *by_number("ix_delivery_contact", "contact_id"),
        *by_number("ix_delivery_campaign", "company_id", "campaign_id"),
        *by_number("ix_delivery_owner", "company_id", "owner_id"),
        *by_number("ix_delivery_day", "company_id", "created_at"),
        *by_number("ix_delivery_reason", "company_id", "reason", **only(RARE_REASON)),
        *by_number("ix_delivery_trigger", "company_id", "trigger", **only(RARE_TRIGGER)),
        *by_number("ix_delivery_warning", "company_id", "warning", **only("warning IS NOT NULL")),
        *by_number("ix_delivery_unpurged", "company_id", "created_at", **only(UNPURGED)),
        *by_number("ix_delivery_reached", "contact_id", "delivered_at", **only("delivered_at IS NOT NULL")),
        one_of("status", DELIVERY_STATUSES),
        *(one_of(column, TRIGGERS) for column in ("trigger", "next_trigger")),
    )
    webhook_id: Mapped[str] = mapped_column(PublicId, unique=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id", ondelete="SET NULL"))
    former_contact_id: Mapped[int | None] = mapped_column(Key)  # the number in its body, of a contact merged into that
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    trigger: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(300))
    interest_level: Mapped[int | None] = mapped_column()
    previous_level: Mapped[int | None] = mapped_column()
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(32))
    warning: Mapped[str | None] = mapped_column(String(32))
    attempt_count: Mapped[int] = mapped_column(default=0)  # attempts made, with the one under way
    tries: Mapped[int] = mapped_column(default=0)  # tries used of the schedule's budget; a re-send begins a fresh one
    next_trigger: Mapped[str] = mapped_column(String(16))
    next_actor: Mapped[str | None] = mapped_column(String(300))
    next_attempt_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    has_body: Mapped[bool] = mapped_column(default=True, server_default=true())  # who locks the row knows it
    is_purged: Mapped[bool] = mapped_column(default=False, server_default=false())  # neither body nor answer is there
    contact: Mapped[Contact | None] = relationship()
    campaign: Mapped[Campaign | None] = relationship()
    owner: Mapped[User | None] = relationship()
    endpoint: Mapped[Endpoint] = relationship(
        primaryjoin=lambda: foreign(Delivery.company_id) == Endpoint.company_id, viewonly=True
    )
    attempts: Mapped[list["Attempt"]] = relationship(order_by="Attempt.id")
    stored_body: Mapped["DeliveryBody | None"] = relationship(passive_deletes=True)
    body: AssociationProxy[bytes | None] = association_proxy("stored_body", "content")

    @property
    def is_test(self) -> bool:
        return self.trigger == "test"


class DeliveryBody(Base):
    """The exact bytes of a delivery: apart from its state, which changes while they do not, and deleted whole."""

    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[bytes] = mapped_column(Packed)


class Attempt(Numbered):
    """One HTTP try of a delivery, as it was. Never changed."""

    __table_args__ = (one_of("trigger", TRIGGERS),)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id", ondelete="CASCADE"), index=True)
    number: Mapped[int] = mapped_column()
    trigger: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str | None] = mapped_column(String(300))
    late: Mapped[bool] = mapped_column(default=False)  # changed nothing: its lease had gone, or another CRM was there
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    duration_ms: Mapped[int | None] = mapped_column()
    url: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(String(45))
    status_code: Mapped[int | None] = mapped_column()
    reason: Mapped[str] = mapped_column(String(32))
    warning: Mapped[str | None] = mapped_column(String(32))
    request_sent: Mapped[bool] = mapped_column(default=False)
    response_size: Mapped[int | None] = mapped_column()
    exchange: Mapped["Exchange | None"] = relationship(lazy="joined", passive_deletes=True)
    detail: AssociationProxy[str | None] = association_proxy("exchange", "detail")
    response_body: AssociationProxy[bytes | None] = association_proxy("exchange", "response_body")

    @property
    def request_headers(self) -> list[list[str]]:
        return self.exchange.request_headers if self.exchange else []

    @property
    def response_headers(self) -> list[list[str]]:
        return self.exchange.response_headers if self.exchange else []


class Exchange(Base):
    """What was said at an attempt, on either side: kept for as long as bodies are, and deleted whole."""

    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id", ondelete="CASCADE"), primary_key=True)
    detail: Mapped[str | None] = mapped_column(Text)
    request_headers: Mapped[list[list[str]]] = mapped_column(Headers, default=list)
    response_headers: Mapped[list[list[str]]] = mapped_column(Headers, default=list)
    response_body: Mapped[bytes | None] = mapped_column(LargeBinary)  # the first 16 KiB of the answer


class Task(Numbered):
    """Long work in the background: `position` is how far it is, `tries` how often it was begun since it moved on."""

    __table_args__ = (
        Index("ix_task_open", "id", **only("status IN ('waiting', 'running')")),
        Index("ix_task_company", "company_id", "id"),
        one_of("status", TASK_STATUSES),
    )
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    kind: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(300))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(32))
    position: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column()
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    tries: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AuditEntry(Numbered):
    """An administrative act: who did what, when, from where. Only ever added; what is refused again is counted."""

    __table_args__ = (Index("ix_audit_entry_company", "company_id", "id"),)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"))
    actor: Mapped[str] = mapped_column(String(300))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(300))
    ip: Mapped[str | None] = mapped_column(String(45))
    times: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
