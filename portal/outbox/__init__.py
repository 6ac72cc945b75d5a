"""The outbox: deliveries that wait in the database until a worker brings them to their endpoint.

Everything here but `send` is database only and belongs to the caller's transaction; nobody here commits or sleeps.

The life of a delivery: `enqueue` makes it pending and due. `claim_due` lends it to one worker, with a lease and the
lease's token. `settle` records the attempt and the next state, but only while the token still matches: a worker whose
lease was taken leaves a late attempt and changes nothing else. `recover` ends the leases of workers that died. `resend`
begins again.
"""

from portal.outbox.arrivals import note_arrivals
from portal.outbox.bell import DUE
from portal.outbox.claims import (
    Claim,
    claim_due,
    has_due,
    has_header,
    has_loose_ends,
    release,
    signing_secrets,
)
from portal.outbox.erasing import FIRST, Forgotten, Place, forget_contact, forget_facts, forget_said
from portal.outbox.knowledge import hold_company, mark_changed
from portal.outbox.mending import cancel_strays, pull_forward
from portal.outbox.outages import end_outage
from portal.outbox.queue import (
    cancel_contacts,
    cancel_waiting,
    enqueue,
    enqueue_test,
    move_deliveries,
    resend,
    resend_many,
    take_back,
    waiting_count,
    waiting_count_of,
)
from portal.outbox.rules import Rules
from portal.outbox.sending import begin, request_of, send
from portal.outbox.settling import recover, settle
from portal.outbox.telling import release_waiting

__all__ = [
    "DUE",
    "FIRST",
    "Claim",
    "Forgotten",
    "Place",
    "Rules",
    "begin",
    "cancel_contacts",
    "cancel_strays",
    "cancel_waiting",
    "claim_due",
    "end_outage",
    "enqueue",
    "enqueue_test",
    "forget_contact",
    "forget_facts",
    "forget_said",
    "has_due",
    "has_header",
    "has_loose_ends",
    "hold_company",
    "mark_changed",
    "move_deliveries",
    "note_arrivals",
    "pull_forward",
    "recover",
    "release",
    "release_waiting",
    "request_of",
    "resend",
    "resend_many",
    "send",
    "settle",
    "signing_secrets",
    "take_back",
    "waiting_count",
    "waiting_count_of",
]
