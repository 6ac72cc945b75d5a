"""Noticing that a receiver's answers look otherwise than before: often the first sign that something changed there.

An endpoint keeps the shapes (`verdict.shape_of`) of its accepted answers, as words with spaces between them, the newest
last; several, because a receiver may well answer one thing to a new contact and another to a known one.
"""

from collections.abc import Sequence

from portal.outbox.claims import Claim
from portal.webhook import Outcome

KNOWN = 8  # shapes that are remembered


def flag_changed(claim: Claim, outcome: Outcome) -> Outcome:
    """The outcome, with the warning `shape_changed` when the answer was accepted and looks like none before.

    A test is compared too: that is where a change is looked for.
    """
    known = (claim.known_shapes or "").split()
    if not known or outcome.warning or outcome.shape is None or outcome.shape in known:
        return outcome
    return outcome._replace(warning="shape_changed")


def remember(known: str | None, shapes: Sequence[str | None]) -> str | None:
    """What an endpoint remembers after these answers."""
    words = known.split() if known else []
    for shape in shapes:
        if shape and shape not in words:
            words.append(shape)
    return " ".join(words[-KNOWN:]) or None
