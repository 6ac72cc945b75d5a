"""`portal contacts`, `portal sync` and `portal classify`."""

from functools import partial
from typing import Any

import click

from portal.api.contacts import shapes_of
from portal.audit import CONSOLE, Actor
from portal.cli import console, inert
from portal.cli.filtered import Asked, Doing, do_in_job, filter_options, job_options, page_options, read_wanted
from portal.contacts import assigning, classifying, completing, merging, syncing
from portal.contacts.filtering import NAMES, ContactFilter, read_filter
from portal.contacts.listing import get_contact, page_contacts
from portal.contacts.saved import Saved
from portal.database.db import db, reading, reading_apart
from portal.models import LEVELS, Company, Contact

ALL_SENT = "The CRM has it all, or it is queued: nothing is sent."


@click.group()
def contacts() -> None:
    """The contacts, and what the CRM knows of them."""


@contacts.command(name="list")
@reading()
@console.for_company
@filter_options(ContactFilter)
@page_options
def list_contacts(actor: Actor, limit: int, cursor: str | None, as_json: bool, **given: Any) -> None:
    """List contacts by name, with their level and whether the CRM knows it.

    `warning`: the CRM's answer had one, and nobody has settled it; `data_changed`: the CRM has the old data.
    """
    wanted = read_wanted(read_filter, actor, given)
    page = page_contacts(db.session, actor.company_id, wanted, limit=limit, cursor=cursor, with_messages=True)
    shapes = shapes_of(page.items)
    console.print_answer({"items": shapes, "next_cursor": page.next_cursor}, map(line_of, shapes), as_json=as_json)


@contacts.command()
@click.argument("contact_id", type=console.ROW_NUMBER)
@reading()
@console.for_company
@console.json_option
def show(actor: Actor, contact_id: int, as_json: bool) -> None:
    """Show one contact with all that is known of it."""
    (shape,) = shapes_of([contact_of_company(actor, contact_id)])
    facts = [f"  {name}: {value}" for name, value in facts_of(shape)]
    thread = [f"  {message['date']} {message['sender_name']}: {message['message']}" for message in shape["messages"]]
    console.print_answer(shape, [line_of(shape), *facts, *thread], as_json=as_json)


@contacts.command()
@click.argument("contact_id", required=False, type=console.ROW_NUMBER)
@console.check_usage(
    lambda given: (given["contact_id"] is not None) != console.is_any_given(given, NAMES),
    "Give either the number of a contact or a filter, such as --state data_changed.",
)
@console.for_company
@filter_options(ContactFilter)
@job_options
def send(actor: Actor, contact_id: int | None, asked: Asked, **given: Any) -> None:
    """Send a contact's current data, where the CRM has the old data or does not know the level.

    Name one contact, or give a filter, such as --state data_changed: then a worker does it as a job. Nothing goes when
    the CRM has all of it, or it is queued. A contact without a level is not sent.
    """
    if contact_id is not None:
        send_one(actor, contact_id, as_json=asked.as_json)
    else:
        send_matching(actor, read_wanted(read_filter, actor, given), asked)


def send_one(actor: Actor, contact_id: int, *, as_json: bool) -> None:
    """Send one contact's current data. Raises Refusal and ClickException."""
    contact_of_company(actor, contact_id)
    sent = syncing.send_current(db.session, actor, contact_id)
    db.session.commit()
    if as_json:
        console.print_json({"contact_id": contact_id, "delivery_id": sent})
    elif sent:
        click.echo(f"Delivery {sent} is queued.")
    else:
        click.echo(ALL_SENT)
    if sent:
        console.warn_of_nobody()


def send_matching(actor: Actor, wanted: ContactFilter, asked: Asked) -> None:
    """Count what matches, and let a worker send it as a job. Raises Refusal."""
    with reading_apart(db.session):
        matching = completing.look(db.session, actor.company_id, wanted)
    if matching.without_level:
        click.echo(f"Left out: {matching.without_level} without a level.", err=True)
    start = partial(completing.start, db.session, actor, wanted, newest_id=matching.newest_id)
    do_in_job({"count": matching.count}, start, ALL_SENT, asked)


@contacts.command()
@click.option("--to-owner", type=console.Words(254), help="Who gets them: an e-mail.")
@click.option("--to-campaign", type=console.Words(200), help="Where they go: a campaign's name.")
@console.check_usage(
    lambda given: console.is_any_given(given, NAMES), "Give a filter, such as --owner ana@example.com."
)
@console.for_company
@filter_options(ContactFilter)
@job_options
def assign(actor: Actor, to_owner: str | None, to_campaign: str | None, asked: Asked, **given: Any) -> None:
    """Give the contacts that match a filter another owner or campaign, as a job that a worker does.

    `--owner old@example.com --to-owner new@example.com` hands one person's contacts over. Nothing is sent. Who is in
    the campaign already, as another contact, is not moved.
    """
    wanted = read_wanted(read_filter, actor, given)
    try:
        target = assigning.read_target(db.session, actor.company_id, to_owner, to_campaign)
    except LookupError as error:
        raise click.BadParameter("The company does not have it.", param_hint=f"--to-{error.args[0]}") from error
    with reading_apart(db.session):
        matching = classifying.look(db.session, actor.company_id, wanted)
    start = partial(assigning.start, db.session, actor, wanted, target, newest_id=matching.newest_id)
    do_in_job({"count": matching.count}, start, "Nobody matches.", asked, Doing("move", "moved"))


