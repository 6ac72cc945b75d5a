"""`portal causes` and `portal settle`."""

from collections.abc import Iterator
from typing import Any

import click

from portal.api.sync import CauseSchema, shapes_of
from portal.audit import Actor
from portal.cli.console import ROW_NUMBER, Words, check_usage, for_company, is_any_given, json_option, print_answer
from portal.cli.contacts import contact_of_company
from portal.contacts import doubts, notes
from portal.database.db import db, reading
from portal.rules.verdict import WARNINGS


@click.group()
def causes() -> None:
    """Why contacts have not arrived, or arrived with a warning."""


@causes.command(name="list")
@reading()
@for_company
@json_option
def list_causes(actor: Actor, as_json: bool) -> None:
    """List the causes, with the note about each."""
    shapes = CauseSchema(many=True).dump(shapes_of(actor.company_id))
    print_answer({"items": shapes}, (line for shape in shapes for line in lines_of(shape)), as_json=as_json)


def lines_of(shape: dict[str, Any]) -> Iterator[str]:
    """One cause as lines for people."""
    yield f"{shape['contacts']:>7}  {shape['status']:<10} {shape['cause']:<20} {shape['message']}"
    if shape["note"]:
        yield f"         {shape['note']['actor']}: {shape['note']['text']}"


@causes.command()
@click.argument("cause", metavar="CAUSE", type=click.Choice(notes.CAUSES))
@click.argument("text", required=False, type=Words(notes.MAX_NOTE))
@for_company
def note(actor: Actor, cause: str, text: str | None) -> None:
    """Write the note about a cause, such as "ticket 123"; without a text there is none any more."""
    notes.write_note(db.session, actor, cause, text or "")
    db.session.commit()
    click.echo("The note is saved." if text else "There is no note.")


@click.command()
@click.argument("contact_id", required=False, type=ROW_NUMBER)
@click.option("--warning", type=click.Choice(WARNINGS), help="All open warnings of that kind.")
@check_usage(lambda given: is_any_given(given, ("contact_id", "warning")), "Give a contact's number, or --warning.")
@for_company
@json_option
def settle(actor: Actor, contact_id: int | None, warning: str | None, as_json: bool) -> None:
    """Say that what the CRM accepted with a warning is right there.

    Somebody looked. Name a contact, or a kind of warning. The next answer with a warning opens a new one.
    """
    if contact_id is not None:
        contact_of_company(actor, contact_id)
    count = doubts.settle(db.session, actor, contact_id=contact_id, warning=warning)
    db.session.commit()
    print_answer({"count": count}, [f"Settled: {count}."], as_json=as_json)
