"""`portal import`."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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
from portal.database.db import db
from portal.importing import (
    FileProblem,
    Finding,
    Order,
    as_text_file,
    begin,
    cut_into_chunks,
    examine,
    row_reader,
)
from portal.importing.columns import NAMES
from portal.importing.words import FIELD_WORDS, KIND_WORDS, explain_file, row_explainer
from portal.models import Company, User
from portal.tasks.slices import BLOCK_BYTES
from portal.tasks.store import Chunk, Done
from portal.worker.task_runner import PAUSE_SECONDS

COUNTS = ("created", "changed", "unchanged", "classified", "sent", "warned", "bad")


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@company_option
@click.option("--campaign", type=Words(200), help="For rows that name none.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@click.option("--no-webhook", is_flag=True, help="Record levels without telling the CRM.")
@json_option
def import_(
    file: Path, company_name: str | None, campaign: str | None, dry_run: bool, no_webhook: bool, as_json: bool
) -> None:
    """Import contacts from a CSV file, an XLSX, or JSON lines.

    JSON lines have the shape of the webhook's body. The columns of a table are found by their names: exports of
    LinkedIn, HubSpot, Pipedrive and RD Station, and others like them. A row that is not accepted is reported on
    standard error with its line and loses no other; the exit code is then 1. A dry run does not see that two rows far
    apart in the file are the same contact.
    """
    with open_app(), in_console_language(), open_file(file) as opened:
        company = pick_company(company_name)
        owner = oldest_user(db.session, company)
        order, total = read_order(opened, owner, filename=file.name, campaign=campaign, is_sending=not no_webhook)
        if not as_json:
            click.echo(
                f"{KIND_WORDS[order.layout.kind]}: {total} rows. Contacts that name no owner go to {owner.email}."
            )
            show_columns(order)
        reader = row_reader(db.session, company.id, order)
        chunks = cut_into_chunks(lambda: read_blocks(opened), order, reader, actor=Actor(company.id, ACTOR))
        if not dry_run:
            begin(db.session, Actor(company.id, ACTOR), order)
            db.session.commit()
        counts: Counter[str] = Counter()
        findings: list[Finding] = []
        with click.progressbar(length=total, label="Importing", hidden=as_json) as bar:
            for chunk in chunks:
                done = do_chunk(chunk, dry_run=dry_run)
                counts += done.counts
                bar.update(done.moved)
                if as_json:
                    findings += Finding.read(done.finding or b"")
                else:
                    show_findings(done)
                clock.sleep(PAUSE_SECONDS)
        if as_json:
            print_report(order, counts, findings, total=total, dry_run=dry_run)
        else:
            click.echo(", ".join(f"{name} {counts[name]}" for name in COUNTS) + (" (dry run)" if dry_run else "") + ".")
    if counts["bad"]:
        raise SystemExit(1)


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
            yield table
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


def do_chunk(chunk: Chunk, *, dry_run: bool) -> Done:
    """Save some rows, or only see what saving them would do."""
    done = chunk(db.session)
    if dry_run:
        db.session.rollback()
    else:
        db.session.commit()
    return done


def show_findings(done: Done) -> None:
    """Print the bad rows and the warnings of a chunk, each with its line."""
    explain = row_explainer()
    for finding in Finding.read(done.finding or b""):
        said = f" ({', '.join(filter(None, (finding.column, *finding.cells)))})" if finding.is_warning else ""
        label = "warning: " if finding.is_warning else ""
        click.echo(inert(f"line {finding.line}: {label}{explain(finding.field, finding.problem)}{said}"), err=True)


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
    print_json(summary | {name: counts[name] for name in COUNTS} | lists)


def read_blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        yield block
