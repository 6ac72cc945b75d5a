"""A company's endpoint: its address, its secret and its state. Acts write their audit entry; the caller commits."""

import base64
import secrets
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from portal import audit, clock, outbox
from portal.audit import Actor
from portal.company.asking import check_address
from portal.company.header import FixedHeader, HeaderChoice, seal_header
from portal.company.knowledge import begin_anew, forget_records, was_told
from portal.company.means import Means
from portal.company.refusals import NoAddress
from portal.egress import origin_of
from portal.egress.advice import Advice, advise_checked
from portal.models import Company, Endpoint
from portal.rules.circuit import Circuit
from portal.vault import DamagedSecret, Vault

HEADER_LEFT_OUT = _l(
    "O cabeçalho %(name)s não vai para este endereço: o valor foi salvo para outro. Se este também precisar dele, "
    "digite-o de novo."
)
SAME_CRM = _l(
    "Quem estava em dia continua contado assim, pelo que o endereço anterior confirmou. Se este leva a outro CRM, ou a "
    "outra conta, salve-o de novo e diga isso: os contatos deixam de estar em dia, e você pode enviá-los."
)
STAYS_PAUSED = ("manual", "restored")  # whatever address is set: a person lets deliveries go again
OLD_SECRET_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Status:
    """What people may know of their endpoint. `waiting` counts the deliveries on their way."""

    url: str | None
    state: str  # `unset`, `active`, `failing` or `paused`
    paused_reason: str | None
    waiting: int
    next_probe_at: datetime | None  # when a failing endpoint is asked again whether it is back
    consecutive_failures: int
    last_success_at: datetime | None
    last_failure_at: datetime | None
    old_secret_until: datetime | None  # until when the key before this one signs too; None when it does not any more
    header_name: str | None


AS_STORED = tuple(each.name for each in fields(Status) if each.name not in ("state", "waiting", "old_secret_until"))


@dataclass(frozen=True)
class AddressSet:
    """An address that was set, how many deliveries were cancelled for it, and what to mind about it."""

    url: str
    cancelled: int
    advice: tuple[Advice, ...]


def is_configured(session: Session, company_id: int) -> bool:
    """Whether the company has an address to send to."""
    return bool(session.scalar(select(exists().where(Endpoint.company_id == company_id, Endpoint.url.is_not(None)))))


def require_address(session: Session, company_id: int) -> None:
    """Raises NoAddress when `is_configured` says no."""
    if not is_configured(session, company_id):
        raise NoAddress


def get_endpoint(session: Session, company_id: int) -> Endpoint:
    """The company's endpoint; every company has one from its beginning, without an address at first."""
    return session.scalars(select(Endpoint).where(Endpoint.company_id == company_id)).one()


