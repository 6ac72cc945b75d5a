"""What a worker removes once an hour because it is kept no longer."""

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from portal import clock
from portal.company import inspector
from portal.database.upkeep import empty_log
from portal.privacy import retention
from portal.tasks import store


def keep_house(engine: Engine) -> None:
    """Remove what is kept no longer; what companies decide about is a task, once a day."""
    with Session(engine) as session, session.begin():
        now = clock.utcnow()
        store.forget(session.connection(), now=now)
        inspector.forget_old(session.connection(), now=now)
        retention.forget_repeated_calls(session, now=now)
        retention.plan(session, now=now)
    empty_log(engine)
