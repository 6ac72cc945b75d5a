"""Telling apart the people of one list of whom only a name and a company are known, and those who share an e-mail.

Entries that are equal in all they say mean one person; entries that differ in anything mean as many people, which the
same list means again, in its order, when it comes a second time. Names tell apart who shares an e-mail.
"""

import weakref
from dataclasses import replace
from functools import cached_property
from sqlite3 import Connection
from typing import Any

from portal.contacts.body import search_name
from portal.contacts.checking import ContactItem
from portal.database.scratch import scratch_connection

TABLES = """
PRAGMA journal_mode = OFF;
CREATE TABLE first (key INTEGER PRIMARY KEY, entry INTEGER, count INTEGER DEFAULT 1);
CREATE TABLE person (key INTEGER PRIMARY KEY, said TEXT);
CREATE TABLE other (key INTEGER, entry INTEGER, place INTEGER, PRIMARY KEY (key, entry)) WITHOUT ROWID;
BEGIN
"""
"""Nearly every key has one entry alone."""
FIRST = "INSERT INTO first (key, entry) VALUES (?, ?) ON CONFLICT DO UPDATE SET key = key RETURNING entry, count"
OTHER = "SELECT place FROM other WHERE key = ? AND entry = ?"
SAID = "SELECT said FROM person WHERE key = ?"
SAY = "INSERT OR REPLACE INTO person VALUES (?, ?)"
NAMED = """
SELECT 1 FROM first WHERE key = ?1 AND count > 1
AND (entry = ?2 OR EXISTS (SELECT 1 FROM other WHERE key = ?1 AND entry = ?2))
"""


class Alike:
    """Numbers the people of one list who share campaign, name and company, and knows who comes again under which names.

    People are numbered in the order in which they come. It keeps numbers of 64 bits, not what the list says, and those
    on disk where they grow: two of 200,000 entries share one once in a billion files.
    """

    @cached_property
    def _kept(self) -> Connection:
        kept = scratch_connection()
        weakref.finalize(self, kept.close)
        kept.executescript(TABLES)
        return kept

    def number(self, item: ContactItem, said: Any) -> ContactItem:
        """The item with its place among those alike; `said` is all that the list says of it."""
        email, name = item.facts.get("email"), item.facts.get("name")
        if item.is_named_only:
            place = self._place(hash((item.campaign, name, item.facts.get("current_company"))), hash(repr(said)))
            return replace(item, ordinal=place) if place else item
        if email and name:
            self._place(hash(email), hash(search_name(name)))
        told = self._tell(item)
        return replace(item, told=told) if told else item

    def is_shared(self, email: str) -> bool:
        """Whether the list, as far as it was read, has the e-mail under several names."""
        return self._kept.execute("SELECT 1 FROM other WHERE key = ?", (hash(email),)).fetchone() is not None

    def is_named(self, email: str, name: str) -> bool:
        """Whether this folded name is one of those under which the list has a shared e-mail."""
        return self._kept.execute(NAMED, (hash(email), hash(name))).fetchone() is not None

    def _tell(self, item: ContactItem) -> frozenset[str]:
        """What entries before this one said of the same person, by the surest thing that this one says of it.

        One with a LinkedIn id is also whom an entry without one named by the e-mail.
        """
        linkedin, email = item.facts.get("linkedin_public_id"), item.facts.get("email")
        mailed = email and (email, search_name(item.facts.get("name") or ""))
        sure = (item.contact_id, linkedin, mailed, None if linkedin else mailed)
        keys = [hash((item.campaign, kind, str(each))) for kind, each in enumerate(sure) if each]
        alone = hash((item.campaign, len(sure) - 1, str(mailed)))
        told = {key: self._said_of(key) for key in (*keys, alone)}
        for key in keys:
            self._kept.execute(SAY, (key, " ".join(told[key] | item.said)))
        return (told[keys[0]] or (told[alone] if linkedin and mailed else frozenset())) if keys else frozenset()

    def _said_of(self, key: int) -> frozenset[str]:
        found = self._kept.execute(SAID, (key,)).fetchone()
        return frozenset(found[0].split()) if found else frozenset()

    def _place(self, key: int, entry: int) -> int:
        """The place of an entry among those of its key."""
        first, place = self._kept.execute(FIRST, (key, entry)).fetchone()
        if first == entry:
            return 0
        if (found := self._kept.execute(OTHER, (key, entry)).fetchone()) is not None:
            return int(found[0])
        self._kept.execute("INSERT INTO other VALUES (?, ?, ?)", (key, entry, place))
        self._kept.execute("UPDATE first SET count = count + 1 WHERE key = ?", (key,))
        return int(place)
