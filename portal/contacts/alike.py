"""Telling apart the people of one list of whom only a name and a company are known, and those who share an e-mail.

Of the first, entries that are equal in all they say mean one person, and entries that differ in anything mean several.
When the list comes a second time, it means the same people, by their order. Those who share an e-mail are told apart by
their names.
"""

from dataclasses import replace
from typing import Any

from portal.contacts.body import search_name
from portal.contacts.items import SAYABLE, ContactItem
from portal.contacts.numbers import Numbers

# What is kept of a person: the columns that entries filled.
BITS = {name: 1 << place for place, name in enumerate(SAYABLE)}
WITHOUT_ID = len(BITS)  # so many bits further up: those that entries without a LinkedIn id filled
ALL = (1 << WITHOUT_ID) - 1
LINE = 2 * WITHOUT_ID  # above both: the line of the first


class Alike:
    """Numbers the people of one list who share campaign, name and company, and knows who comes again under which names.

    People are numbered in the order in which they come. It keeps numbers of 64 bits, not what the list says: two of
    200,000 entries share one once in a billion files.
    """

    def __init__(self) -> None:
        self._kept = Numbers()

    def number(self, item: ContactItem, said: Any, line: int = 0) -> ContactItem:
        """The item with its place among those alike; `said` is all that the list says of it, in this line."""
        email, name = item.facts.get("email"), item.facts.get("name")
        if item.is_named_only:
            place = self._place(hash((item.campaign, name, item.facts.get("current_company"))), hash((repr(said),)))
            return replace(item, ordinal=place) if place else item
        folded = search_name(name or "") if email else ""
        if email and name:
            self._place(hash(email), hash((folded,)))
        told, first = self._tell(item, folded, line)
        return replace(item, told=told, told_line=first) if told else item

    def described_before(self, item: ContactItem, line: int) -> int | None:
        """The line that first described an item's campaign, where the item describes it otherwise: the first counts."""
        if not (description := item.campaign_facts.get("description")):
            return None
        key, place = hash((item.campaign, "description")), hash((item.campaign, "description", "line"))
        self._kept[place] = first = self._kept[place] or line
        return first if self._place(key, hash((description,))) else None

    def is_shared(self, email: str) -> bool:
        """Whether the list, as far as it was read, has the e-mail under several names."""
        return self._kept[hash((hash(email), "others"))] > 0

    def is_named(self, email: str, name: str) -> bool:
        """Whether this folded name is one of those under which the list has the e-mail."""
        key, entry = hash(email), hash((name,))
        return self._kept[key] == entry or self._kept[hash((key, entry))] > 0

    def _tell(self, item: ContactItem, name: str, line: int) -> tuple[frozenset[str], int]:
        """What earlier entries said of the person, found by the surest identifier of this one, and the first's line.

        Entries without a LinkedIn id that have the e-mail and the folded name of one with it are of the same person.
        """
        linkedin, email = item.facts.get("linkedin_public_id"), item.facts.get("email")
        said = sum(map(BITS.__getitem__, item.said))
        sure = enumerate((item.contact_id, linkedin))
        told = [self._say((item.campaign, kind, str(each)), said, line) for kind, each in sure if each]
        if email:
            before = self._say((item.campaign, email, name), said if linkedin else said | said << WITHOUT_ID, line)
            told.append(before >> LINE << LINE | before >> WITHOUT_ID & ALL if linkedin else before)
        if not any(each & ALL for each in told):
            return frozenset(), 0
        surest = told[0] or (told[-1] if linkedin and email else 0)
        first = min(each >> LINE for each in told if each & ALL)
        return frozenset(column for column, bit in BITS.items() if bit & surest), first

    def _say(self, person: tuple[Any, ...], said: int, line: int) -> int:
        """Add to what is said of a person. Returns what was said before, with the line of the first."""
        key = hash(person)
        before = self._kept[key]
        self._kept[key] = before | said if before else said | line << LINE
        return before

    def _place(self, key: int, entry: int) -> int:
        """The place of an entry among those of its key: 0 for the first."""
        first, among = self._kept[key], hash((key, entry))
        if first == 0:
            self._kept[key] = entry
        if first in (0, entry):
            return 0
        if not self._kept[among]:
            others = hash((key, "others"))
            self._kept[among] = self._kept[others] = self._kept[others] + 1
        return self._kept[among]
