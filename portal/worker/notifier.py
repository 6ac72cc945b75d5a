"""Sending the notices: one thread of a worker. A mail server that is down or slow delays nothing but the notices."""

from portal.notices import Teller
from portal.worker.rounds import Round

RETRY_SECONDS = 60.0
"""Before another try when the mail server took nothing."""
LOOK_SECONDS = 60.0
"""The longest sleep between two looks when nobody wakes the notifier."""


class Notifier(Round):
    """Lets the teller tell what is due, at each wake-up."""

    def __init__(self, teller: Teller) -> None:
        super().__init__("notices")
        self._teller = teller

    def turn(self) -> float:
        if not self._teller.tell_due(unless=lambda: self.is_stopping):
            self.pause(RETRY_SECONDS)
        return LOOK_SECONDS

    def mend(self, error: Exception) -> None:
        """Whatever it was, there is time: nobody waits for a notice as for a delivery."""
        self.pause(RETRY_SECONDS)
