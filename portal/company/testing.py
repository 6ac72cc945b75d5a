"""A test of an address: the sample, sent as deliveries are, with one try. Sending is resumed by such a test."""

import random
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from portal import audit, clock, outbox
from portal.audit import Actor
from portal.company.asking import check_address, take_turn
from portal.company.endpoint import advise_header, close_circuit, end_outage, get_endpoint, lock_endpoint
from portal.company.header import HeaderChoice, seal_header
from portal.company.means import Means
from portal.company.refusals import ChangedMeanwhile, NoAddress, NotDelivered
from portal.egress.advice import Advice, advise, advise_checked
from portal.webhook import Outcome

RESUMED = _l("O envio do que esperava foi retomado, o nível alto primeiro.")


@dataclass(frozen=True)
class TestSend:
    """A test that was sent and recorded: its id in the log, its bytes, what came of it, and what to mind."""

    webhook_id: str
    body: bytes
    outcome: Outcome
    advice: tuple[Advice, ...]


def send_test(
    session: Session, means: Means, actor: Actor, url: str | None = None, *, header: HeaderChoice = "saved"
) -> TestSend:
    """Send the sample once to `url`, or to the configured address, and record it in the log as a test.

    A header that is given is sent and not kept; the saved one goes to its own origin only. Ends the caller's
    transaction: a receiver takes its time. Raises AddressError, NoAddress and TooManyTests.
    """
    endpoint = get_endpoint(session, actor.company_id)
    url = endpoint.url if url is None else url
    if url is None:
        raise NoAddress
    checked = check_address(session, actor, url, egress=means.egress)
    url = checked.address.url
    return _send(session, means, actor, url, advise_checked(checked) + advise_header(endpoint, url, header), header)


def resume(session: Session, means: Means, actor: Actor) -> TestSend | None:
    """Send again once a test has arrived, and what waits at once, level 3 first. Returns the test.

    Returns None, and sends nothing, when the endpoint is active. Ends the caller's transaction. Raises NoAddress,
    TooManyTests, NotDelivered, and ChangedMeanwhile when the test was of something else than what is to be resumed.
    """
    endpoint = get_endpoint(session, actor.company_id)
    url, paused_reason = endpoint.url, endpoint.paused_reason
    if url is None:
        raise NoAddress
    if endpoint.state == "active":
        return None
    take_turn(session, actor, url)
    sent = _send(session, means, actor, url, advise(url))
    if not sent.outcome.delivered:
        raise NotDelivered(sent.webhook_id, sent.outcome, means.explain(sent.outcome).message)
    endpoint = lock_endpoint(session, actor.company_id)
    if (endpoint.url, endpoint.paused_reason) != (url, paused_reason):
        raise ChangedMeanwhile
    end_outage(session, endpoint)
    close_circuit(endpoint)
    endpoint.updated_at = clock.utcnow()
    outbox.release_waiting(session.connection(), endpoint.company_id, now=endpoint.updated_at)
    session.info[outbox.DUE] = True
    audit.record(session, actor, "webhook.resumed")
    return sent


def _send(
    session: Session, means: Means, actor: Actor, url: str, advice: tuple[Advice, ...], header: HeaderChoice = "saved"
) -> TestSend:
    """Send the way every delivery goes, in transactions of its own, none of which waits for the network."""
    session.rollback()
    engine, settings = session.get_bind().engine, means.settings
    company_id, now = actor.company_id, clock.utcnow()
    with engine.begin() as connection:
        claim = outbox.enqueue_test(
            connection, company_id=company_id, url=url, actor=actor.email, now=now, lease=settings.lease
        )
    if header != "saved":
        claim = claim._replace(header=seal_header(header, company_id, vault=means.vault) if header else None)
    outcome = outbox.send(claim, means.vault, means.egress)
    with engine.begin() as connection:
        rules = outbox.Rules(settings.retry_schedule, now=clock.utcnow(), jitter=random.random)
        outbox.settle(connection, [(claim, outcome)], rules)
    return TestSend(claim.webhook_id, claim.body, outcome, advice)
