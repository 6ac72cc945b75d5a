"""`portal move`."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.cli.console import ACTOR, open_app
from portal.config import read_database_file
from portal.database import moving
from portal.database.db import db, engine_options, prepare_engine


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
    with open_app(), closing_pool(target):
        try:
            rows = moving.move(db.engine, target, db.metadata, now=clock.utcnow(), report=report)
        except moving.MoveError as error:
            raise click.ClickException(str(error)) from error
        with Session(target) as session:
            audit.record_everywhere(session, ACTOR, "database.moved")
            session.commit()
    click.echo(f"Moved: {rows} rows, compared cell by cell.")
    click.echo(
        f"One setting says where the portal is now: PORTAL_DATABASE_URL_FILE={file} (or PORTAL_DATABASE_URL). Keep the "
        "secret key as it is. What people do on SQLite from now on does not come along."
    )


@contextmanager
def closing_pool(engine: Engine) -> Iterator[None]:
    """Close the engine's connections at the end."""
    try:
        yield
    finally:
        engine.dispose()


def report(table: str, rows: int) -> None:
    """Say on standard error how far it is."""
    click.echo(f"  {table:18} {rows}", err=True)
