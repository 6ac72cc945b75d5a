"""Pages: HTTP in, values down to the use cases, HTML out. Views commit; nothing below them does."""

from importlib import import_module
from pkgutil import iter_modules

from flask import Flask

from portal.web import access, errors, presentation


def register_views(app: Flask) -> None:
    """Tie every page, and the rules that hold for all of them, to the application."""
    access.init_app(app)
    presentation.init_app(app)
    errors.init_app(app)
    for module in iter_modules(__path__, prefix=f"{__name__}."):
        if (pages := getattr(import_module(module.name), "bp", None)) is not None:
            app.register_blueprint(pages)
