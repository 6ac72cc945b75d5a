"""What is looked at in a backup before it is put back, and what is done to it then, on either database."""

from collections.abc import Sequence
from dataclasses import dataclass

IN_USE = (
    "A portal is running on this database: stop `portal serve`, every `portal worker` and whatever else has it open, "
    "and restore again."
)

HOLD = (
    "UPDATE endpoint SET state = 'paused', paused_reason = 'restored', next_probe_at = NULL WHERE url IS NOT NULL",
    "DELETE FROM worker_heartbeat",
)
"""Nothing is sent until an admin resumes, and no worker of the past counts as alive."""


class BackupError(Exception):
    """The backup cannot be made or put back; the message says why and what to do."""


@dataclass(frozen=True)
class Contents:
    """A backup's schema, and the secrets that only the right key opens."""

    revision: str
    secrets: Sequence[str]
