"""Every kind of task that a worker does, with what does it."""

from collections.abc import Mapping

from portal.contacts import assigning, classifying, completing, syncing
from portal.deliveries import resending
from portal.importing import examining, order, rehearsal, running, undoing
from portal.privacy import closing, retention
from portal.tasks.store import Work

KINDS: Mapping[str, Work] = {
    examining.KIND: examining.work,
    order.KIND: running.work,
    rehearsal.KIND: rehearsal.work,
    undoing.KIND: undoing.work,
    resending.KIND: resending.work,
    syncing.KIND: syncing.work,
    completing.KIND: completing.work,
    retention.KIND: retention.work,
    closing.KIND: closing.work,
    classifying.KIND: classifying.work,
    assigning.KIND: assigning.work,
}
