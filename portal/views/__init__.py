"""Pages: HTTP in, values down to the use cases, HTML out. Views commit; nothing below them does."""

from flask import Blueprint, Flask

from portal.views import (
    account,
    assigning,
    audit,
    auth,
    campaigns,
    causes,
    classifying,
    company,
    contact_export,
    contacts,
    crm_link,
    deliveries,
    delivery_export,
    forgotten,
    handover,
    health,
    home,
    import_reports,
    import_undoing,
    imports,
    inspector,
    integration,
    jobs,
    language,
    links,
    merging,
    metrics,
    notices,
    person,
    privacy,
    report,
    resending,
    second_factor,
    sync,
    team,
    tokens,
    triage,
    undoing,
    warnings,
    webhook,
)
from portal.web import access, errors, presentation

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.bp,
    metrics.bp,
    company.bp,
    privacy.bp,
    person.bp,
    home.bp,
    contacts.bp,
    contact_export.bp,
    merging.bp,
    campaigns.bp,
    classifying.bp,
    assigning.bp,
    triage.bp,
    undoing.bp,
    import_reports.bp,
    import_undoing.bp,
    imports.bp,
    deliveries.bp,
    report.bp,
    resending.bp,
    sync.bp,
    warnings.bp,
    causes.bp,
    jobs.bp,
    delivery_export.bp,
    handover.bp,
    webhook.bp,
    crm_link.bp,
    notices.bp,
    inspector.bp,
    integration.bp,
    team.bp,
    tokens.bp,
    audit.bp,
    account.bp,
    second_factor.bp,
    links.bp,
    forgotten.bp,
    language.bp,
    auth.bp,
)


def register_views(app: Flask) -> None:
    """Tie every page, and the rules that hold for all of them, to the application."""
    access.init_app(app)
    presentation.init_app(app)
    errors.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
