"""Telling apart the people of one list of whom only a name and a company are known, and those who share an e-mail.

Entries that are equal in all they say mean one person; entries that differ in anything mean as many people, which the
same list means again, in its order, when it comes a second time. Names tell apart who shares an e-mail.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from portal.contacts.checking import ContactItem


class Alike:
    """Numbers the people of one list who share campaign, name and company, in the order in which they come.

    It keeps two numbers for each of them, not what the list says: about 25 MB for the longest file of people.
    """

    def __init__(self) -> None:
        self._first: dict[int, int] = {}
        self._others: dict[int, dict[int, int]] = {}
        self._holders: dict[int, int] = {}
        self._shared: set[int] = set()

    def number(self, item: ContactItem, said: Any) -> ContactItem:
        """The item with its place among those alike; `said` is all that the list says of it."""
        if not item.is_named_only:
            self._note_holder(item)
            return item
        key = _digest((item.campaign, item.facts.get("name"), item.facts.get("current_company")))
        entry = _digest(said)
        if self._first.setdefault(key, entry) == entry:
            return item
        others = self._others.setdefault(key, {})
        return replace(item, ordinal=others.setdefault(entry, len(others) + 1))

    def mark_sharing(self, item: ContactItem) -> ContactItem:
        """The item, marked where an entry so far has its e-mail under another name."""
        is_shared = hash(item.facts.get("email")) in self._shared
        return replace(item, shares_email=True) if is_shared else item

    @property
    def has_shared(self) -> bool:
        """Whether any entry so far shares its e-mail."""
        return bool(self._shared)

    def _note_holder(self, item: ContactItem) -> None:
        email, name = item.facts.get("email"), item.facts.get("name")
        if email and name and self._holders.setdefault(hash(email), hash(name)) != hash(name):
            self._shared.add(hash(email))


def number_alike(items: Sequence[ContactItem]) -> list[ContactItem]:
    """The items of one list, each with its place among those alike."""
    alike = Alike()
    return [alike.number(item, item) for item in items]


def _digest(value: Any) -> int:
    """A number of 64 bits: two of 200,000 entries share one once in a billion files."""
    return int.from_bytes(hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=8).digest())
