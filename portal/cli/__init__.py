"""The command line. Each command lives in a module that is imported when the command is asked for, and not before."""

from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from portal.version import __version__

COMMANDS = {
    "serve": ("portal.cli.serve", "Run the portal: pages, API and worker."),
    "worker": ("portal.cli.worker", "Run a worker alone, against the same database."),
    "demo": ("portal.cli.demo", "Run a throw-away portal with sample data."),
    "upgrade": ("portal.cli.upgrade", "Bring the database to this version, after a backup."),
    "user": ("portal.cli.user", "People who log in."),
    "token": ("portal.cli.token", "Tokens for the API."),
    "webhook": ("portal.cli.webhook", "The address that deliveries go to."),
    "import": ("portal.cli.importing", "Import contacts from a CSV file, an XLSX, or JSON lines."),
    "classify": ("portal.cli.classify", "Set or remove a contact's interest level."),
    "deliveries": ("portal.cli.deliveries", "The delivery log, and sending again."),
    "sync": ("portal.cli.sync", "Bring the CRM in sync, as a job that a worker does."),
    "listen": ("portal.cli.listen", "Run a local receiver that shows and verifies what arrives."),
    "backup": ("portal.cli.backup", "Write the database to one file, while the portal runs."),
    "restore": ("portal.cli.restore", "Put a backup in the place of the database, with the outbox held."),
    "purge": ("portal.cli.purge", "Delete what is kept no longer, and give the space back."),
    "erase": ("portal.cli.erase", "Erase a person: the contact, and the bodies and answers of its deliveries."),
    "doctor": ("portal.cli.doctor", "Check everything, and say what to do."),
}
"""Where each command is, and its summary: the list of commands is shown without importing any of them."""


class PortalGroup(click.Group):
    """Imports commands late, and turns the errors that people can mend into one sentence and exit code 1."""

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

    def invoke(self, ctx: click.Context) -> Any:
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


@click.group(cls=PortalGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Brings what a prospecting team knows about its contacts to the company's CRM, and shows whether it arrived.

    Settings come from the environment (PORTAL_...) or from portal.cfg in the instance folder.
    """
