"""Telling apart the people of one list of whom only a name and a company are known.

Entries that are equal in all they say mean one person; entries that differ in anything mean as many people, which the
same list means again, in its order, when it comes a second time.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from portal.contacts.checking import ContactItem


class Alike:
    """Numbers the people of one list who share campaign, name and company, in the order in which they come.

    It keeps two numbers for each of them, not what the list says: about 25 MB for the longest file of such people.
    """

    def __init__(self) -> None:
        self._first: dict[int, int] = {}
        self._others: dict[int, dict[int, int]] = {}

    def number(self, item: ContactItem, said: Any) -> ContactItem:
        """The item with its place among those alike; `said` is all that the list says of it."""
        if not item.is_named_only:
            return item
        key = _digest((item.campaign, item.facts.get("name"), item.facts.get("current_company")))
        entry = _digest(said)
        if self._first.setdefault(key, entry) == entry:
            return item
        others = self._others.setdefault(key, {})
        return replace(item, ordinal=others.setdefault(entry, len(others) + 1))


def number_alike(items: Sequence[ContactItem]) -> list[ContactItem]:
    """The items of one list, each with its place among those alike."""
    alike = Alike()
    return [alike.number(item, item) for item in items]


def _digest(value: Any) -> int:
    """A number of 64 bits: two of 200,000 entries share one once in a billion files."""
    return int.from_bytes(hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=8).digest())
