"""`portal company`."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from zoneinfo import ZoneInfo

import click
from flask import Flask

from portal.audit import Actor
from portal.cli.console import ACTOR, Words, company_option, open_app, pick_company
from portal.database.db import db
from portal.privacy import closing, erasing
from portal.privacy.export import note_company_export
from portal.runtime import runtime
from portal.web.exports import files_of
from portal.web.files import write_zip


@click.group()
def company() -> None:
    """A company's data as files, and closing it."""


@company.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@company_option
def export(file: Path, company_name: str | None) -> None:
    """Write the company's lists as CSV into one ZIP file.

    Contacts with their messages, classifications, campaigns, people, deliveries, attempts, notes and the audit log;
    not what was sent and answered.
    """
    with open_app() as app:
        chosen = pick_company(company_name)
        actor, zone, locale = Actor(chosen.id, ACTOR), ZoneInfo(chosen.timezone), chosen.locale
        db.session.rollback()
        write_file(app, file, actor.company_id, zone, locale=locale)
        note_company_export(db.session, actor)
    click.echo(f"Wrote {file}.")


@company.command()
@click.option("--company", "company_name", metavar="NAME", type=Words(200), required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def close(company_name: str, yes: bool) -> None:
    """Close a company: nothing is sent any more, nobody of it comes in, and everything of it is erased.

    It cannot be undone, and no backup that is put back brings the company back: export its data first.
    """
    with open_app():
        chosen, portal = pick_company(company_name), runtime()
        company_id, holdings = chosen.id, closing.holdings_of(db.session, chosen.id)
        click.echo(f"{company_name}: {', '.join(f'{name} {count}' for name, count in holdings.items())}.", err=True)
        db.session.rollback()
        if not yes and click.prompt("Type the company's name to close it for good", err=True) != company_name:
            raise click.ClickException("That is not its name. Nothing was changed.")
        actor = Actor(company_id, ACTOR)
        held = closing.close_here(db.session, pick_company(company_name), actor, vault=portal.vault)
        db.session.commit()
        erasing.finish(db.engine, portal.settings.instance)
        is_erased = held is not None and closing.erase(db.engine, company_id, held)
    end = "and everything of it is erased" if is_erased else "and a worker erases everything of it"
    click.echo(f"{company_name} is closed, {end}.")


def write_file(app: Flask, file: Path, company_id: int, zone: ZoneInfo, *, locale: str) -> None:
    """The company's data in that file, which only this user may read: the whole of it, or no file."""
    try:
        if os.path.lexists(file):
            raise FileExistsError
        with NamedTemporaryFile(prefix=f".{file.name}.", dir=file.parent) as beside:
            for piece in write_zip(files_of(app, company_id, zone, locale=locale)):
                beside.write(piece)
            beside.flush()
            os.fsync(beside.fileno())
            os.link(beside.name, file)
    except FileExistsError as error:
        raise click.ClickException(f"{file} is there already.") from error
    except OSError as error:
        error.filename = str(file)  # a disk that is full does not say of what file
        raise
