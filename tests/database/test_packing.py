"""Bodies come back as the very bytes that they were, whatever these are and whoever stored them."""

import zlib
from typing import Any

import pytest
from alembic import command
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, select, type_coerce, update

from portal import outbox
from portal.clock import utcnow
from portal.database.db import db
from portal.database.packing import MARK, TEMPLATE, pack, unpack
from portal.database.upgrading import config_for, upgrade_schema
from portal.models import Delivery, DeliveryBody
from portal.rules.payload import encode_body, sample_payload
from tests.conftest import BOTH
from tests.factories import make_company, make_contact

SAMPLE = encode_body(sample_payload())
ODD = [b"{}", b"", b"\xff no body of ours", pack(SAMPLE)]
STORED = (
    "783f1b17e5c49594490e82401045afd2712f116282716582dc400fd0111259300471c5e5adfe3d015d222e496aeaaaf718ed"
    "2bec48073753a69e37b4e2466729293f203cf63d92d3f998524c4038131312ce046d241c2718dafd60665c904dbbc8eb8eb8"
    "92ee158b88e9d9717575f14ef6322a7562644b1beaed36fe411f252ea6203e008413412bbc4d01c02e62daf59cf599093a28"
    "09827e0b91c30eb82c9b4725d18951646d57dfe5f070dd5f6f3489fbca13667dd1fbf28b62ccf19532e554f3f4179e39b4bb"
    "c228f44aed2faa900226aa2c74516eae68c60eeb34a2cc4609558ba234e5a6263270b3267e00a6592b9b"
)
"""The sample, as the first version stored it that packed bodies."""


@given(st.binary())
@example(pack(SAMPLE))
@example(b"x " + MARK)
@example(b"  " + MARK + b" and more")
def test_any_bytes_come_back_as_they_were(content: bytes) -> None:
    assert unpack(pack(content)) == content


@given(st.binary(max_size=40))
def test_bytes_that_are_no_body_take_no_more_room_than_they_are(content: bytes) -> None:
    assert len(pack(content)) <= len(content)


def test_a_body_takes_less_than_half_of_its_room() -> None:
    assert len(pack(SAMPLE)) < len(SAMPLE) / 2


def test_what_the_first_version_packed_is_read_for_good() -> None:
    assert unpack(bytes.fromhex(STORED)) == SAMPLE


@pytest.mark.parametrize("level", range(-1, 10))
def test_what_was_packed_at_any_level_is_read(level: int) -> None:
    packer = zlib.compressobj(level, zdict=TEMPLATE)
    assert unpack(packer.compress(SAMPLE) + packer.flush()) == SAMPLE


def test_what_was_damaged_comes_as_it_lies_which_is_no_body_and_is_not_sent() -> None:
    packed = pack(SAMPLE)
    changed = packed[:-1] + bytes([packed[-1] ^ 1])
    for damaged in (changed, packed[:-5], packed[:6], packed[:20] + b"\xff\xff" + packed[22:]):
        assert unpack(damaged) == damaged
        assert not damaged.isascii()


def stored() -> list[Any]:
    """The bytes of each delivery as the portal reads them, and as they lie in the database."""
    lies = type_coerce(DeliveryBody.content, LargeBinary).label("lies")
    rows = db.session.execute(select(DeliveryBody.content, lies).order_by(DeliveryBody.delivery_id)).all()
    db.session.rollback()
    return [tuple(row) for row in rows]


@pytest.fixture
def bodies(app: Flask) -> list[bytes]:
    """Those of deliveries that were made at once, and of one that was made alone."""
    contact, bodies = make_contact(make_company()), [SAMPLE, *ODD]
    facts = dict.fromkeys(("campaign_id", "owner_id", "interest_level", "previous_level"))
    for some in (bodies[:-1], bodies[-1:]):
        rows = [facts | {"contact_id": contact.id, "body": body} for body in some]
        outbox.enqueue(db.session, contact.company_id, rows, trigger="sync", actor="x", now=utcnow())
    db.session.commit()
    return bodies


@BOTH
def test_the_database_holds_what_is_packed_and_gives_what_was_stored(bodies: list[bytes]) -> None:
    assert stored() == [(body, pack(body)) for body in bodies]
    assert db.session.scalars(select(Delivery).order_by(Delivery.id)).first().body == SAMPLE


@BOTH
def test_what_an_older_version_stored_is_read_as_it_is(bodies: list[bytes]) -> None:
    db.session.execute(update(DeliveryBody).values(content=type_coerce(SAMPLE, LargeBinary)))
    assert stored() == [(SAMPLE, SAMPLE)] * len(bodies)


@BOTH
def test_an_older_version_finds_the_bodies_as_it_stores_them(bodies: list[bytes]) -> None:
    with db.engine.begin() as connection:
        command.downgrade(config_for(connection), "0037")
    assert [lies for _, lies in stored()] == bodies
    upgrade_schema(db.engine, backups=None, now=utcnow())
    assert [read for read, _ in stored()][:-1] == bodies[:-1], "the last looks as if it were packed"
