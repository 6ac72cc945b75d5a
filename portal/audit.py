"""The audit log: administrative acts, with who, when and from where. Rows are only added."""

from sqlalchemy.orm import Session

from portal import clock
from portal.models import AuditEntry


def record(
    session: Session,
    company_id: int | None,
    *,
    actor: str,
    action: str,
    subject: str | None = None,
    ip: str | None = None,
) -> None:
    """Add one act. `action` is `noun.verb`, such as `webhook.url_set`; neither it nor `subject` holds a secret."""
    session.add(
        AuditEntry(
            company_id=company_id,
            actor=actor,
            action=action,
            subject=(subject or "")[:300] or None,
            ip=ip,
            created_at=clock.utcnow(),
        )
    )
