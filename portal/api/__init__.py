"""REST API v1: JSON in, values down to the use cases, JSON out. Routes commit; nothing below them does."""

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from portal.api import contacts, deliveries, docs, jobs, report, sync, webhook
from portal.api.protocol import access, problems, unchanged
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.spec import CONFIG, PortalApi
from portal.web.extensions import csrf

NOUNS = [each.blueprint for each in (contacts, jobs, webhook, report, deliveries, sync)]

v1 = ApiBlueprint("api", __name__, url_prefix="/api/v1")
for noun in NOUNS:
    v1.register_blueprint(noun)
    csrf.exempt(noun)  # a bearer token is no cookie: no browser adds it by itself
problems.init_blueprint(v1)


def register_api(app: Flask) -> None:
    """Tie the API to the application."""
    access.init_app(app)
    unchanged.init_app(app)
    app.config.from_mapping(CONFIG)
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False  # fields stand in the order of the source document
    api = PortalApi(app)
    api.register_blueprint(v1)
    app.register_blueprint(docs.make_blueprint(api.spec.to_dict()))
