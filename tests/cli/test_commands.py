"""What holds for every command."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from portal import config
from portal.cli import COMMANDS, cli
from portal.version import __version__
from tests.cli.conftest import Run

README = (Path(__file__).parent.parent.parent / "README.md").read_text()


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield *path, name


ALL = list(commands(cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help(run: Run, path: tuple[str, ...]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 4


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_commands_say(name: str) -> None:
    _, summary = COMMANDS[name]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.get_short_help_str(200).rstrip(".") == summary.rstrip(".")


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_is_in_the_readme(path: tuple[str, ...]) -> None:
    *group, name = path
    start = f"| `portal {group[0]} " if group else f"| `portal {name}` "
    assert any(line.startswith(start) and name in line for line in README.splitlines())


def test_the_readme_names_no_setting_that_does_not_exist() -> None:
    known = {"PORTAL_INSTANCE", *config.KNOWN, *(f"{name}_FILE" for name in config.SECRETS)}
    named = {word.strip("`|.,=()[]") for word in README.replace("=", " ").split()}
    assert {word for word in named if word.startswith("PORTAL_")} <= known


def test_help_lists_every_command(run: Run) -> None:
    result = run("--help")
    assert all(f"  {name} " in result.stdout for name in COMMANDS)


@pytest.mark.slow
def test_help_imports_neither_flask_nor_sqlalchemy() -> None:
    """It is typed often, and answers at once."""
    source = "import portal.__main__, sys; print(sorted({'flask', 'sqlalchemy', 'requests'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").stdout.strip() == __version__


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    result = run("frobnicate")
    assert result.exit_code == 2
    assert "No such command" in result.stderr


@pytest.mark.parametrize("command", [("upgrade",), ("webhook", "show"), ("serve",), ("worker",)], ids=" ".join)
def test_a_wrong_setting_stops_every_command_with_one_sentence(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command, PORTAL_DEADLINE="soon")
    assert result.exit_code == 1
    assert result.stderr == "Error: PORTAL_DEADLINE: 'soon' is not a number of seconds above 0 and up to 120.\n"
    assert not result.stdout


def test_an_unknown_setting_stops_with_a_suggestion(run: Run) -> None:
    result = run("webhook", "show", PORTAL_DEADLIN="3")
    assert result.exit_code == 1
    assert "Did you mean PORTAL_DEADLINE?" in result.stderr


def test_a_database_that_is_not_there_is_one_sentence(run: Run) -> None:
    result = run("webhook", "show", PORTAL_DATABASE_URL="postgresql://postgres@127.0.0.1:1/none")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database cannot be used: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_database_without_tables_says_what_to_do(run: Run, instance: Path) -> None:
    (instance / "portal.db").write_bytes(b"")
    result = run("webhook", "show")
    assert result.exit_code == 1
    assert "portal upgrade" in result.stderr


CONTRACT = """
serve worker demo upgrade user-add token-add webhook-set webhook-test webhook-show import classify deliveries-list
deliveries-show deliveries-resend listen backup restore purge erase doctor
"""
"""What other people's scripts depend on."""

SHOWING = "webhook-test webhook-show import deliveries-list deliveries-show purge doctor"


@pytest.mark.parametrize("name", CONTRACT.split())
def test_every_promised_command_exists(name: str) -> None:
    assert tuple(name.split("-")) in ALL


@pytest.mark.parametrize("name", SHOWING.split())
def test_every_command_that_lists_or_shows_speaks_json(run: Run, name: str) -> None:
    assert "--json" in run(*name.split("-"), "--help").stdout


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_command_that_is_asked_wrongly_ends_with_2(run: Run, path: tuple[str, ...]) -> None:
    assert run(*path, "--no-such-option").exit_code == 2
