"""Files in the shapes of many more tools, with the dirt of real life: what is read of each, cell by cell."""

import json
from typing import Any

import pytest

from portal.contacts.items import SAME, ContactItem, InvalidContact
from portal.importing.layout import examine, read_rows
from portal.importing.order import Order
from portal.importing.rows import RowReader
from tests.importing.conftest import DATA, blocks_of
from tests.importing.test_rows import ZONE

SHAPES = [json.loads(line) for line in (DATA.parent / "shapes.jsonl").read_text().splitlines()]


def told(item: ContactItem) -> dict[str, Any]:
    """What a row says of a contact, in the words of the list of shapes."""
    facts = {name: value for name, value in item.facts.items() if value}
    for name in facts:
        if name.endswith("_date"):
            facts[name] = facts[name].astimezone(ZONE).date().isoformat()
    facts["interest_level"] = None if item.level is SAME else item.level
    facts["campaign"], facts["owner"] = item.campaign, item.owner and item.owner.email
    return facts


@pytest.mark.parametrize("shape", SHAPES, ids=[shape["shape"] for shape in SHAPES])
def test_what_is_read_of_a_file(shape: dict[str, Any]) -> None:
    blocks = blocks_of(shape["text"].encode(shape["encoding"]))
    found = examine(blocks)
    reader = RowReader(Order.of(found, user_id=0), zone=ZONE, people={})
    items, bad = [], 0
    for record in read_rows(blocks, found.layout):
        try:
            items.append(reader.read(record).item)
        except InvalidContact:
            bad += 1
    read = [told(item) for item in items if item]
    always = dict.fromkeys(("linkedin_public_id", "email", "interest_level", "campaign", "owner"))
    for facts, wanted in zip(read, shape["contacts"], strict=True):
        expected = always | wanted
        assert {name: facts.get(name) for name in expected} == expected
    assert bad == shape["bad_rows"]
