"""The command line. Each command lives in a module that is imported when the command is asked for, and not before."""

import difflib
import errno
import json
import logging
import os
import socket
import sys
from contextlib import suppress
from importlib import import_module
from keyword import iskeyword
from typing import Any, NoReturn

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from portal import logs
from portal.version import __version__

# Where each command is, and its summary: the list of commands is shown without importing any of them.
COMMANDS = {
    "serve": ("portal.cli.serve", "Run the portal: pages, API and worker."),
    "worker": ("portal.cli.worker", "Run a worker alone, against the same database."),
    "demo": ("portal.cli.demo", "Run a throw-away portal with sample data."),
    "upgrade": ("portal.cli.upgrade", "Bring the database to this version, after a backup."),
    "company": ("portal.cli.privacy", "A company's data as files, and closing it."),
    "user": ("portal.cli.people", "People who log in."),
    "token": ("portal.cli.people", "Tokens for the API."),
    "webhook": ("portal.cli.webhook", "The address that deliveries go to."),
    "import": ("portal.cli.importing", "Import contacts from a CSV file, a workbook (XLSX, XLS, ODS) or JSON lines."),
    "undo": ("portal.cli.importing", "Take an import back, as a job that a worker does."),
    "contacts": ("portal.cli.contacts", "The contacts, and what the CRM knows of them."),
    "classify": ("portal.cli.contacts", "Set or remove a contact's interest level."),
    "deliveries": ("portal.cli.deliveries", "The delivery log, and sending again."),
    "sync": ("portal.cli.contacts", "Bring the CRM in sync, as a job that a worker does."),
    "report": ("portal.cli.report", "Say who reached which level, and whether the CRM knows."),
    "causes": ("portal.cli.causes", "Why contacts have not arrived, or arrived with a warning."),
    "settle": ("portal.cli.causes", "Say that what the CRM accepted with a warning is right there."),
    "listen": ("portal.cli.listen", "Run a local receiver that shows and verifies what arrives."),
    "backup": ("portal.cli.backups", "Write the database to one file, while the portal runs."),
    "restore": ("portal.cli.backups", "Put a backup in the place of the database, with the outbox held."),
    "move": ("portal.cli.backups", "Carry everything from SQLite to PostgreSQL, while the portal is stopped."),
    "purge": ("portal.cli.privacy", "Delete what is kept no longer, and give the space back."),
    "erase": ("portal.cli.privacy", "Erase a person: the contact, and the bodies and answers of its deliveries."),
    "doctor": ("portal.cli.doctor", "Check everything, and say what to do."),
    "completion": ("portal.cli", "Print what makes a shell complete commands and options."),
}

# The commands that write a log. With PORTAL_LOG_FORMAT=json everything they say is a line of it.
LOGGING = ("serve", "worker")

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
AS_JSON = "portal.cli.as_json"  # whether what the command prints is for programs, in the context's `meta`


class PortalGroup(click.Group):
    """Imports commands late, and turns the errors that people can mend into one sentence and exit code 1.

    Where `--json` was given, that sentence is JSON on standard output.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[AS_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        function = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS)
            ctx.fail(f"No such command '{args[0]}'." + (f" Did you mean {' or '.join(near)}?" if near else ""))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        summaries = {name: summary for name, (_, summary) in COMMANDS.items()}
        return [CompletionItem(name, help=summaries[name]) for name in summaries if name.startswith(incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return self._invoke(ctx)
        except (click.ClickException, click.Abort) as error:
            if ctx.meta[AS_JSON]:
                print_failure(error)
            elif ctx.invoked_subcommand in LOGGING and isinstance(error, click.ClickException) and is_log_json():
                log_failure(error)
            else:
                raise
            ctx.exit(getattr(error, "exit_code", 1))

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # whatever is expected becomes a sentence; the rest is raised again
            from portal.cli.errors import explain_error

            sentence = explain_error(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from error


class WholeNumber(click.IntRange):
    """Click's own calls what is no number "not a valid integer range"."""

    name = "whole number"


class Number(click.FloatRange):
    """Likewise, for numbers with a fraction."""

    name = "number"


TEXT_FILE = click.File(encoding="utf-8-sig")  # a text with the mark at its start, too, that editors write


def is_log_json() -> bool:
    """Whether machines read the log. It works before any setting could be read."""
    return os.environ.get("PORTAL_LOG_FORMAT", "").strip() == "json" or logs.writes_json()


def log_failure(error: click.ClickException) -> None:
    """Write why the command ended to the log."""
    logs.configure("json")
    logging.getLogger(__name__).error("%s", error.format_message(), extra={"action": "not_started"})


def print_failure(error: click.ClickException | click.Abort) -> None:
    """Print why the command ended, for programs; where nothing can be printed, it is left to standard error."""
    try:
        click.echo(json.dumps({"error": describe_error(error)}))
    except OSError:
        raise error from error.__cause__


def describe_error(error: click.ClickException | click.Abort) -> dict[str, str]:
    """The failure of a command, for programs: a stable code and a sentence."""
    if isinstance(error, click.Abort):
        return {"code": "not_confirmed", "message": "Nobody confirmed it: nothing was done."}
    from portal.cli.errors import find_trouble

    cause = find_trouble(error.__cause__) or error.__cause__
    code = "usage" if isinstance(error, click.UsageError) else getattr(cause, "code", "failed")
    return {"code": str(code), "message": error.format_message()}


def refuse_listening(host: str, port: int, error: OSError) -> NoReturn:
    """End a command that cannot listen there. Raises a ClickException that says why, and which option to change."""
    is_of_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
    raise click.ClickException(
        f"Port {port} of {host} cannot be listened on: {error.strerror}. "
        f"Choose another with {'--host' if is_of_host else '--port'}."
    ) from error


HARMLESS = "\n\xa0\u200c\u200d"  # of what Python holds for no print: those that names and pictures are written with


def inert(text: str) -> str:
    """Foreign text without the characters that would command the terminal; lines stay lines, and names whole."""
    return "".join(character if character.isprintable() or character in HARMLESS else "\ufffd" for character in text)


def leave(code: str | int) -> NoReturn:
    """End this process without waiting for its threads: where memory is out one may be stuck."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)


@click.group(cls=PortalGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Brings what a prospecting team knows about its contacts to the company's CRM, and shows whether it arrived.

    Settings come from the environment (PORTAL_...) or from portal.cfg in the instance folder.
    """


@click.command()
@click.argument("shell", type=click.Choice(tuple(SHELLS)))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands and options.

    \b
    bash: portal completion bash >> ~/.bashrc
    zsh:  portal completion zsh >> ~/.zshrc
    fish: portal completion fish > ~/.config/fish/completions/portal.fish
    """
    click.echo(SHELLS[shell](cli, {}, "portal", "_PORTAL_COMPLETE").source())
