"""Sending the notices: one thread of a worker. A mail server that is down or slow delays nothing but the notices."""

from portal.notices.backups import BackupWatch
from portal.notices.reports import ReportMail
from portal.notices.telling import Teller
from portal.worker.rounds import Round

RETRY_SECONDS = 60.0  # before another try when the mail server took nothing
LOOK_SECONDS = 30.0


class Notifier(Round):
    """Lets what is due be told, twice a minute."""

    def __init__(self, teller: Teller, watch: BackupWatch, reports: ReportMail) -> None:
        super().__init__("notices")
        self._teller = teller
        self._watch = watch
        self._reports = reports

    def turn(self) -> float:
        took_all = self._teller.tell_due(unless=lambda: self.is_stopping)
        took_all = self._reports.send_due(unless=lambda: self.is_stopping) and took_all
        self._watch.tell_overdue()
        if not took_all:
            self.pause(RETRY_SECONDS)
        return LOOK_SECONDS

    def mend(self, error: Exception) -> None:
        """Whatever it was, there is time: nobody waits for a notice as for a delivery."""
        self.pause(RETRY_SECONDS)
