"""Telling apart the people of one list of whom only a name and a company are known, and those who share an e-mail.

Entries that are equal in all they say mean one person; entries that differ in anything mean as many people, which the
same list means again, in its order, when it comes a second time. Names tell apart who shares an e-mail.
"""

import hashlib
from dataclasses import replace
from typing import Any

from portal.contacts.body import search_name
from portal.contacts.checking import ContactItem


class Alike:
    """Numbers the people of one list who share campaign, name and company, and knows the names under each e-mail.

    People are numbered in the order in which they come. It keeps numbers of 64 bits, not what the list says.
    """

    def __init__(self) -> None:
        self._first: dict[int, int] = {}
        self._others: dict[int, dict[int, int]] = {}
        self._holders: dict[int, int] = {}
        self._sharing: dict[int, set[int]] = {}

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

    def is_shared(self, email: str) -> bool:
        """Whether the list, as far as it was read, has the e-mail under several names."""
        return hash(email) in self._sharing

    def is_named(self, email: str, name: str) -> bool:
        """Whether this folded name is one of those under which the list has a shared e-mail."""
        return hash(name) in self._sharing.get(hash(email), ())

    def _note_holder(self, item: ContactItem) -> None:
        email, name = item.facts.get("email"), item.facts.get("name")
        if email and name:
            named = hash(search_name(name))
            first = self._holders.setdefault(hash(email), named)
            if named != first:
                self._sharing.setdefault(hash(email), {first}).add(named)


def _digest(value: Any) -> int:
    """A number of 64 bits: two of 200,000 entries share one once in a billion files."""
    return int.from_bytes(hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=8).digest())
