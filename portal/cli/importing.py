"""`portal import` and `portal undo`."""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.audit import CONSOLE, Actor
from portal.cli import console, inert
from portal.cli.import_report import Findings, describe, print_report, show_columns
from portal.company.endpoint import is_configured
from portal.database.db import db, reading
from portal.importing import undoing
from portal.importing.chunks import Pace, cut_into_chunks
from portal.importing.columns import FIELDS
from portal.importing.encoding import ENCODINGS, Blocks, FileProblem, NoName, find_encoding
from portal.importing.findings import read_findings
from portal.importing.mapping import choose_by_name, recall, require_name
from portal.importing.order import KIND as IMPORT
from portal.importing.order import Order
from portal.importing.rehearsal import rehearse
from portal.importing.rows import row_reader
from portal.importing.running import HELD_HERE, begin_here
from portal.importing.spreadsheet import Table, as_text_file
from portal.importing.words import KIND_WORDS, explain_problem
from portal.models import Company, Task, User
from portal.people import users
from portal.tasks import store
from portal.tasks.store import Chunk, Done, TaskClaim
from portal.worker.task_runner import PAUSE_SECONDS


class Encoding(click.ParamType[str]):
    """The name of an encoding that a file may have."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = find_encoding(str(value))
        if found is None:
            self.fail(f"{value} is none of {', '.join(ENCODINGS)}.", param, ctx)
        return found


class Mapping(click.ParamType[tuple[str, str]]):
    """A column and the field that it goes to."""

    name = "column=field"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        column, is_given, field = str(value).rpartition("=")
        if not is_given:
            self.fail(f"{value!r} has no =. Write COLUMN=FIELD; fields are {', '.join(FIELDS)}.", param, ctx)
        return column.strip(), field.strip()


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@console.company_option
@click.option("--campaign", type=console.Words(200), help="For rows that name none.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@click.option("--no-webhook", is_flag=True, help="Record levels without telling the CRM.")
@click.option(
    "--levels",
    type=click.Choice(["keep", "replace"]),
    default="keep",
    show_default=True,
    help="Whether a level that somebody set stays where the file says another.",
)
@click.option(
    "--elsewhere",
    type=click.Choice(["add", "update"]),
    default="add",
    show_default=True,
    help="Whether who is in another campaign is added to this one, or changed there.",
)
@click.option("--owner", metavar="EMAIL", help="Who owns contacts that name no owner, in place of the oldest admin.")
@click.option(
    "--new-owners",
    is_flag=True,
    help="Make people without a log-in of owners whom the company does not have; else these contacts go to --owner.",
)
@click.option(
    "--map", "fields", type=Mapping(), multiple=True, help='Where a column goes: "Perfil=linkedin". Repeatable.'
)
@click.option("--ignore", "left_out", metavar="COLUMN", multiple=True, help="A column to leave out. Repeatable.")
@click.option("--encoding", type=Encoding(), help="How the file's characters are written, where it was not told right.")
@click.option("--sheet", metavar="NAME", help="The sheet of a workbook, in place of the one that holds a table.")
@click.option("--no-header", is_flag=True, help="The first row is a contact already, and names no columns.")
@console.json_option
def import_(file: Path, company_name: str | None, dry_run: bool, as_json: bool, **asked: Any) -> None:
    """Import contacts from a CSV file, a workbook (XLSX, XLS, ODS) or JSON lines.

    FILE is - for standard input. JSON lines have the shape of the webhook's body. The columns of a table are found by
    their names and their cells, whichever tool wrote it; what was chosen with --map and --ignore holds for later files
    of the same header too. A row that is not accepted is reported on standard error with its line and loses no other;
    the exit code is then 1.
    """
    with console.open_app(), open_file(file, asked["sheet"]) as table:
        company = console.pick_company(company_name)
        actor, owner = Actor(company.id, CONSOLE), find_owner(db.session, company, asked["owner"])
        order, total = read_order(table, owner, filename="stdin" if str(file) == "-" else file.name, asked=asked)
        if not as_json:
            click.echo(
                f"{KIND_WORDS[order.layout.kind]}: {total} rows. Contacts that name no owner go to {owner.email}."
            )
        rehearsed = rehearse(db.engine, actor, order, table.blocks)
        if not dry_run and not as_json:
            is_telling = order.sets_levels and is_configured(db.session, company.id)
            webhooks = follow(rehearsed, total, None, label="Checking", is_hidden=False)["sent"] if is_telling else 0
            click.echo(f"Webhooks to send: {webhooks}.")
        held = None if dry_run else begin_here(db.session, actor, order, total=total)
        told = Findings(is_kept=as_json)
        try:
            with closing(import_here(held, order, table.blocks) if held else rehearsed) as chunks:
                label = "Checking" if dry_run else "Importing"
                counts = follow(chunks, total, told.tell, label=label, is_hidden=as_json)
        except KeyboardInterrupt:
            if as_json:
                told = told_by(held) if held else told
                print_report(order, told, total=total, dry_run=dry_run, is_interrupted=True)
            raise
        if as_json:
            print_report(order, told, total=total, dry_run=dry_run)
        else:
            told.tell_rest()
            show_columns(order)
            click.echo(describe(counts) + (" (dry run)" if dry_run else "") + ".")
            if held and counts["created"]:
                click.echo(f"`portal undo {held.task_id}` takes it back.")
        if held and counts["sent"]:
            console.warn_of_nobody()
    if counts["bad"]:
        raise SystemExit(1)


def follow(
    chunks: Iterable[Done], total: int, tell: Callable[[Done], None] | None, *, label: str, is_hidden: bool
) -> Counter[str]:
    """Do an import or its rehearsal to the end, and show on a terminal how far it is. Returns what it counted."""
    counts: Counter[str] = Counter()
    with click.progressbar(
        length=total, label=label, file=sys.stderr, hidden=is_hidden or not sys.stderr.isatty()
    ) as bar:
        for done in chunks:
            counts += done.counts
            bar.update(done.moved)
            if tell is not None:
                tell(done)
    return counts


def import_here(held: TaskClaim, order: Order, blocks: Blocks) -> Generator[Done, None, None]:
    """Import a file chunk by chunk, as a task that this process holds."""
    reader = row_reader(db.session, held.company_id, order)
    db.session.commit()
    reason: str | None = "interrupted"
    try:
        for chunk in cut_into_chunks(blocks, order, reader, actor=held.actor, task_id=held.task_id, pace=Pace()):
            yield do_chunk(chunk, held)
            clock.sleep(PAUSE_SECONDS)
        reason = None
    finally:
        if reason:
            click.echo(f"Interrupted. What is saved stays; `portal undo {held.task_id}` takes it back.", err=True)
        db.session.close()
        with Session(db.engine) as session, session.begin():  # an interrupt may leave the other one of no use
            store.finish(session.connection(), held, now=clock.utcnow(), reason=reason)


def told_by(held: TaskClaim) -> Findings:
    """What an import that was interrupted had done by then, whatever of it was told."""
    told = Findings(is_kept=True)
    with reading(), Session(db.engine) as session:
        told.counts += Counter(session.get_one(Task, held.task_id).counts)
    told.kept += read_findings(db.engine, held.task_id)
    return told


def find_owner(session: Session, company: Company, email: str | None) -> User:
    """Who owns contacts that name nobody: who was asked for, else the first admin, else the first person.

    Raises a ClickException.
    """
    if email is not None:
        asked = users.find_person(session, company.id, email)
        return console.or_fail(asked, f"Nobody of {company.name} has the e-mail {email}.")
    people = select(User).where(User.company_id == company.id, User.disabled_at.is_(None))
    owner = session.scalars(people.order_by(User.role.is_(None), User.role, User.id).limit(1)).first()
    return console.or_fail(owner, "The company has nobody who could own contacts: add a user first.")


@contextmanager
def open_file(file: Path, sheet: str | None) -> Iterator[Table]:
    """The file, or the sheet of a workbook; what comes through a pipe is kept while it is read.

    Raises a ClickException that says why there is none.
    """
    with ExitStack() as opened:
        source: IO[bytes] = sys.stdin.buffer if str(file) == "-" else opened.enter_context(file.open("rb"))
        if str(file) == "-" or not source.seekable():
            kept: IO[bytes] = opened.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(source, kept)
            source = kept
        try:
            yield opened.enter_context(as_text_file(source, sheet))
        except FileProblem as problem:
            hint = ' Use --map "COLUMN=name".' if isinstance(problem, NoName) else ""
            raise click.ClickException(inert(explain_problem(problem)) + hint) from problem


def read_order(table: Table, owner: User, *, filename: str, asked: dict[str, Any]) -> tuple[Order, int]:
    """What the file is and what is to be done with it, and how many rows it has. Raises FileProblem."""
    db.session.rollback()  # no transaction stays open while a long file is read
    found = table.examination(asked["encoding"], has_header=not asked["no_header"]).finish()
    order = Order.of(
        found,
        user_id=owner.id,
        filename=filename,
        campaign=asked["campaign"],
        is_sending=not asked["no_webhook"],
        makes_owners=asked["new_owners"],
        keeps_levels=asked["levels"] == "keep",
        updates_elsewhere=asked["elsewhere"] == "update",
    )
    order = choose_by_name(recall(db.session, owner.company_id, order), asked["fields"], asked["left_out"])
    require_name(order)
    return order, found.total


def do_chunk(chunk: Chunk, held: TaskClaim) -> Done:
    """Save some rows. Raises a ClickException when the import is not this process's own any more."""
    connection = db.session.connection()
    if not store.hold(connection, held, now=clock.utcnow(), lease=HELD_HERE):
        raise click.ClickException("The import was ended by somebody else.")
    done = chunk(db.session)
    store.record(connection, held, done)
    db.session.commit()
    return done


@click.command()
@click.argument("number", type=console.ROW_NUMBER, metavar="IMPORT")
@console.for_company
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def undo(actor: Actor, number: int, dry_run: bool, yes: bool) -> None:
    """Take an import back, as a job that a worker does.

    The contacts that the import created and nobody touched since are removed. What it changed stays, and so does what
    the CRM was told. `portal import` says the number of an import; so does the address of its page.
    """
    with reading():
        task = store.get_task(db.session, actor.company_id, IMPORT, number)
        file = console.or_fail(task, f"There is no import {number}.")
        found = undoing.look(db.session, actor.company_id, number)
        db.session.rollback()
    count = len(found.contact_ids)
    click.echo(f"Contacts that it created and nobody touched since: {count}. Touched, and stay: {found.touched}.")
    click.echo(f"The CRM was told of {found.told} of them, or may have been. Waiting webhooks: {found.waiting}.")
    if dry_run or not count:
        return
    if not yes:
        click.confirm(f"Remove {count} contacts for good?", abort=True, err=True)
    job = undoing.start(db.session, actor, file)
    db.session.commit()
    click.echo(f"Job {job.id}: a worker removes {job.total} contacts.")
    console.warn_of_nobody()
