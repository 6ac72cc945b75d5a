"""`portal import`."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.audit import Actor
from portal.cli.console import (
    ACTOR,
    Words,
    company_option,
    in_console_language,
    json_option,
    open_app,
    pick_company,
    print_json,
)
from portal.cli.terminal import inert
from portal.company.endpoint import is_configured
from portal.database.db import db
from portal.importing import (
    HELD_HERE,
    FileProblem,
    Finding,
    Order,
    as_text_file,
    begin_here,
    cut_into_chunks,
    examine,
    row_reader,
)
from portal.importing.columns import NAMES
from portal.importing.rehearsal import rehearse
from portal.importing.words import FIELD_WORDS, KIND_WORDS, explain_file, row_explainer
from portal.models import Company, User
from portal.tasks import store
from portal.tasks.slices import BLOCK_BYTES
from portal.tasks.store import Chunk, Done, TaskClaim
from portal.worker.task_runner import PAUSE_SECONDS

COUNTS = ("created", "changed", "unchanged", "classified", "sent", "warned", "bad")
MORE_COUNTS = ("elsewhere", "doubtful", "kept", "missing")
"""What is printed only where there is any."""


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@company_option
@click.option("--campaign", type=Words(200), help="For rows that name none.")
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
@json_option
def import_(
    file: Path,
    company_name: str | None,
    campaign: str | None,
    dry_run: bool,
    no_webhook: bool,
    levels: str,
    elsewhere: str,
    as_json: bool,
) -> None:
    """Import contacts from a CSV file, an XLSX, or JSON lines.

    JSON lines have the shape of the webhook's body. The columns of a table are found by their names: exports of
    LinkedIn, HubSpot, Pipedrive and RD Station, and others like them. A row that is not accepted is reported on
    standard error with its line and loses no other; the exit code is then 1.
    """
    with open_app(), in_console_language(), open_file(file) as opened:
        company = pick_company(company_name)
        actor, owner = Actor(company.id, ACTOR), oldest_user(db.session, company)
        order, total = read_order(opened, owner, filename=file.name, campaign=campaign, is_sending=not no_webhook)
        order = replace(order, keeps_levels=levels == "keep", updates_elsewhere=elsewhere == "update")
        if not as_json:
            click.echo(
                f"{KIND_WORDS[order.layout.kind]}: {total} rows. Contacts that name no owner go to {owner.email}."
            )
            show_columns(order)
        rehearsed = rehearse(db.engine, actor, order, lambda: read_blocks(opened))
        if not dry_run and not as_json:
            is_telling = order.sets_levels and is_configured(db.session, company.id)
            webhooks = follow(rehearsed, total, None, label="Checking", is_hidden=False)["sent"] if is_telling else 0
            click.echo(f"Webhooks to send: {webhooks}.")
        findings: list[Finding] = []
        counts = follow(
            rehearsed if dry_run else import_here(actor, order, opened, total),
            total,
            (lambda done: findings.extend(findings_of(done))) if as_json else show_findings,
            label="Importing",
            is_hidden=as_json,
        )
        if as_json:
            print_report(order, counts, findings, total=total, dry_run=dry_run)
        else:
            click.echo(describe(counts) + (" (dry run)" if dry_run else "") + ".")
    if counts["bad"]:
        raise SystemExit(1)


def follow(
    chunks: Iterable[Done], total: int, tell: Callable[[Done], None] | None, *, label: str, is_hidden: bool
) -> Counter[str]:
    """Do an import or its rehearsal to the end and show how far it is. Returns what it counted."""
    counts: Counter[str] = Counter()
    with click.progressbar(length=total, label=label, hidden=is_hidden) as bar:
        for done in chunks:
            counts += done.counts
            bar.update(done.moved)
            if tell is not None:
                tell(done)
    return counts


def import_here(actor: Actor, order: Order, file: IO[bytes], total: int) -> Iterator[Done]:
    """Import a file of this process, chunk by chunk, as a task that this process holds."""
    held = begin_here(db.session, actor, order, total=total)
    reader = row_reader(db.session, actor.company_id, order)
    db.session.commit()
    reason: str | None = "interrupted"
    try:
        for chunk in cut_into_chunks(lambda: read_blocks(file), order, reader, actor=actor, task_id=held.task_id):
            yield do_chunk(chunk, held)
            clock.sleep(PAUSE_SECONDS)
        reason = None
    finally:
        db.session.rollback()
        store.finish(db.session.connection(), held, now=clock.utcnow(), reason=reason)
        db.session.commit()


def oldest_user(session: Session, company: Company) -> User:
    """Who owns contacts that name nobody: the first admin, else the first person. Raises a ClickException."""
    people = select(User).where(User.company_id == company.id, User.disabled_at.is_(None))
    owner = session.scalars(people.order_by(User.role.is_(None), User.role, User.id).limit(1)).first()
    if owner is None:
        raise click.ClickException("The company has nobody who could own contacts: add a user first.")
    return owner


@contextmanager
def open_file(file: Path) -> Iterator[IO[bytes]]:
    """The file, or the table in an XLSX. Raises a ClickException that says why there is none."""
    try:
        with file.open("rb") as opened, as_text_file(opened) as table:
            yield table.file
    except FileProblem as problem:
        raise click.ClickException(explain_file(problem.reason)) from problem


def read_order(
    file: IO[bytes], owner: User, *, filename: str, campaign: str | None, is_sending: bool
) -> tuple[Order, int]:
    """What the file is, and how many rows it has. Raises FileProblem."""
    db.session.rollback()  # no transaction stays open while a long file is read
    found = examine(lambda: read_blocks(file))
    order = Order.of(found, user_id=owner.id, filename=filename, campaign=campaign, is_sending=is_sending)
    if order.layout.delimiter is not None and not NAMES & set(order.columns):
        raise FileProblem("no_name")
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


def findings_of(done: Done) -> Iterator[Finding]:
    """The bad rows and the warnings of a chunk."""
    return Finding.read(done.kept.get("finding", b""))


def show_findings(done: Done) -> None:
    """Print the bad rows and the warnings of a chunk, each with its line."""
    explain = row_explainer()
    for finding in findings_of(done):
        said = f" ({', '.join(filter(None, (finding.column, *finding.cells)))})" if finding.is_warning else ""
        label = "warning: " if finding.is_warning else ""
        click.echo(inert(f"line {finding.line}: {label}{explain(finding.field, finding.problem)}{said}"), err=True)


def describe(counts: Counter[str]) -> str:
    """What an import did, in one line."""
    shown = [*COUNTS, *(name for name in MORE_COUNTS if counts[name])]
    return ", ".join(f"{name} {counts[name]}" for name in shown)


def show_columns(order: Order) -> None:
    """Print which column goes where, and which are left out or only offered."""
    columns = list(zip(order.layout.header, order.columns, order.offers, strict=True))
    taken = [f"{name} = {FIELD_WORDS[field]}" for name, field, _ in columns if field]
    left = [f"{name} (perhaps {FIELD_WORDS[offer]})" if offer else name for name, field, offer in columns if not field]
    for label, names in (("Columns", taken), ("Left out", left)):
        if names:
            click.echo(inert(f"{label}: {', '.join(names)}."))


def print_report(order: Order, counts: Counter[str], findings: list[Finding], *, total: int, dry_run: bool) -> None:
    """What became of the file, for programs."""
    explain = row_explainer()
    rows = [
        {
            "line": row.line,
            "field": row.field,
            "problem": row.problem,
            "message": explain(row.field, row.problem),
        }
        | ({"column": row.column, "said": "".join(row.cells)} if row.is_warning else {})
        for row in findings
    ]
    columns = [
        {"name": name, "field": field, "offer": offer}
        for name, field, offer in zip(order.layout.header, order.columns, order.offers, strict=True)
    ]
    summary = {"kind": order.layout.kind, "rows": total, "dry_run": dry_run, "columns": columns}
    lists = {"bad_rows": [row for row in rows if "said" not in row], "warnings": [row for row in rows if "said" in row]}
    print_json(summary | {name: counts[name] for name in (*COUNTS, *MORE_COUNTS)} | lists)


def read_blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        yield block
