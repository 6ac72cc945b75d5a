"""The application for one command that sees to its database itself; `console.open_app` is for all others.

The console has one language, English, also for the sentences that pages show in the reader's.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from flask import Flask, g

from portal import create_app
from portal.config import Settings
from portal.database.db import db
from portal.runtime import runtime


def hold_app(settings: Settings) -> AbstractContextManager[Flask]:
    """The application with these settings, in its context."""
    return holding(create_app(settings))


@contextmanager
def holding(app: Flask) -> Iterator[Flask]:
    """Inside, the application is in its context; whatever comes of the command, it leaves no connection behind."""
    with app.app_context():
        g.language = "en"
        try:
            yield app
        finally:
            db.session.close()
            db.engine.dispose()
            runtime().egress.close()
