"""Bytes that are no text, marks at a text's start, and `-` for a file: a sentence or what was meant, never a crash."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from portal.cli import cli
from tests.cli.conftest import Run
from tests.cli.test_commands import ALL
from tests.cli.test_manners import ARGUMENTS, WITHOUT_A_PORTAL

NO_TEXT = "\udcff\udcfe"  # how bytes come that are no UTF-8
RUNNING = [*WITHOUT_A_PORTAL, ("serve",), ("worker",), ("demo",), ("restore",)]


def with_no_text(path: tuple[str, ...]) -> Iterator[list[str]]:
    """The command with bytes in place of each of its arguments, and in each of its options."""
    given = ARGUMENTS.get(path, [])
    for place in range(len(given)):
        yield [*given[:place], NO_TEXT, *given[place + 1 :]]
    command: click.Command = cli
    for name in path:
        command = command.get_command(click.Context(command), name)  # type: ignore[attr-defined]
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag and option.opts[0] not in given:
            yield [*given, option.opts[0], NO_TEXT]


@pytest.mark.parametrize("path", [path for path in ALL if path not in RUNNING], ids=" ".join)
def test_bytes_that_are_no_text_are_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("contacts.csv").write_text("Nome\nAna\n")
    run("user", "add", "--company", "Acme", "--email", "a@b.example", "--name", "Ana", "--role", "admin")
    for arguments in with_no_text(path):
        result = run(*path, *arguments)
        assert result.exit_code in (0, 1, 2), arguments
        assert (result.exit_code == 0) or "Error: " in result.stderr


@pytest.mark.parametrize("path", [("backup",), ("company", "export")], ids=" ".join)
def test_a_file_of_the_name_of_standard_output_is_not_made(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    run("user", "add", "--company", "Acme", "--email", "a@b.example", "--name", "Ana", "--role", "admin")
    result = run(*path, "-")
    assert result.exit_code == 2
    assert "name a file" in result.stderr
    assert not Path("-").exists()


MARK = "\ufeff"


def test_a_header_in_a_file_of_windows_is_the_value_that_stands_there(run: Run, tmp_path: Path) -> None:
    run("user", "add", "--company", "Acme", "--email", "a@b.example", "--name", "Ana", "--role", "admin")
    file = tmp_path / "key.txt"
    file.write_text(f"{MARK}Bearer abc\r\n", newline="")
    result = run("webhook", "set", "https://nao.invalid/x", "--header-name", "X-Key", "--header-file", file)
    assert result.exit_code == 0, result.output
    assert "X-Key" in run("webhook", "show").stdout


def test_a_password_begins_behind_a_mark(run: Run) -> None:
    """One of eight characters with it is one of seven."""
    arguments = ("user", "add", "--company", "Acme", "--email", "a@b.example", "--name", "Ana", "--role", "admin")
    result = run(*arguments, "--password-stdin", stdin=f"{MARK}7letras\r\n")
    assert "shorter than 8" in result.stderr


def test_a_file_that_holds_no_address_of_a_database_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "target.txt"
    file.write_text("nothing of the kind")
    run("user", "add", "--company", "Acme", "--email", "a@b.example", "--name", "Ana", "--role", "admin")
    result = run("move", "--to-file", file)
    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert "PORTAL_DATABASE_URL" not in result.stderr
    assert "nothing of the kind" not in result.stderr


def test_a_name_of_no_machine_is_blamed_on_the_host(run: Run) -> None:
    result = run("listen", "--host", "999.1.1.1", "--port", "0")
    assert result.exit_code == 1
    assert "Choose another with --host." in result.stderr
