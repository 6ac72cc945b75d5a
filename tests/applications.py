"""Applications for tests. Making one takes longer than most tests, so each serves many tests, one after the other."""

from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine, event, make_url

from portal import create_app, logs
from portal.api.protocol import access
from portal.application import flask_config
from portal.config import Settings
from portal.database.db import db, engine_options
from portal.runtime import attach_runtime
from tests.postgres import Kept


class Applications:
    """Hands out applications; none serves two tests at a time.

    An application that comes back keeps its routes, templates and compiled statements. The next test gives it an
    instance, a database, a configuration, a runtime and an unused limit of its own. A template is compiled once for all
    of them, and kept in the folder.
    """

    def __init__(self, templates: Path, kept: Kept) -> None:
        templates.mkdir(exist_ok=True)
        self._kept = kept
        self._templates = FileSystemBytecodeCache(str(templates))
        self._idle: dict[Hashable, list[Flask]] = defaultdict(list)
        self._configs: dict[Flask, dict[str, Any]] = {}

    def take(self, settings: Settings) -> Flask:
        idle = self._idle[kind_of(settings)]
        app = idle.pop() if idle else self._make(settings)
        app.instance_path = str(settings.instance)
        app.config.clear()
        app.config.update(self._configs[app] | flask_config(settings))
        logs.configure(settings.log_format)
        with app.app_context():
            db.engine.url = make_url(settings.database_url)
        attach_runtime(app, settings)
        app.extensions[access.LIMIT] = access.make_limit()
        return app

    def give_back(self, app: Flask) -> None:
        runtime = app.extensions["portal"]
        runtime.egress.close()
        with app.app_context():
            db.session.remove()
            give_back_connections(db.engine, self._kept)
        self._idle[kind_of(runtime.settings)].append(app)

    def _make(self, settings: Settings) -> Flask:
        app = create_app(settings)
        app.config["TESTING"] = True
        app.jinja_env.bytecode_cache = self._templates
        self._configs[app] = dict(app.config)
        with app.app_context():
            connect_where_the_url_says(db.engine, self._kept)
        return app


def kind_of(settings: Settings) -> Hashable:
    """What an application is made by; every other setting is read when it is needed, and may change."""
    return make_url(settings.database_url).get_backend_name(), settings.proxy_hops, settings.path


def connect_where_the_url_says(engine: Engine, kept: Kept) -> None:
    """Make the engine connect to the database that its `url` names at that moment, by a kept connection at best."""

    @event.listens_for(engine, "do_connect")
    def aim(dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        arguments[:], chosen = dialect.create_connect_args(engine.url)
        options |= chosen | engine_options(str(engine.url)).get("connect_args", {})
        return kept.take((chosen.get("port"), chosen["dbname"])) if dialect.name == "postgresql" else None


def give_back_connections(engine: Engine, kept: Kept) -> None:
    """Close the engine's connections, but for one of PostgreSQL's."""
    close = engine.dialect.do_close
    if engine.dialect.name == "postgresql":
        engine.dialect.do_close = kept.put  # type: ignore[method-assign, assignment]
    engine.dispose()
    engine.dialect.do_close = close  # type: ignore[method-assign]


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    seen: list[str] = []

    def note(*given: Any) -> None:
        seen.append(given[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
