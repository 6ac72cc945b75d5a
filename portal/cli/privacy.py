"""`portal company`, `portal purge` and `portal erase`."""

import os
import sys
from collections import Counter
from pathlib import Path
from tempfile import NamedTemporaryFile
from zoneinfo import ZoneInfo

import click
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.audit import CONSOLE, Actor
from portal.cli import console, inert
from portal.database.db import db
from portal.database.upkeep import empty_log, rewrite, size_of
from portal.models import Company
from portal.privacy import closing, erasing, retention
from portal.privacy.export import note_company_export
from portal.privacy.marks import find_old_copies
from portal.runtime import runtime
from portal.web.exports import files_of
from portal.web.files import write_zip
from portal.worker.task_runner import PAUSE_SECONDS


@click.group()
def company() -> None:
    """A company's data as files, and closing it."""


@company.command()
@click.argument("file", type=console.NewFile())
@console.company_option
def export(file: Path, company_name: str | None) -> None:
    """Write the company's lists as CSV into one ZIP file.

    Contacts with their messages, classifications, campaigns, people, deliveries, attempts, notes and the audit log;
    not what was sent and answered.
    """
    with console.open_app() as app:
        chosen = console.pick_company(company_name)
        actor, zone, locale = Actor(chosen.id, CONSOLE), ZoneInfo(chosen.timezone), chosen.locale
        db.session.rollback()
        write_file(app, file, actor.company_id, zone, locale=locale)
        note_company_export(db.session, actor)
    console.print_lines([f"Wrote {file}."])


@company.command()
@click.option("--company", "company_name", metavar="NAME", type=console.Words(200), required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def close(company_name: str, yes: bool) -> None:
    """Close a company: nothing is sent any more, nobody of it comes in, and everything of it is erased.

    It cannot be undone, and no backup that is put back brings the company back: export its data first.
    """
    with console.open_app():
        chosen, portal = console.pick_company(company_name), runtime()
        company_id, holdings = chosen.id, closing.holdings_of(db.session, chosen.id)
        click.echo(f"{company_name}: {', '.join(f'{name} {count}' for name, count in holdings.items())}.", err=True)
        db.session.rollback()
        if not yes and click.prompt("Type the company's name to close it for good", err=True) != company_name:
            raise click.ClickException("That is not its name. Nothing was changed.")
        actor = Actor(company_id, CONSOLE)
        held = closing.close_here(db.session, console.pick_company(company_name), actor, vault=portal.vault)
        db.session.commit()
        erasing.finish(db.engine, portal.settings.instance)
        is_erased = held is not None and closing.erase(db.engine, company_id, held)
    end = "and everything of it is erased" if is_erased else "and a worker erases everything of it"
    click.echo(f"{company_name} is closed, {end}.")


def write_file(app: Flask, file: Path, company_id: int, zone: ZoneInfo, *, locale: str) -> None:
    """Write the company's data to a file that only this user may read: the whole of it, or no file."""
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


@click.command()
@console.company_option
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@console.json_option
def purge(company_name: str | None, dry_run: bool, as_json: bool) -> None:
    """Delete what is kept no longer, and give the space back.

    Each company decides on the page "Dados pessoais" for how many days bodies and answers, the log, and the audit log
    are kept. A worker does this once a day by itself. What is on its way is never touched. Without --company it goes
    through all of them. It may run beside the portal.
    """
    with console.open_app():
        companies = [console.pick_company(company_name)] if company_name else db.session.scalars(select(Company)).all()
        db.session.rollback()
        before = size_of(db.engine)
        reports = [{"company": each.name} | dict(purge_company(each, dry_run, is_hidden=as_json)) for each in companies]
        if not dry_run:
            if not as_json:
                click.echo("Giving the space back to the disk", err=True)
            rewrite(db.engine)
            empty_log(db.engine)
        freed = None if before is None else max(0, before - (size_of(db.engine) or 0))
    if as_json:
        console.print_json({"dry_run": dry_run, "companies": reports, "freed_bytes": freed})
        return
    for report in reports:
        counted = ", ".join(f"{name} {report[name]}" for name in retention.COUNTS)
        click.echo(f"{report['company']}: {counted}{' (dry run)' if dry_run else ''}.")
    if freed is not None and not dry_run:
        click.echo(f"Given back to the disk: {freed / 1_000_000:.1f} MB.")


def purge_company(company: Company, dry_run: bool, *, is_hidden: bool) -> Counter[str]:
    """Purge one company, or only count, and show progress. Returns how many rows of each kind."""
    now, company_id = clock.utcnow(), company.id
    limits = retention.limits_of(company, now=now)
    counts = Counter(dict.fromkeys(retention.COUNTS, 0))
    db.session.rollback()
    chunks = retention.cut_into_chunks(company_id, limits)
    label = f"Purging {inert(company.name)}"
    with click.progressbar(chunks, label=label, show_pos=True, file=sys.stderr, hidden=is_hidden) as bar:
        for chunk in bar:
            counts.update(chunk(db.session).counts)
            if dry_run:
                db.session.rollback()
            else:
                db.session.commit()
            clock.sleep(PAUSE_SECONDS)
    if not dry_run:
        retention.record_report(db.session, Actor(company_id, CONSOLE), counts, now=now)
        db.session.commit()
    return counts


@click.command()
@click.option("--contact", "contact_id", required=True, type=console.ROW_NUMBER, metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(contact_id: int, yes: bool) -> None:
    """Erase a person: the contact, and the bodies and answers of its deliveries.

    What waits to be sent is cancelled. The log keeps that something was sent, when and with what result, and nothing
    about the person. Copies made before still hold the data: it says which lie in the instance's folder. It cannot be
    undone.
    """
    with console.open_app():
        name = console.contact_of_any_company(contact_id).name
        db.session.rollback()
        if not yes:
            click.confirm(f"Erase {name} (contact {contact_id}) for good?", abort=True, err=True)
        contact = console.contact_of_any_company(contact_id)
        held = runtime()
        done = erasing.erase_contact(db.session, contact, Actor(contact.company_id, CONSOLE), vault=held.vault)
        db.session.commit()
        is_emptied = erasing.finish(db.engine, held.settings.instance)
        click.echo(f"Contact {contact_id} is erased. Deliveries kept as proof, without data: {done.deliveries}.")
        if done.tasks:
            click.echo(f"Imports that were ended because they hold the person: {done.tasks}.")
        if not is_emptied:
            click.echo("The database's log is in use: a worker empties it within the hour.", err=True)
        old = find_old_copies(held.settings)
    if old and old.staying:
        click.echo(f"Copies made before may still hold the person. To remove them: {old.command}")
    if old and old.passing:
        click.echo(f"So may nightly backups, which go by themselves within weeks: {len(old.passing)}.")
