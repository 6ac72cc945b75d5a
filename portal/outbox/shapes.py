"""Noticing that a receiver's answers look otherwise than before: often the first sign that something changed there.

An endpoint keeps the shapes (`verdict.shape_of`) of its accepted answers, as words with spaces between them, the newest
last; several, because a receiver may well answer one thing to a new contact and another to a known one.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, select

from portal.outbox.job import Job, endpoint
from portal.webhook import Outcome

KNOWN = 8
"""Shapes that are remembered."""

KNOWN_SHAPES = select(endpoint.c.company_id, endpoint.c.url, endpoint.c.answer_shape).where(
    endpoint.c.company_id.in_(bindparam("companies", expanding=True)), endpoint.c.answer_shape.is_not(None)
)


def flag_changed(connection: Connection, results: Sequence[tuple[Job, Outcome]]) -> list[tuple[Job, Outcome]]:
    """The results, with the warning `shape_changed` on accepted answers that look like none before from that address.

    A test is compared too: that is where a change is looked for.
    """
    companies = {job.company_id for job, outcome in results if outcome.shape and not outcome.warning}
    if not companies:
        return list(results)
    rows = connection.execute(KNOWN_SHAPES, {"companies": sorted(companies)})
    known = {(row.company_id, row.url): row.answer_shape.split() for row in rows}
    return [(job, _flag(outcome, known.get((job.company_id, job.url)))) for job, outcome in results]


def remember(known: str | None, shapes: Sequence[str | None]) -> str | None:
    """What an endpoint remembers after these answers."""
    words = known.split() if known else []
    for shape in shapes:
        if shape and shape not in words:
            words.append(shape)
    return " ".join(words[-KNOWN:]) or None


def _flag(outcome: Outcome, known: Sequence[str] | None) -> Outcome:
    if not known or outcome.warning or outcome.shape is None or outcome.shape in known:
        return outcome
    return replace(outcome, warning="shape_changed")
