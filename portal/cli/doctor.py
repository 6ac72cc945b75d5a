"""`portal doctor`."""

from collections.abc import Iterator

import click

from portal import create_app
from portal.cli import checks
from portal.cli.checks import Finding
from portal.cli.console import json_option, print_json
from portal.config import NoInstance, SettingError, load_settings
from portal.database.db import db, reading
from portal.runtime import runtime


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check everything, and say what to do.

    One line a check: `ok`, `warn` (it works, but somebody should look) or `fail`. Exit code 1 when any check fails.
    Names are looked up and the mail server is asked; nothing is sent to any receiver, and nothing is changed.
    """
    findings = []
    with reading():
        for finding in examine():
            findings.append(finding)
            if not as_json:
                click.echo(f"{finding.level:<5} {finding.check:<9} {finding.message}")
    failed = any(finding.level == "fail" for finding in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [vars(finding) for finding in findings]})
    if failed:
        raise SystemExit(1)


def examine() -> Iterator[Finding]:
    """Every check; what a failed one makes useless is left out."""
    try:
        app = create_app(load_settings(of_existing=True))
    except NoInstance as error:
        yield Finding("instance", "fail", str(error))
        return
    except SettingError as error:
        yield Finding("settings", "fail", str(error))
        return
    yield Finding("settings", "ok", "Every setting can be used.")
    with app.app_context():
        try:
            yield from examine_installation()
        finally:
            db.session.close()
            db.engine.dispose()
            runtime().egress.close()


def examine_installation() -> Iterator[Finding]:
    held = runtime()
    yield from checks.check_instance(held.settings)
    yield from checks.check_base_url(held.settings)
    yield from checks.check_authorities(held.settings)
    is_usable = True
    for finding in checks.check_database():
        is_usable = is_usable and finding.level != "fail"
        yield finding
    yield from checks.check_backups(held.settings)
    if is_usable:
        yield from checks.check_key(held)
        yield from checks.check_clock()
        yield from checks.check_origins()
        yield from checks.check_sending()
        yield from checks.check_endpoints(held)
    yield from checks.check_mail(held)
