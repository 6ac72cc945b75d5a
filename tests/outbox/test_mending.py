"""A lease that a clock ahead wrote ends when one that is taken now would, and not before."""

from datetime import timedelta

import pytest
from flask import Flask

from portal import outbox
from portal.outbox.mending import CLOCK_TOLERANCE
from tests.factories import NOON
from tests.outbox.stock import HELD, LEASE, MOMENT, Rows, in_worker


@pytest.mark.parametrize(
    ("late", "kept"), [(CLOCK_TOLERANCE, CLOCK_TOLERANCE), (CLOCK_TOLERANCE + MOMENT, timedelta(0))]
)
def test_a_lease_is_no_longer_than_it_can_be_on_a_clock_that_differs(
    app: Flask, late: timedelta, kept: timedelta
) -> None:
    rows = Rows({"sending": HELD | {"lease_expires_at": NOON + LEASE + late}, "waiting": {}})
    before = rows.read()
    in_worker(lambda connection: outbox.pull_forward(connection, now=NOON, longest=timedelta(days=2), lease=LEASE))
    assert rows.read() == before | {"sending": before["sending"] | {"lease_expires_at": NOON + LEASE + kept}}
