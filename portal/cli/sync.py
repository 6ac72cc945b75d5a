"""`portal sync`."""

from collections.abc import Callable
from functools import partial

import click

from portal.api.jobs import JobSchema
from portal.audit import Actor
from portal.cli.console import for_company, json_option, print_json
from portal.contacts import syncing
from portal.database.db import db, reading_apart
from portal.models import Task


@click.command()
@for_company
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def sync(actor: Actor, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Bring the CRM in sync, as a job that a worker does.

    It sends the latest state of each contact whose level the CRM does not know, level 3 first. What is on its way is
    left alone. While such a job is under way it is the answer, so that asking twice sends once.
    """
    with reading_apart(db.session):
        count = sum(syncing.count_out_of_sync(db.session, actor.company_id).values())
    nothing = "The CRM knows every level, or will soon: nothing is sent."
    start = partial(syncing.start, db.session, actor)
    do_in_job(count, start, nothing, dry_run=dry_run, yes=yes, as_json=as_json)


def do_in_job(
    count: int,
    start: Callable[[], Task],
    nothing: str,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    verb: tuple[str, str] = ("send", "sent"),
) -> None:
    """Ask whether it is to be done with so many contacts, start the job that does it, and say so; or only count."""
    do, done = verb
    if dry_run:
        print_json({"count": count}) if as_json else click.echo(f"{count} contacts would be {done}.")
        return
    if not yes and count:
        click.confirm(f"{do.capitalize()} {count} contacts?", abort=True, err=True)
    task = start()
    db.session.commit()
    if as_json:
        print_json(JobSchema().dump(task))
    else:
        click.echo(f"Job {task.id}: a worker {do}s {task.total} contacts." if task.total else nothing)
