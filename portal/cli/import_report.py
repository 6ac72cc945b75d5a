"""What `portal import` prints of a file: its columns, what is wrong with its rows, and what became of them."""

from collections import Counter

import click

from portal.cli import inert
from portal.cli.console import print_json
from portal.importing.findings import Finding
from portal.importing.order import Order
from portal.importing.words import FIELD_WORDS, column_names, row_explainer
from portal.tasks.store import Done

COUNTS = ("created", "changed", "unchanged", "classified", "sent", "warned", "bad")
MORE_COUNTS = ("elsewhere", "doubtful", "kept", "renamed", "missing")  # these are printed only when they are not 0
MOST_WARNINGS = 10  # warnings of one kind that are printed; the others are counted


class Findings:
    """What is wrong or doubtful in the rows: kept for a report, or printed as it comes, on standard error."""

    def __init__(self, *, is_kept: bool) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[str] = Counter()  # what the chunks did so far
        self._is_kept = is_kept
        self._explain = row_explainer()
        self._warned: Counter[tuple[str, str]] = Counter()

    def tell(self, done: Done) -> None:
        """Take what a chunk found: every bad row with its line, and the first warnings of each kind."""
        self.counts += done.counts
        for finding in Finding.read(done.kept.get("finding", b"")):
            if self._is_kept:
                self.kept.append(finding)
                continue
            kind = (finding.column, self._explain(finding._replace(other_line=0)))
            self._warned[kind] += finding.is_warning
            if self._warned[kind] <= MOST_WARNINGS:
                said = f" ({', '.join(filter(None, (finding.column, *finding.cells)))})" if finding.is_warning else ""
                label = "warning: " if finding.is_warning else ""
                click.echo(inert(f"line {finding.line}: {label}{self._explain(finding)}{said}"), err=True)

    def tell_rest(self) -> None:
        """Count the warnings that were not printed."""
        for (column, explained), number in self._warned.items():
            if number > MOST_WARNINGS:
                where = f" ({column})" if column else ""
                more = f"{number - MOST_WARNINGS} more warnings: {explained}{where} All of them: --json."
                click.echo(inert(more), err=True)


def describe(counts: Counter[str]) -> str:
    """What an import did, in one line."""
    shown = [*COUNTS, *(name for name in MORE_COUNTS if counts[name])]
    return ", ".join(f"{name} {counts[name]}" for name in shown)


def show_columns(order: Order) -> None:
    """Print which column went where, and which were left out or only offered."""
    if order.layout.is_header_doubtful:
        click.echo("No name of a column is known: line 1 was taken for a header. If it is a contact, use --no-header.")
    if others := order.layout.other_sheets:
        click.echo(inert(f"Sheet: {order.layout.sheet}. Left out: {', '.join(others)}. Another is chosen by --sheet."))
    if again := order.layout.repeated_names:
        said = f"There seem to be two tables side by side: the header repeats {', '.join(again)}."
        click.echo(inert(f"{said} Of each name the first column is taken; save the other table as a file of its own."))
    if order.is_remembered:
        click.echo("Some columns go where they were put for an earlier file of the same header.")
    columns = list(zip(column_names(order.layout.header), order.columns, order.offers, strict=True))
    taken = [f"{name} = {FIELD_WORDS[field]}" for name, field, _ in columns if field]
    left = [f"{name} (perhaps {FIELD_WORDS[offer]})" if offer else name for name, field, offer in columns if not field]
    for label, names in (("Columns", taken), ("Left out", left)):
        if names:
            click.echo(inert(f"{label}: {', '.join(names)}."))


def print_report(order: Order, told: Findings, *, total: int, dry_run: bool, is_interrupted: bool = False) -> None:
    """What became of the file, for programs: of one that was interrupted, as far as it came."""
    explain, layout = row_explainer(), order.layout
    rows = [
        {"line": row.line, "field": row.field, "problem": row.problem, "message": explain(row)}
        | ({"column": row.column, "said": "".join(row.cells)} if row.is_warning else {})
        for row in told.kept
    ]
    columns = zip(column_names(layout.header), order.columns, order.offers, strict=True)
    summary = {
        "kind": layout.kind,
        "rows": total,
        "dry_run": dry_run,
        "interrupted": is_interrupted,
        "encoding": layout.encoding,
        "sheet": layout.sheet,
        "other_sheets": layout.other_sheets,
        "columns": [{"name": name, "field": field, "offer": offer} for name, field, offer in columns],
        "remembered": order.is_remembered,
        "repeated_names": layout.repeated_names,
    }
    lists = {"bad_rows": [row for row in rows if "said" not in row], "warnings": [row for row in rows if "said" in row]}
    print_json(summary | {name: told.counts[name] for name in (*COUNTS, *MORE_COUNTS)} | lists)
