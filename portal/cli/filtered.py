"""What commands share that list what a filter matches or act on it: its options, those of a page, and of a job."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import click
from sqlalchemy.orm import Session

from portal.api.jobs import JobSchema
from portal.audit import Actor
from portal.cli import WholeNumber
from portal.cli.console import Command, Words, json_option, print_json, read_time, warn_of_nobody
from portal.database.db import db
from portal.database.filters import Filter, choices_of
from portal.models import Company, Task

TIMES = ("since", "until")
# What stands for an option's value in its help.
SHOWN = {
    **{"campaign": "NAME", "owner": "EMAIL", "reason": "CODE"},
    **dict.fromkeys(("contact", "import", "outage"), "ID"),
    **dict.fromkeys(TIMES, "TIME"),
}
HELP = {
    "reason": "What came of it, such as timeout or html_page.",
    "warning": "What was odd about the answer that was accepted.",
    "since": "Then or later: 2026-01-31 or 2026-01-31T12:00.",
    "until": "Before then.",
    "import": "Only what that import named.",
    "outage": "Only what that outage held up.",
    "search": "A contact's name, e-mail, phone, LinkedIn id or company; of a delivery, its id too.",
}
F = TypeVar("F", bound=Filter)


def filter_options(kind: type[Filter], *, without: Collection[str] = ()) -> Callable[[Command], Command]:
    """Add an option for each field of the filter; the command gets what was given as keyword arguments."""

    def decorate(command: Command) -> Command:
        for name, values in reversed(choices_of(kind).items()):
            if name not in without:
                known = Words(254) if values is None else click.Choice(tuple(values))
                option = f"--{name.replace('_', '-')}"
                command = click.option(option, type=known, metavar=SHOWN.get(name), help=HELP.get(name))(command)
        return command

    return decorate


def read_wanted(read: Callable[[Session, int, Mapping[str, Any]], F], actor: Actor, given: Mapping[str, Any]) -> F:
    """The filter that the options make. Raises BadParameter for what the company does not have, and for no time."""
    company = db.session.get_one(Company, actor.company_id)
    times = {name: read_time(given.get(name), company, option=f"--{name}") for name in TIMES}
    wanted = read(db.session, company.id, {**given, **times})
    for name in wanted.unknown:
        raise click.BadParameter(f"{company.name} has no {name} {given[name]!r}.", param_hint=f"--{name}")
    return wanted


def page_options(command: Command) -> Command:
    """Add `--limit`, `--cursor` and `--json`."""
    limit = click.option("--limit", default=50, show_default=True, type=WholeNumber(1, 1000))
    cursor = click.option("--cursor", metavar="CURSOR", help="Go on where the last page ended.")
    return limit(cursor(json_option(command)))


@dataclass(frozen=True)
class Asked:
    """What somebody said of a job beside what it is to do."""

    dry_run: bool
    yes: bool
    as_json: bool


def job_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--dry-run`, `--yes` and `--json`; the command gets them as `asked`."""

    @wraps(command)
    def run(*actor: Actor, dry_run: bool, yes: bool, as_json: bool, **given: Any) -> None:
        command(*actor, asked=Asked(dry_run, yes, as_json), **given)

    dry = click.option("--dry-run", is_flag=True, help="Only count.")
    return dry(click.option("--yes", is_flag=True, help="Do not ask.")(json_option(run)))


class Doing(NamedTuple):
    """What a job does to what matches, in words."""

    do: str
    done: str
    things: str = "contacts"
    how: str = ""


SENDING = Doing("send", "sent")


def do_in_job(
    counted: Mapping[str, Any], start: Callable[[], Task], nothing: str, asked: Asked, doing: Doing = SENDING
) -> None:
    """Ask whether to do it with so many, start the job that does it, and say so. A dry run only says what was counted.

    `counted` has how many that are as its `count`; `nothing` is said where there are none any more.
    """
    count, how = counted["count"], f" {doing.how}".rstrip()
    if asked.dry_run:
        said = f"{count} {doing.things} would be {doing.done}{how}."
        print_json(counted) if asked.as_json else click.echo(said)
        return
    if not asked.yes and count:
        click.confirm(f"{doing.do.capitalize()} {count} {doing.things}{how}?", abort=True, err=True)
    task = start()
    db.session.commit()
    if asked.as_json:
        print_json(JobSchema().dump(task))
    elif task.total:
        click.echo(f"Job {task.id}: a worker {doing.do}s {task.total} {doing.things}{how}.")
    else:
        click.echo(nothing)
    if task.total:
        warn_of_nobody()
