"""Sending claims: they go to the thread that sends, and what comes of each is put into a queue."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from queue import SimpleQueue

from portal import clock, outbox
from portal.config import Settings
from portal.egress import Egress
from portal.outbox import Claim
from portal.vault import Vault, WrongKey
from portal.webhook import Outcome

Result = tuple[Claim, Outcome]


class Sender:
    """Sends claims, any number at the same time, with no transaction and no session.

    `inbox` gets a claim with its outcome, or a claim alone when it was not sent and may be another worker's to send.
    `on_wrong_key` is called when a stored secret cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        egress: Egress,
        *,
        inbox: SimpleQueue[Result | Claim | None],
        on_wrong_key: Callable[[], None],
    ) -> None:
        self._least_time = timedelta(seconds=settings.deadline + 1)
        self._vault, self._egress = vault, egress
        self._inbox, self._on_wrong_key = inbox, on_wrong_key
        self._is_stopping = False

    def put(self, claims: Sequence[Claim]) -> None:
        """Let these go. From any thread."""
        if claims:
            self._egress.call(partial(self._begin_all, claims))

    def stop(self) -> None:
        """Send nothing that has not begun: it comes back as it is."""
        self._is_stopping = True

    def _begin_all(self, claims: Sequence[Claim]) -> None:
        # A lease has to outlive a try that takes as long as it may.
        least = clock.utcnow() + self._least_time
        for claim in claims:
            if self._is_stopping or claim.lease_expires_at <= least:
                self._inbox.put(claim)
            else:
                self._begin(claim)

    def _begin(self, claim: Claim) -> None:
        try:
            outbox.begin(claim, self._vault, self._egress, partial(self._end, claim))
        except WrongKey:
            self._inbox.put(claim)
            self._on_wrong_key()

    def _end(self, claim: Claim, outcome: Outcome) -> None:
        self._inbox.put((claim, outcome))