@contacts.command()
@click.argument("contact_id", type=console.ROW_NUMBER)
@click.argument("other_id", type=console.ROW_NUMBER)
@console.for_company
@click.option("--yes", is_flag=True, help="Do not ask.")
def merge(actor: Actor, contact_id: int, other_id: int, yes: bool) -> None:
    """Make one contact of two that are one person: CONTACT_ID stays, OTHER_ID is gone.

    The one that stays keeps its number, its level and its data; what it lacks comes from the other, with the messages,
    the history and the deliveries. Nothing is sent.
    """
    names = [contact_of_company(actor, each).name for each in (contact_id, other_id)]
    db.session.rollback()
    if not yes:
        asked = f"Merge {names[1]} ({other_id}) into {names[0]} ({contact_id})? This cannot be undone."
        click.confirm(inert(asked), abort=True, err=True)
    lost = merging.merge(db.session, actor, contact_id, other_id)
    db.session.commit()
    click.echo(f"Contact {other_id} is now part of contact {contact_id}.")
    if lost:
        click.echo(
            f"A thread holds 2,000 messages and 500,000 characters: the oldest ones of both had no room ({lost}).",
            err=True,
        )


def contact_of_company(actor: Actor, contact_id: int) -> Contact:
    """The company's contact. Raises ClickException."""
    company = db.session.get_one(Company, actor.company_id)
    found = get_contact(db.session, company.id, contact_id)
    return console.or_fail(found, f"{company.name} has no contact {contact_id}.")


def line_of(shape: dict[str, Any]) -> str:
    facts = shape["contact"]
    level, marks = facts["interest_level"] or "-", [mark for mark in ("warning", "data_changed") if shape[mark]]
    standing = ", ".join([shape["sync"], *marks])
    return f"{facts['id']:>8}  {level}  {standing:<12} {facts['name']}  ({shape['campaign']['name']})"


def facts_of(shape: dict[str, Any]) -> list[tuple[str, Any]]:
    """What is known of a contact besides its line, by the names of the body."""
    owner = shape["contact_owner"]
    plain = {name: value for name, value in shape["contact"].items() if isinstance(value, str | int) and name != "name"}
    return [*plain.items(), ("contact_owner", f"{owner['name']} <{owner['email']}>")]


@click.command()
@console.for_company
@job_options
def sync(actor: Actor, asked: Asked) -> None:
    """Bring the CRM in sync, as a job that a worker does.

    It sends the latest state of each contact whose level the CRM does not know, level 3 first. What is on its way is
    left alone. While such a job is under way it is the answer, so that asking twice sends once.
    """
    with reading_apart(db.session):
        count = sum(syncing.count_out_of_sync(db.session, actor.company_id).values())
    nothing = "The CRM knows every level, or will soon: nothing is sent."
    do_in_job({"count": count}, partial(syncing.start, db.session, actor), nothing, asked)


@click.command()
@click.argument("contact_id", type=console.ROW_NUMBER)
@click.argument("level", type=click.Choice([*map(str, LEVELS), "none"]))
@console.json_option
def classify(contact_id: int, level: str, as_json: bool) -> None:
    """Set or remove a contact's interest level.

    LEVEL is 1 low, 2 medium, 3 high, or none to remove it. The webhook goes out by the same rule as from the page: when
    a level is set or changed, not when it is removed.
    """
    wanted = None if level == "none" else int(level)
    with console.open_app():
        contact = console.contact_of_any_company(contact_id)
        done = classifying.classify(db.session, Actor(contact.company_id, CONSOLE), contact_id, wanted)
        db.session.commit()
        if as_json:
            console.print_json({"contact_id": contact_id, "delivery_id": done.delivery_id})
        else:
            click.echo(f"Contact {contact_id}: {done.previous_level or 'none'} -> {level}.")
            click.echo(what_follows(done, wanted))
        if done.delivery_id is not None:
            console.warn_of_nobody()


def what_follows(done: Saved, level: int | None) -> str:
    """What goes to the CRM, or why nothing does."""
    if done.delivery_id is not None:
        return f"Delivery {done.delivery_id} is queued."
    if done.previous_level == level:
        return "It was so already: nothing is sent."
    if level is None:
        return "A level was removed: nothing is sent."
    return "The company has no webhook address: nothing is sent."
