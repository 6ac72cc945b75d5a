"""What became of a row, in the lists that people read: each told from its nearest neighbour."""

from typing import Any

import pytest

from portal.contacts.items import ContactItem
from portal.contacts.saved import Saved
from portal.importing.outcomes import REHEARSED, Outcome, count_outcomes, sort_outcomes
from portal.importing.reading import Record
from tests.factories import NOON

CHANGED = {"name": ("Ana Lima", "Bia Sá"), "skills": ([], [1, 2]), "reply_date": (None, NOON)}
SAID = (("name", "Ana Lima", "Bia Sá"), ("skills", "0", "2"), ("reply_date", "", NOON.isoformat()))
LEVEL = ("interest_level", "1", "3")


@pytest.mark.parametrize(
    ("saved", "facts", "lists"),
    [
        ({"created": True}, {"what": "created"}, {"created"}),
        ({"created": True, "classified": True}, {"what": "created"}, {"created"}),
        ({"changed": True}, {"what": "unchanged"}, {"unchanged"}),
        ({"differences": CHANGED}, {"what": "changed", "differences": SAID}, {"changed", "renamed"}),
        ({"classified": True, "previous_level": 1}, {"what": "changed", "differences": (LEVEL,)}, {"changed"}),
        ({"classified": True}, {"what": "changed", "differences": (("interest_level", "", "3"),)}, {"changed"}),
        ({"elsewhere": ""}, {"what": "unchanged", "elsewhere": ""}, {"unchanged", "elsewhere"}),
        ({"alike_id": 5}, {"what": "unchanged", "alike_id": 5}, {"unchanged", "doubtful"}),
        ({"alike_id": REHEARSED}, {"what": "unchanged", "alike_id": 0}, {"unchanged", "doubtful"}),
        ({"is_level_kept": True}, {"what": "unchanged", "kept_level": 3}, {"unchanged", "kept"}),
        ({"contact_id": None}, {"what": "unchanged", "contact_id": 0}, {"unchanged"}),
        ({"contact_id": REHEARSED - 1}, {"what": "unchanged", "contact_id": REHEARSED - 1}, {"unchanged"}),
        ({"contact_id": REHEARSED}, {"what": "unchanged", "contact_id": 0}, {"unchanged"}),
    ],
)
def test_a_row_is_in_the_lists_of_what_became_of_it(
    saved: dict[str, Any], facts: dict[str, Any], lists: set[str]
) -> None:
    item = ContactItem(None, facts={"name": "Ana"}, level=3)
    outcome = Outcome.of(Record(9, ("x",)), item, Saved(**{"contact_id": 7} | saved))
    plain = {"line": 9, "name": "Ana", "contact_id": 7, "differences": ()}
    assert outcome._replace(differences=tuple(outcome.differences)) == Outcome(**plain | facts)
    assert sort_outcomes([outcome]) == {each: [outcome] for each in lists}
    assert +count_outcomes(sort_outcomes([outcome])) == dict.fromkeys(lists, 1) | (
        {"elsewhere:": 1} if "elsewhere" in lists else {}
    )


@pytest.mark.parametrize(
    ("old", "new", "is_renamed"),
    [("Ana Lima", "Bia Sá", True), ("Ana Lima", "ANA SA", False), ("Ana Lima", "Lima", False), ("", "Ana", True)],
)
def test_who_keeps_no_word_of_the_name_is_renamed(old: str, new: str, is_renamed: bool) -> None:
    assert Outcome(1, "changed", new, 7, (("role", "a", "b"), ("name", old, new))).is_renamed is is_renamed
    assert not Outcome(1, "changed", new, 7, (("role", old, new),)).is_renamed
