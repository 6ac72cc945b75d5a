"""What is said of the next try: never a time that has passed, and nothing that was not sent is on its way."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from portal import clock
from portal.database.db import db
from portal.models import Company, Delivery, Endpoint
from portal.outbox.next_try import WAITS_FOR, NextTry, next_try_of
from tests.contacts.test_edges import World, world
from tests.deliveries.test_edges import settle
from tests.factories import endpoint_of, make_contact, make_delivery

__all__ = ["world"]  # a fixture

PAST, COMING = timedelta(minutes=-5), timedelta(minutes=5)


def arrange(
    company: Company, state: str, *, due: timedelta, probe: timedelta | None = None, tries: int = 1
) -> Delivery:
    delivery, endpoint, now = make_delivery(make_contact(company)), endpoint_of(company), clock.utcnow()
    delivery.next_attempt_at, delivery.attempt_count, delivery.tries = now + due, tries, tries
    delivery.reason = "timeout" if tries else None
    endpoint.state, endpoint.next_probe_at = state, None if probe is None else now + probe
    endpoint.paused_reason = "manual" if state == "paused" else None
    db.session.commit()
    return delivery


@pytest.mark.parametrize(
    ("state", "due", "probe", "waits_for", "comes"),
    [
        ("active", COMING, None, "its_time", COMING),
        ("active", PAST, None, "its_time", timedelta(0)),
        ("failing", PAST, COMING, "probe", COMING),
        ("failing", COMING, PAST, "probe", timedelta(0)),
        ("paused", PAST, None, "resume", None),
        ("paused", COMING, None, "resume", None),
    ],
)
def test_the_next_try_is_never_in_the_past(
    company: Company, state: str, due: timedelta, probe: timedelta | None, waits_for: str, comes: timedelta | None
) -> None:
    coming = next_try_of(arrange(company, state, due=due, probe=probe))
    assert isinstance(coming, NextTry)
    assert coming.waits_for == waits_for
    assert waits_for in WAITS_FOR
    if comes is None:
        assert coming.at is None
    else:
        assert coming.at is not None
        assert abs(coming.at - clock.utcnow() - comes) < timedelta(seconds=20)


def test_what_does_not_wait_has_no_next_try(company: Company) -> None:
    delivery = arrange(company, "active", due=COMING)
    delivery.status = "failed"
    assert next_try_of(delivery) is None


# --- edges

Look = Callable[[World, Delivery], str]


def by_list(world: World, delivery: Delivery) -> str:
    return world.browser.get("/deliveries").text


def by_page(world: World, delivery: Delivery) -> str:
    return world.browser.get(f"/deliveries/{delivery.webhook_id}").text


def by_contact(world: World, delivery: Delivery) -> str:
    return world.browser.get(f"/contacts/{delivery.contact_id}").text


def by_command(world: World, delivery: Delivery) -> str:
    return world.command("deliveries", "list").output


WORDS = {by_command: ("the portal probes the receiver again", "held: sending is paused")}


@pytest.mark.parametrize("look", [by_list, by_page, by_contact, by_command])
@pytest.mark.parametrize("tries", [0, 1])
def test_every_edge_says_what_a_delivery_waits_for(world: World, look: Look, tries: int) -> None:
    probed, held = WORDS.get(look, ("o portal testa de novo", "parado"))
    delivery = arrange(world.company, "failing", due=PAST, probe=COMING, tries=tries)
    assert probed in look(world, delivery)
    db.session.query(Endpoint).update({"state": "paused", "paused_reason": "manual"})
    told = look(world, delivery)
    assert held in told
    assert probed not in told
    assert "a caminho" not in told


@pytest.mark.parametrize("state", ["active", "failing", "paused"])
def test_no_edge_tells_a_next_try_that_has_passed(world: World, state: str) -> None:
    delivery = arrange(world.company, state, due=PAST, probe=PAST)
    now = clock.utcnow() - timedelta(seconds=1)
    for look in (by_list, by_page, by_contact):
        told = re.findall(r'<time datetime="([^"]+)"[^>]*data-relative="next">', look(world, delivery))
        assert bool(told) == (state != "paused")
        assert all(datetime.fromisoformat(moment) >= now.replace(microsecond=0) for moment in told)
    for path in ("/deliveries", f"/deliveries/{delivery.webhook_id}"):
        shape = world.api.get(path).json
        item = shape["items"][0] if "items" in shape else shape
        moment = item["next_attempt_at"]
        if state == "paused":
            assert (moment, item["waits_for"]) == (None, "resume")
        else:
            assert datetime.fromisoformat(moment).astimezone(UTC) >= now
    (row,) = (line for line in world.browser.get("/deliveries.csv").text.splitlines() if delivery.webhook_id in line)
    assert row.endswith(";") == (state == "paused")


def test_the_home_page_tells_causes_the_same_way(world: World) -> None:
    arrange(world.company, "failing", due=PAST, probe=COMING)
    row = db.session.query(Delivery).one()
    settle(row, "pending", "timeout", request_sent=True)
    assert "o portal testa de novo" in world.browser.get("/").text
    db.session.query(Endpoint).update({"state": "paused", "paused_reason": "manual"})
    assert "parado" in world.browser.get("/").text
