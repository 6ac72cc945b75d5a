"""What a worker sees to once an hour: what is kept no longer goes, and who was erased is noted twice."""

from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from portal import clock
from portal.company import inspector
from portal.privacy import closing, erasing, retention
from portal.tasks import store


def keep_house(engine: Engine, instance: Path) -> None:
    """Remove what is kept no longer; what companies decide about is a task, once a day."""
    with Session(engine) as session, session.begin():
        now = clock.utcnow()
        store.forget(session.connection(), now=now)
        inspector.forget_old(session.connection(), now=now)
        retention.forget_repeated_calls(session, now=now)
        retention.plan(session, now=now)
        closing.plan(session)
    erasing.finish(engine, instance)
