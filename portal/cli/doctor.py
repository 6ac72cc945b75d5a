"""`portal doctor`."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import click

from portal.cli import checks
from portal.cli.checks import Finding
from portal.cli.console import json_option, print_json
from portal.cli.errors import explain_error
from portal.cli.holding import hold_app
from portal.config import NoInstance, load_settings
from portal.database.db import reading
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
    """Runs every check, but for those that a failed one makes useless."""
    with ExitStack() as held:
        try:
            held.enter_context(hold_app(load_settings(of_existing=True)))
        except Exception as error:
            yield finding_of("instance" if isinstance(error, NoInstance | OSError) else "settings", error)
            return
        yield Finding("settings", "ok", "Every setting can be used.")
        yield from examine_installation()


def examine_installation() -> Iterator[Finding]:
    held = runtime()
    yield from endure("instance", checks.check_instance(held.settings))
    yield from checks.check_base_url(held.settings)
    yield from checks.check_authorities(held.settings)
    is_usable = True
    for finding in endure("database", checks.check_database()):
        is_usable = is_usable and finding.level != "fail"
        yield finding
    yield from endure("backups", checks.check_backups(held.settings))
    yield from endure("copies", checks.check_copies(held.settings))
    if is_usable:
        yield from endure("database", checks.check_structure())
        yield from endure("key", checks.check_key(held))
        yield from checks.check_clock()
        yield from checks.check_origins()
        yield from checks.check_sending()
        yield from checks.check_endpoints(held)
    yield from checks.check_mail(held)


def endure(check: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings. An error that ends the check early is a finding too, and the other checks go on."""
    try:
        yield from findings
    except Exception as error:
        yield finding_of(check, error)


def finding_of(check: str, error: Exception) -> Finding:
    """An error that an operator can mend; any other is raised again."""
    sentence = explain_error(error)
    if sentence is None:
        raise error
    return Finding(check, "fail", sentence)
