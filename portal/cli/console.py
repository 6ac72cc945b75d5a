"""What the commands share: the application opened for one command, the company that is meant, how times are shown."""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click
from flask import Flask, has_app_context
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.audit import CONSOLE, Actor
from portal.cli import WholeNumber, inert
from portal.cli.holding import hold_app
from portal.cli.upgrade import bring_up_to_date
from portal.company.refusals import Refusal
from portal.company.sealed import prove_key
from portal.config import load_settings
from portal.database.db import db, reading
from portal.database.schema import check_schema, current_revision
from portal.deliveries.figures import count_workers
from portal.egress import AddressError
from portal.models import Attempt, Company, Contact
from portal.people.users import find_company
from portal.rules.identity import clean_text, has_marks
from portal.rules.payload import UnencodableText, check_text
from portal.rules.verdict import decode
from portal.runtime import runtime
from portal.webhook import Outcome

Command = TypeVar("Command", bound=Callable[..., Any])
Found = TypeVar("Found")

SHOWN_CHARACTERS = 500  # of a receiver's answer
NOBODY = "No worker is alive: nothing is sent and no job goes on until `portal serve` or `portal worker` runs."
ROW_NUMBER = WholeNumber(1, 2**63 - 1)  # the number of a row


@contextmanager
def open_app(*, or_make: bool = False) -> Iterator[Flask]:
    """The application in its context, for one command. Raises SettingError and SchemaError.

    Raises NoInstance, and makes nothing, where there is no portal; `or_make` makes one, with an empty database. What a
    room refuses is one sentence and exit code 1.
    """
    with hold_app(load_settings(of_existing=not or_make)) as app:
        if or_make and current_revision(db.engine) is None:
            bring_up_to_date()
        check_schema(db.engine, db.metadata)
        try:
            yield app
        except (Refusal, AddressError) as error:
            raise click.ClickException(error.sentence) from error


class Words(click.ParamType[str]):
    """Text on one line that names something: not empty, at most `length` characters, and fit to be sent in a body."""

    name = "text"

    def __init__(self, length: int) -> None:
        self.length = length

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = clean_text(str(value))
        try:
            check_text(text, param.name or "text" if param else "text")
        except UnencodableText:
            self.fail("holds characters that are no text.", param, ctx)
        if not text or has_marks(str(value)):
            self.fail("is empty, or holds characters that cannot be seen.", param, ctx)
        if len(text) > self.length:
            self.fail(f"is longer than {self.length} characters.", param, ctx)
        return text


class NewFile(click.Path):
    """Where a command writes a file, and not to standard output."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "-":
            self.fail("what is written cannot go to standard output: name a file.", param, ctx)
        return super().convert(value, param, ctx)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(shape: Any) -> None:
    """Print plain values, for programs."""
    print_lines([json.dumps(shape, indent=2)])


def print_lines(lines: Iterable[str]) -> None:
    """Print foreign text made inert, once all of it is read: no transaction stays open while somebody looks at it."""
    made = [inert(line) for line in lines]
    if has_app_context():
        db.session.rollback()
    for line in made:
        click.echo(line)


def print_answer(shape: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """Print JSON for programs, or lines for people, who are told how to ask for the next page."""
    if as_json:
        print_json(shape)
        return
    print_lines(lines)
    if cursor := shape.get("next_cursor"):
        click.echo(f"Go on with --cursor {cursor}", err=True)


def warn_of_nobody() -> None:
    """Say, aside from what a program reads, when no worker is there for what was asked for."""
    with reading():
        workers = count_workers(db.session, now=clock.utcnow())
    if not workers:
        click.echo(NOBODY, err=True)


def check_usage(is_right: Callable[[Mapping[str, Any]], bool], sentence: str) -> Callable[[Command], Command]:
    """Refuse a command whose arguments do not fit together, with this sentence, before anything is opened."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> None:
            if not is_right(given):
                raise click.UsageError(sentence)
            command(**given)

        return run  # type: ignore[return-value]

    return decorate


def is_any_given(given: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether somebody gave one of these arguments."""
    return any(given[name] is not None for name in names)


def company_option(command: Command) -> Command:
    """The option `--company NAME`, which may be left out when there is only one."""
    option = click.option(
        "--company", "company_name", metavar="NAME", type=Words(200), help="May be left out when there is only one."
    )
    return option(command)


def for_company(command: Callable[..., None]) -> Callable[..., None]:
    """Let the command run in the application, with the console acting for the company that `--company` names."""

    @wraps(command)
    def run(company_name: str | None, **given: Any) -> None:
        with open_app():
            command(Actor(pick_company(company_name).id, CONSOLE), **given)

    return company_option(run)


def pick_company(name: str | None) -> Company:
    """The company of that name, or the only one. Raises a ClickException that says which there are."""
    if name is not None:
        company = find_company(db.session, name)
        if company is None:
            raise click.ClickException(f"There is no company {name!r}. {_known_companies()}")
        return company
    companies = db.session.scalars(select(Company).where(Company.closed_at.is_(None)).limit(2)).all()
    if len(companies) == 1:
        return companies[0]
    raise click.UsageError(f"Say which company, with --company NAME. {_known_companies()}")


def or_fail(found: Found | None, sentence: str) -> Found:
    """What was found. Raises a ClickException with the sentence when it is nothing."""
    if found is None:
        raise click.ClickException(sentence)
    return found


def contact_of_any_company(contact_id: int) -> Contact:
    """The contact, whichever company has it. Raises a ClickException when there is none."""
    return or_fail(db.session.get(Contact, contact_id), f"There is no contact {contact_id}.")


def check_stored_secrets(session: Session) -> None:
    """Raise WrongKey when the database holds secrets, and the key in use opens none of them."""
    prove_key(session, runtime().vault)
    session.rollback()


def time_in(company: Company, moment: datetime | None) -> str:
    """A moment in the company's time zone, to the second; `-` when there is none."""
    if moment is None:
        return "-"
    return moment.astimezone(ZoneInfo(company.timezone)).isoformat(sep=" ", timespec="seconds")


def read_time(text: str | None, company: Company, *, option: str) -> datetime | None:
    """A moment as typed; without a zone it is the company's time. Raises BadParameter."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(company.timezone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is no time such as 2026-01-31 or 2026-01-31T12:00.", param_hint=option
        ) from error


def _known_companies() -> str:
    names = db.session.scalars(
        select(Company.name).where(Company.closed_at.is_(None)).order_by(Company.name).limit(20)
    ).all()
    if not names:
        return "There is none yet: `portal user add --company NAME ...` makes one, and so does the first set-up."
    return f"There {'is' if len(names) == 1 else 'are'}: {', '.join(names)}."


def lines_of_attempt(attempt: Attempt | Outcome) -> Iterator[str]:
    """The verdict in words, the facts, and the beginning of the answer. Needs an application context."""
    words = runtime().explain(attempt)
    yield f"{words.title}: {words.message}"
    if words.offer:
        yield f"To use that address: portal webhook set {shlex.quote(words.offer)}"
    status = "no answer" if attempt.status_code is None else f"answered {attempt.status_code}"
    took = "" if attempt.duration_ms is None else f" in {attempt.duration_ms} ms"
    yield f"{attempt.url}: {status}{took} ({attempt.reason})"
    if attempt.response_body:
        answer = decode(attempt.response_body)
        cut = "..." if len(answer) > SHOWN_CHARACTERS else ""
        yield answer[:SHOWN_CHARACTERS] + cut
