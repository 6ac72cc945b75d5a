"""The outbox's tables as Core sees them, and the claimed delivery: what queue, claims and settling share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table

from portal.models import Attempt, AttemptCount, Contact, Delivery, Endpoint
from portal.vault import Vault
from portal.webhook import WebhookRequest

delivery: Table = Delivery.__table__  # type: ignore[assignment]
attempt: Table = Attempt.__table__  # type: ignore[assignment]
attempt_count: Table = AttemptCount.__table__  # type: ignore[assignment]
endpoint: Table = Endpoint.__table__  # type: ignore[assignment]
contact: Table = Contact.__table__  # type: ignore[assignment]

AnyRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A claimed delivery with all that sending it takes; the row's session is long closed when it is used."""

    delivery_id: int
    webhook_id: str
    company_id: int
    contact_id: int | None
    url: str
    secret: str
    """Encrypted, as stored; so is `old_secret`, which is None when it signs no more."""
    old_secret: str | None
    known_shapes: str | None
    """The shapes of the answers that the endpoint gave before this was claimed (`outbox.shapes`)."""
    body: bytes
    trigger: str
    actor: str | None
    is_test: bool
    is_probe: bool
    """It asks whether a failing endpoint is back, at no cost to its tries."""
    number: int
    tries: int
    lease_token: str
    lease_expires_at: datetime


JOB_COLUMNS = tuple(
    delivery.c[name]
    for name in (
        "id",
        "webhook_id",
        "company_id",
        "contact_id",
        "body",
        "trigger",
        "next_trigger",
        "next_actor",
        "attempt_count",
        "tries",
        "lease_token",
        "lease_expires_at",
    )
)
"""What `job_of` reads of a delivery."""


def job_of(
    row: AnyRow,
    *,
    url: str,
    secret: str,
    old_secret: str | None = None,
    known_shapes: str | None = None,
    is_probe: bool = False,
) -> Job:
    return Job(
        delivery_id=row.id,
        webhook_id=row.webhook_id,
        company_id=row.company_id,
        contact_id=row.contact_id,
        url=url,
        secret=secret,
        old_secret=old_secret,
        known_shapes=known_shapes,
        body=row.body,
        trigger=row.next_trigger,
        actor=row.next_actor,
        is_test=row.trigger == "test",
        is_probe=is_probe,
        number=row.attempt_count,
        tries=row.tries,
        lease_token=row.lease_token,
        lease_expires_at=row.lease_expires_at,
    )


def request_of(job: Job, vault: Vault) -> WebhookRequest:
    """What is sent for a job: signed by its endpoint's secret, and by the old one while that still counts."""
    stored = (job.secret,) if job.old_secret is None else (job.secret, job.old_secret)
    secrets = tuple(vault.decrypt(secret) for secret in stored)
    return WebhookRequest(url=job.url, webhook_id=job.webhook_id, body=job.body, secrets=secrets)
