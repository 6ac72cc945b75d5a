"""`portal backup`, `portal restore` and `portal move`."""

from collections.abc import Set
from contextlib import ExitStack
from pathlib import Path

import click
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import CONSOLE, Actor
from portal.cli.console import NewFile, check_stored_secrets, json_option, open_app, print_answer
from portal.cli.holding import hold_app
from portal.cli.upgrade import bring_to_this_version
from portal.config import load_settings, read_database_file
from portal.database import backup as backups
from portal.database import moving
from portal.database.db import db, engine_options, prepare_engine
from portal.database.schema import check_schema
from portal.models import Company
from portal.privacy import closing, marks
from portal.privacy.erasing import erase_contact
from portal.privacy.marks import Known
from portal.runtime import runtime
from portal.vault import Vault


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Put a backup in the place of the database, with the outbox held.

    Stop the portal first. A copy of the backup is brought to this version and looked at before anything changes. What
    the backup holds waiting may have been sent since, so nothing is sent until an admin resumes on the Webhook page.
    The database that was there is kept in the backups folder of the instance; on PostgreSQL make a backup of it before.
    Who was erased since the backup was made is erased in it, too, and so is a company that was closed.
    """
    with hold_app(load_settings(of_backup=True)):
        held = runtime()
        known = marks.read_known(db.engine, held.settings.instance)
        again = Again(known.marks)
        replaced = backups.restore(db.engine, file, proof=again.prove, keep_at=held.settings.backups)
        audit.record_everywhere(db.session, CONSOLE, "backup.restored", subject=file.name)
        db.session.commit()
    click.echo(f"Restored {file}.")
    if replaced is not None:
        click.echo(f"The database that was there is kept as {replaced}.")
    tell_erasures(known, again)
    click.echo(
        "Nothing is sent yet: what waits in this backup may have been sent since it was made. An admin looks at it and "
        "resumes on the Webhook page."
    )


class Again:
    """Brings a copy of a backup to this version, and erases in it who was erased since it was made."""

    def __init__(self, known: Set[str]) -> None:
        self._known = known
        self.erased = self.companies = 0

    def prove(self, engine: Engine) -> None:
        """Raises an error when this version, or this key, cannot work with the copy."""
        bring_to_this_version(engine)
        check_schema(engine, db.metadata)
        with Session(engine) as session:
            check_stored_secrets(session)
            self._erase_again(session, runtime().vault)

    def _erase_again(self, session: Session, vault: Vault) -> None:
        for company_id in marks.find_marked_companies(session, self._known, vault):
            company = session.get_one(Company, company_id)
            closing.close(session, company, Actor(company_id, CONSOLE), vault=vault)
            session.commit()
            closing.erase(session.get_bind().engine, company_id)
            self.companies += 1
        for contact in marks.find_marked(session, self._known, vault):
            erase_contact(session, contact, Actor(contact.company_id, CONSOLE), vault=vault)
            session.commit()
            self.erased += 1
        marks.add(session, self._known)
        session.commit()


def tell_erasures(known: Known, again: Again) -> None:
    """Say who was erased again, and what could not be found out."""
    if again.erased:
        click.echo(f"Erased again, because they had been erased since the backup was made: {again.erased}.")
    if again.companies:
        click.echo(f"Companies that were closed since the backup was made, and are erased again: {again.companies}.")
    if known.trouble is not None:
        click.echo(f"Who was erased could not be read from the database that was there: {known.trouble}.", err=True)
    if not known.is_listed:
        click.echo(
            "No list of who was erased was found, neither in a database that was there nor in the instance folder: "
            "whoever was erased since the backup was made is in it again.",
            err=True,
        )


MEGABYTE = 1_000_000


@click.command()
@click.argument("file", type=NewFile())
@click.option("--force", is_flag=True, help="Overwrite FILE when it is an older backup.")
@json_option
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Write the database to one file, while the portal runs.

    It holds everything but the secret key, which belongs into a safe place of its own. PostgreSQL is backed up by
    pg_dump, which has to be installed here. FILE appears only when it is whole.
    """
    with open_app():
        size = backups.back_up(db.engine, file, force=force)
        done = f"Backed up to {file} ({size / MEGABYTE:.1f} MB)."
        print_answer({"file": str(file), "bytes": size}, [done], as_json=as_json)
        kept = runtime().settings.instance / "secret.key"
        click.echo(
            f"Not in it: the secret key ({kept if kept.exists() else 'PORTAL_SECRET_KEY'}). Keep a copy of it "
            "elsewhere: without it this backup cannot be restored.",
            err=True,
        )
        audit.record_everywhere(db.session, CONSOLE, "backup.made", subject=file.name)
        db.session.commit()


@click.command()
@click.option(
    "--to-file",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="A file that holds the address of an empty PostgreSQL database (postgresql://...), for the owner's eyes only.",
)
def move(file: str) -> None:
    """Carry everything from SQLite to PostgreSQL, while the portal is stopped.

    Deliveries that wait keep their ids, bytes, order and tries, and go on from there. Every cell is compared at the
    end. A move that is cut off goes on where it stood when it is run again. SQLite's file stays as it is.
    """
    url = read_database_file(file)
    target = create_engine(url, **engine_options(url))
    prepare_engine(target)
    with open_app(), ExitStack() as stack:
        stack.callback(target.dispose)
        try:
            rows = moving.move(db.engine, target, db.metadata, now=clock.utcnow(), report=show_moved)
        except moving.MoveError as error:
            raise click.ClickException(str(error)) from error
        with Session(target) as session:
            audit.record_everywhere(session, CONSOLE, "database.moved")
            session.commit()
    click.echo(f"Moved: {rows} rows, compared cell by cell.")
    click.echo(
        f"One setting says where the portal is now: PORTAL_DATABASE_URL_FILE={file} (or PORTAL_DATABASE_URL). Keep the "
        "secret key as it is. What people do on SQLite from now on does not come along."
    )


def show_moved(table: str, rows: int) -> None:
    """Say on standard error how far it is."""
    click.echo(f"  {table:18} {rows}", err=True)