def lock_endpoint(session: Session, company_id: int) -> Endpoint:
    """The endpoint as it is now, which nobody else changes until the transaction ends."""
    query = select(Endpoint).where(Endpoint.company_id == company_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def lock_configured(session: Session, company_id: int) -> Endpoint:
    """The endpoint, locked. Raises NoAddress when nothing can be sent to it."""
    endpoint = lock_endpoint(session, company_id)
    if endpoint.url is None:
        raise NoAddress
    return endpoint


def create_endpoint(session: Session, company: Company, *, vault: Vault) -> None:
    """Make the endpoint of a new company: no address yet, and a secret of its own."""
    sealed = vault.seal(new_secret(), purpose="webhook_secret", company_id=company.id)
    session.add(Endpoint(company=company, secret=sealed, updated_at=clock.utcnow()))


def read_secret(endpoint: Endpoint, vault: Vault) -> str:
    """The key that signs, as `whsec_...`. Raises WrongKey or DamagedSecret."""
    return vault.open(endpoint.secret, purpose="webhook_secret", company_id=endpoint.company_id)


def new_secret() -> str:
    """A signing key in the form of Standard Webhooks: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def state_of(endpoint: Endpoint) -> str:
    """The state as the API and the pages name it: `unset`, `active`, `failing` or `paused`."""
    return "unset" if endpoint.url is None else endpoint.state


def describe(session: Session, company_id: int) -> Status:
    """Where the company's deliveries go, and how it has been going."""
    endpoint = get_endpoint(session, company_id)
    signs_twice = len(outbox.signing_secrets(endpoint, now=clock.utcnow())) > 1
    return Status(
        **{name: getattr(endpoint, name) for name in AS_STORED},
        state=state_of(endpoint),
        waiting=outbox.waiting_count(session, company_id),
        old_secret_until=endpoint.old_secret_until if signs_twice else None,
    )


def set_address(
    session: Session,
    means: Means,
    actor: Actor,
    url: str,
    *,
    header: HeaderChoice = "saved",
    cancel_waiting: bool = False,
    other_crm: bool = False,
) -> AddressSet:
    """Send to this address from now on, with this header. What waits goes there too, unless it is to be cancelled.

    `other_crm` says that another CRM is there, or another account: it knows of no contact. The saved header stays where
    the origin stays. Ends the caller's transaction, to ask the network. Raises AddressError and TooManyTests.
    """
    checked = check_address(session, actor, url, egress=means.egress)
    url, advice = checked.address.url, advise_checked(checked)
    if other_crm:
        begin_anew(session, actor)
    endpoint = lock_endpoint(session, actor.company_id)
    advice += advise_header(endpoint, url, header)
    cancelled, is_moved = 0, url != endpoint.url
    if is_moved and was_told(session, endpoint.company_id):  # by another, perhaps: only people know whose it is
        advice += (Advice("same_crm", str(SAME_CRM)),)
    if is_moved or other_crm:  # what answered or happened there says nothing about this one
        end_outage(session, endpoint)  # before anything is cancelled: that waited, too
        cancelled = outbox.cancel_waiting(session, endpoint.company_id) if cancel_waiting else 0
        if endpoint.url is not None and origin_of(endpoint.url) != origin_of(url):
            forget_records(session, endpoint.company_id)
        endpoint.url, endpoint.answer_shape, endpoint.updated_at = url, None, clock.utcnow()
        if endpoint.paused_reason not in STAYS_PAUSED:
            close_circuit(endpoint)
        session.info[outbox.DUE] = True
    if other_crm:
        endpoint.crm_since = endpoint.updated_at
    if is_moved:
        audit.record(session, actor, "webhook.url_set", subject=url)
    if isinstance(header, FixedHeader):
        endpoint.header_name, endpoint.header_secret = seal_header(header, endpoint.company_id, vault=means.vault)
        endpoint.header_origin, endpoint.updated_at = origin_of(url), clock.utcnow()
        audit.record(session, actor, "webhook.header_set", subject=header.name)
    elif header is None or not outbox.has_header(endpoint, url):
        _forget_header(session, endpoint, actor)
    return AddressSet(url, cancelled, advice)


def _forget_header(session: Session, endpoint: Endpoint, actor: Actor) -> None:
    if endpoint.header_name is None:
        return
    audit.record(session, actor, "webhook.header_removed", subject=endpoint.header_name)
    endpoint.header_name = endpoint.header_secret = endpoint.header_origin = None
    endpoint.updated_at = clock.utcnow()


def advise_header(endpoint: Endpoint, url: str, header: HeaderChoice) -> tuple[Advice, ...]:
    """What to mind when the saved header does not go to an address."""
    if header != "saved" or endpoint.header_name is None or outbox.has_header(endpoint, url):
        return ()
    return (Advice("header_left_out", str(HEADER_LEFT_OUT) % {"name": endpoint.header_name}),)


def remove_address(session: Session, actor: Actor) -> int:
    """Send nothing any more, and forget the header. What waits is cancelled, and stays in the log. Returns how many."""
    endpoint = lock_endpoint(session, actor.company_id)
    if endpoint.url is None:
        return 0
    end_outage(session, endpoint)
    forget_records(session, endpoint.company_id)
    endpoint.url, endpoint.updated_at = None, clock.utcnow()
    audit.record(session, actor, "webhook.url_removed")
    _forget_header(session, endpoint, actor)
    return outbox.cancel_waiting(session, endpoint.company_id)


def pause(session: Session, actor: Actor) -> None:
    """Send nothing until somebody resumes; deliveries wait whole. Raises NoAddress."""
    endpoint = lock_configured(session, actor.company_id)
    if endpoint.state == "paused":
        return
    endpoint.state, endpoint.paused_reason, endpoint.next_probe_at = "paused", "manual", None
    endpoint.updated_at = clock.utcnow()
    audit.record(session, actor, "webhook.paused")


def end_outage(session: Session, endpoint: Endpoint) -> None:
    """Whatever held deliveries up is over: somebody changed where they go, or lets them go again."""
    outbox.end_outage(session.connection(), endpoint.company_id, now=clock.utcnow())


def close_circuit(endpoint: Endpoint) -> None:
    """Forget the failures so far."""
    for name, value in vars(Circuit()).items():
        setattr(endpoint, name, value)


def rotate_secret(session: Session, actor: Actor, *, vault: Vault) -> str:
    """Sign with a new key from now on, and with the old one too for a day unless it is damaged. Returns the new key."""
    endpoint = lock_endpoint(session, actor.company_id)
    secret, now = new_secret(), clock.utcnow()
    try:
        read_secret(endpoint, vault)
        endpoint.old_secret, endpoint.old_secret_until = endpoint.secret, now + OLD_SECRET_LIFETIME
    except DamagedSecret:
        endpoint.old_secret, endpoint.old_secret_until = None, None
    endpoint.secret = vault.seal(secret, purpose="webhook_secret", company_id=endpoint.company_id)
    endpoint.updated_at = now
    audit.record(session, actor, "webhook.secret_rotated")
    return secret


def show_secret(session: Session, actor: Actor, *, vault: Vault) -> str:
    """The key that signs, to be copied into a receiver. Who looked at it stands in the audit log."""
    secret = read_secret(get_endpoint(session, actor.company_id), vault)
    audit.record(session, actor, "webhook.secret_shown")
    return secret
