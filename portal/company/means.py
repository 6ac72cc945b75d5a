"""What sending takes besides the database, and the one way in which what came of it is put into words."""

from dataclasses import dataclass

from portal.config import Settings
from portal.egress import Egress
from portal.models import Attempt
from portal.rules.reasons import Explanation, explain_attempt
from portal.vault import Vault
from portal.webhook import Outcome


@dataclass(frozen=True)
class Means:
    """What a running application holds: its settings, the key of its secrets, and the way out to the network."""

    settings: Settings
    vault: Vault
    egress: Egress

    def explain(self, attempt: Attempt | Outcome) -> Explanation:
        """What came of an attempt, in the reader's language: the same sentence on pages, API and console."""
        return explain_attempt(attempt, self.settings.limits)
