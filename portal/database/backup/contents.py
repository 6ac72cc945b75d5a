"""What is looked at in a backup before it is put back, and what is done to it then, on either database."""

from collections.abc import Callable, Sequence

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from portal.database.troubles import message_of
from portal.vault import SecretError

IN_USE = (
    "A portal is running on this database: stop `portal serve`, every `portal worker` and whatever else has it open, "
    "and try again."
)

# Nothing is sent until an admin resumes, and no worker of the past counts as alive.
HOLD = (
    "UPDATE endpoint SET state = 'paused', paused_reason = 'restored', next_probe_at = NULL WHERE url IS NOT NULL",
    "DELETE FROM worker_heartbeat",
)


class BackupError(Exception):
    """The backup cannot be made or put back; the message says why and what to do."""


# Brings a copy of what is restored to this version, and raises what keeps it from working.
Proof = Callable[[Engine], None]


def only_revision(revisions: Sequence[str], name: object) -> str:
    """The one revision that the backup says it is at. Raises BackupError."""
    if len(revisions) != 1:
        raise BackupError(f"{name} is no whole backup: it does not say which version of the portal made it.")
    return revisions[0]


def prove_copy(engine: Engine, name: object, proof: Proof) -> None:
    """Try a copy of a backup: nobody uses it yet. Raises BackupError and SecretError."""
    try:
        proof(engine)
        with engine.begin() as connection:
            for statement in HOLD:
                connection.execute(text(statement))
    except SecretError:
        raise
    except Exception as error:  # a database of anybody's making may fail in any way; the one in use is as it was
        reason = message_of(error) if isinstance(error, DBAPIError) else str(error)
        raise BackupError(f"{name} is no whole backup of the portal, and nothing was changed: {reason}") from error
    finally:
        engine.dispose()
