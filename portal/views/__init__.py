"""Pages: HTTP in, values down to the use cases, HTML out. Views commit; nothing below them does."""

from flask import Blueprint, Flask

from portal.views import access, auth, contacts, deliveries, errors, health, home, presentation, webhook

BLUEPRINTS: tuple[Blueprint, ...] = (health.bp, home.bp, contacts.bp, deliveries.bp, webhook.bp, auth.bp)


def register_views(app: Flask) -> None:
    """Tie every page, and the rules that hold for all of them, to the application."""
    access.init_app(app)
    presentation.init_app(app)
    errors.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
