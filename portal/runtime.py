"""What a running application holds besides its database: settings, secrets, the way out, and the workers' bell."""

from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app

from portal.company.means import Means
from portal.config import Settings
from portal.database.db import db
from portal.database.gathering import Gathering
from portal.egress import AddressPolicy, Egress
from portal.egress.authorities import write_bundle
from portal.outbox.bell import Bell, make_bell
from portal.vault import Vault


@dataclass(frozen=True)
class Runtime(Means):
    """One per application."""

    bell: Bell
    calls: Gathering[Any, Any]  # of the API, that save one contact each


def attach_runtime(app: Flask, settings: Settings) -> None:
    """Give the application its runtime."""
    policy = AddressPolicy(allowed_networks=settings.allowed_networks, require_https=settings.require_https)
    ca_file = write_bundle(settings.ca_file, settings.instance) if settings.ca_file else None
    limits = settings.limits
    egress = Egress(policy, connect_timeout=limits.connect, deadline=limits.whole, ca_file=ca_file)
    with app.app_context():
        bell = make_bell(db.engine, settings.instance)
    app.extensions["portal"] = Runtime(settings, Vault(settings.secret_key), egress, bell, Gathering())


def this_app() -> Flask:
    """The current application itself, for what outlives the request."""
    return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]


def runtime() -> Runtime:
    """The current application's runtime."""
    held: Runtime = current_app.extensions["portal"]
    return held
