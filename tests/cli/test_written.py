"""What commands print about a company of which everything is known, and every value in every row that they change.

tests/data/written holds it; tests/views/written.py says how it is written anew.
"""

import shlex

import pytest
import time_machine
from flask import Flask

from tests.cli.conftest import Run
from tests.factories import NOON, do_tasks
from tests.views.written import changes, check, furnish, rows, varied

COMMANDS = {
    "reads": [
        "contacts list",
        "contacts list --level 3 --limit 1 --json",
        "contacts show {zoe}",
        "contacts show {rui} --json",
        "deliveries list",
        "deliveries list --status failed --limit 1 --json",
        "deliveries list --since 2026-03-10T08:00Z --until 2026-03-10T05:00:01 --search rui",
        *(f"deliveries show {{d_{state}}}" for state in ("delivered", "warned", "failed", "pending", "purged")),
        "deliveries show msg_nothing",
        "causes list",
        "user list",
        "token list",
        "webhook show",
        "webhook show --json",
        "report",
        "report --since 2026-03-01 --until 2026-04-01 --campaign Feira",
        "sync --dry-run",
    ],
    "acts": [
        "classify {iris} 3",
        "classify {iris} 3 --json",
        "classify {iris} none",
        "contacts send {zoe} --yes",
        "contacts assign --search iris --to-owner joao@x.test --to-campaign Geral --yes",
        "contacts assign --search iris --to-owner ninguem@x.test --yes",
        "contacts merge {rui} {sa} --yes",
        "deliveries resend {d_purged} --yes",
        "deliveries resend {d_warned} --yes --json",
        "deliveries resend --status cancelled --yes",
        "sync --yes",
        "causes note server_error Ligar",
        "causes note server_error",
        "settle --warning error_words",
        "settle {zoe} --json",
        "webhook pause",
        "webhook remove --yes",
        "user change-email --email joao@x.test --to jo@x.test",
        "user change-email --email joao@x.test --to jo@x.test",
        "token revoke {token}",
        "erase --contact {lia} --yes",
    ],
}


@pytest.mark.parametrize("name", COMMANDS)
@time_machine.travel(NOON, tick=False)
def test_what_a_command_prints_and_changes_is_written_down(app: Flask, run: Run, name: str) -> None:
    known, found = furnish(), dict[str, list[str]]()
    held = rows()
    for number, command in enumerate(COMMANDS[name], 1):
        words = command
        for key, value in known.items():
            words = words.replace(f"{{{key}}}", value)
        result = run(*shlex.split(words))
        do_tasks()
        before, held = held, rows()
        said = [f"  {line}".rstrip() for line in varied(result.output).splitlines()]
        found[f"{number} {command}"] = [f"exit code {result.exit_code}", *said, *changes(before, held)]
    check(f"commands_{name}", found)
