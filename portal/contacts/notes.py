"""One note for each cause: what somebody found out about a kind of failure or warning, for whoever looks at it next."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit, clock, outbox
from portal.audit import Actor
from portal.rules.reasons import WORDS
from portal.rules.verdict import WARNINGS
from portal.working_models import CauseNote

CAUSES = (*WORDS, *WARNINGS)  # what a note may be about: the codes of failures and warnings
MAX_NOTE = 500


def notes_of(session: Session, company_id: int) -> dict[str, CauseNote]:
    """The company's notes, by their causes."""
    return {note.cause: note for note in session.scalars(select(CauseNote).where(CauseNote.company_id == company_id))}


def write_note(session: Session, actor: Actor, cause: str, text: str) -> CauseNote | None:
    """Write the note about a cause, in the place of what it said; without text there is none. The caller commits."""
    text = text.replace("\r\n", "\n").strip()
    outbox.hold_company(session, actor.company_id)
    note = session.get(CauseNote, (actor.company_id, cause))
    if text == (note.text if note else ""):
        return note
    audit.record(session, actor, "cause.noted", subject=f"{cause}: {text}")
    if note is None:
        note = CauseNote(company_id=actor.company_id, cause=cause)
        session.add(note)
    elif not text:
        session.delete(note)
        return None
    note.text, note.actor, note.written_at = text, actor.email, clock.utcnow()
    return note
