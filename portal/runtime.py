"""What a running application holds besides its database: settings, secrets, the way out, and the workers' bell."""

from dataclasses import dataclass

from flask import Flask, current_app

from portal.company.endpoint import TestSend, send_test
from portal.config import Settings
from portal.database.db import db
from portal.egress import AddressPolicy, Egress
from portal.egress.authorities import write_bundle
from portal.models import Attempt
from portal.outbox.bell import Bell, make_bell
from portal.rules.reasons import Explanation, explain_attempt
from portal.vault import Vault
from portal.webhook import Outcome


@dataclass(frozen=True)
class Runtime:
    """One per application."""

    settings: Settings
    vault: Vault
    egress: Egress
    bell: Bell

    def send_test(self, *, company_id: int, url: str, actor: str) -> TestSend:
        """Send the sample to `url` and record it. Ends the request's transaction: a receiver may be slow."""
        db.session.rollback()
        return send_test(db.engine, self.settings, self.vault, self.egress, company_id=company_id, url=url, actor=actor)

    def explain(self, attempt: Attempt | Outcome) -> Explanation:
        """What came of an attempt, in the reader's language: the same sentence on pages, API and console."""
        return explain_attempt(attempt, self.settings.limits)


def attach_runtime(app: Flask, settings: Settings) -> None:
    """Give the application its runtime."""
    policy = AddressPolicy(allowed_networks=settings.allowed_networks, require_https=settings.require_https)
    ca_file = write_bundle(settings.ca_file, settings.instance) if settings.ca_file else None
    limits = settings.limits
    egress = Egress(policy, connect_timeout=limits.connect, deadline=limits.whole, ca_file=ca_file)
    with app.app_context():
        bell = make_bell(db.engine, settings.instance)
    app.extensions["portal"] = Runtime(settings, Vault(settings.secret_key), egress, bell)


def runtime() -> Runtime:
    """The current application's runtime."""
    held: Runtime = current_app.extensions["portal"]
    return held
