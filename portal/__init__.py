"""Catacliente Portal: brings what a prospecting team knows about its contacts to the company's CRM by webhook."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from portal.config import Settings


def create_app(settings: "Settings | None" = None) -> "Flask":
    """The application (see `portal.application`), imported when it is asked for: most commands are quicker without."""
    from portal import application

    return application.create_app(settings)
