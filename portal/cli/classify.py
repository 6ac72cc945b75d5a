"""`portal classify`."""

import click

from portal.audit import Actor
from portal.cli.console import ACTOR, ROW_NUMBER, contact_of_any_company, json_option, open_app, print_json
from portal.contacts import classifying
from portal.database.db import db
from portal.models import LEVELS


@click.command()
@click.argument("contact_id", type=ROW_NUMBER)
@click.argument("level", type=click.Choice([*map(str, LEVELS), "none"]))
@json_option
def classify(contact_id: int, level: str, as_json: bool) -> None:
    """Set or remove a contact's interest level.

    LEVEL is 1 low, 2 medium, 3 high, or none to remove it. The webhook goes out by the same rule as from the page: when
    a level is set or changed, not when it is removed.
    """
    wanted = None if level == "none" else int(level)
    with open_app():
        contact = contact_of_any_company(contact_id)
        done = classifying.classify(db.session, Actor(contact.company_id, ACTOR), contact_id, wanted)
        db.session.commit()
        if as_json:
            print_json({"contact_id": contact_id, "delivery_id": done.delivery_id})
            return
        click.echo(f"Contact {contact_id}: {done.previous_level or 'none'} -> {level}.")
        if done.delivery_id is not None:
            click.echo(f"Delivery {done.delivery_id} is queued.")
        elif done.previous_level == wanted:
            click.echo("It was so already: nothing is sent.")
        elif wanted is None:
            click.echo("A level was removed: nothing is sent.")
        else:
            click.echo("The company has no webhook address: nothing is sent.")
