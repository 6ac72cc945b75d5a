"""Asking the network about an address: to save it, to test it or to resume sending there. All of it shares one limit.

The answer tells whether an inner name exists, so the audit log counts each time before anything is asked.
"""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor
from portal.company.refusals import TooManyTests
from portal.egress import CheckedAddress, Egress, parse_address
from portal.models import Endpoint

MAX_A_MINUTE = 30  # of one company, over all edges: enough to try an address out, too few to scan a network
MINUTE = timedelta(minutes=1)


def check_address(session: Session, actor: Actor, url: str, *, egress: Egress) -> CheckedAddress:
    """Judge an address as it would be judged when sending. Raises AddressError and TooManyTests.

    Ends the caller's transaction. What is refused by its letters alone asks nobody, and does not count.
    """
    address = parse_address(url, egress.policy)
    take_turn(session, actor, address.url)
    return egress.check(address.url)


def take_turn(session: Session, actor: Actor, url: str) -> None:
    """Count a look at an address in a transaction of its own; the caller's ends. Raises TooManyTests."""
    session.rollback()
    with Session(session.get_bind()) as own, own.begin():
        # The turns of a company are taken one by one, so that none of many at once goes uncounted.
        own.execute(select(Endpoint.id).where(Endpoint.company_id == actor.company_id).with_for_update())
        lately = clock.utcnow() - MINUTE
        if audit.count_since(own, actor.company_id, "webhook.address_checked", since=lately) >= MAX_A_MINUTE:
            raise TooManyTests(MAX_A_MINUTE, wait_seconds=round(MINUTE.total_seconds()))
        audit.record(own, actor, "webhook.address_checked", subject=url)
