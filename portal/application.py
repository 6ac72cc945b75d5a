"""The application: where configuration, extensions, pages and API come together."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import logs
from portal.api import register_api
from portal.config import Settings, load_settings
from portal.database.db import db, engine_options, prepare_engine
from portal.i18n import babel, select_language, select_timezone
from portal.outbox.bell import Bell, ring_on_commit
from portal.runtime import attach_runtime, runtime
from portal.views import register_views
from portal.web import headers, sessions
from portal.web.addresses import RowNumber, WebhookId, path_within
from portal.web.assets import init_assets
from portal.web.bodies import BoundedRequest
from portal.web.extensions import compress, csrf, login_manager

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def create_app(settings: Settings | None = None) -> Flask:
    """The application, ready to serve; it starts nothing and sends nothing. Raises SettingError."""
    settings = settings or load_settings()
    app = Flask("portal", instance_path=str(settings.instance), static_folder=None)
    app.request_class, app.session_interface = BoundedRequest, sessions.CookieSessions()
    app.ensure_sync = lambda view: view  # type: ignore[method-assign, assignment] # none is async
    app.config.from_mapping(flask_config(settings))
    logs.configure(settings.log_format)
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    if path := settings.path:
        app.wsgi_app = below(path, app.wsgi_app)  # type: ignore[method-assign, assignment]

    # Extensions
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    csrf.init_app(app)
    login_manager.init_app(app)
    compress.init_app(app)
    babel.init_app(app, locale_selector=select_language, timezone_selector=select_timezone)

    # What is ours
    app.url_map.merge_slashes = False  # Werkzeug would lead on by a page of HTML, below /api too
    app.url_map.converters |= {"int": RowNumber, "webhook_id": WebhookId}
    attach_runtime(app, settings)
    ring_on_commit(db.session, current_bell)
    headers.init_app(app)
    init_assets(app, Path(app.root_path) / "static")
    register_views(app)
    register_api(app)
    return app


def current_bell() -> Bell:
    """That of the application at work: one and the same function for all of a process, so that sessions ring once."""
    return runtime().bell


def flask_config(settings: Settings) -> dict[str, Any]:
    """Flask's and its extensions' configuration for these settings."""
    secure = settings.secure_cookies
    return {
        "SECRET_KEY": settings.secret_key,
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(settings.database_url),
        "TRUSTED_HOSTS": trusted_hosts(settings),
        "APPLICATION_ROOT": settings.path or "/",
        "SESSION_COOKIE_NAME": f"__{'Secure' if settings.path else 'Host'}-session" if secure else "session",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_HTTPONLY": True,
        "PERMANENT_SESSION_LIFETIME": sessions.IDLE_LIFETIME,
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": False,  # `web.origin` decides, knowing PORTAL_BASE_URL
        "BABEL_DEFAULT_LOCALE": "pt_BR",
        "BABEL_TRANSLATION_DIRECTORIES": "translations",
    }


def below(path: str, serve: "WSGIApplication") -> "WSGIApplication":
    """The same application below a path of its host, whether the proxy in front takes that path away or leaves it."""

    def serve_below(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ["PATH_INFO"] = path_within(path, environ.get("PATH_INFO", ""))
        environ["SCRIPT_NAME"] = path
        return serve(environ, start_response)

    return serve_below


def trusted_hosts(settings: Settings) -> list[str]:
    """The names under which the portal answers: the configured ones, and this machine itself."""
    own = urlsplit(settings.base_url or "").hostname or "localhost"
    hosts = ["localhost", "127.0.0.1", "[::1]", *settings.trusted_hosts, f"[{own}]" if ":" in own else own]
    return [Bracketed(host) if host.startswith("[") else host for host in hosts]


class Bracketed(str):
    """An address of IPv6 among the trusted hosts: Werkzeug 3.2 would compare what stands before its first colon."""

    __slots__ = ()

    def partition(self, sep: str, /) -> tuple[str, str, str]:
        return self, "", ""
