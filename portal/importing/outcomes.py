"""What an import did with its rows, or would do: one line for each, in the lists that people read."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Engine

from portal.contacts.items import ContactItem
from portal.contacts.saved import Saved
from portal.importing.findings import blank_findings
from portal.importing.missing import MISSING
from portal.importing.reading import Record
from portal.rules.folding import fold
from portal.tasks import slices

MORE_GROUPS: Mapping[str, Callable[["Outcome"], bool]] = {
    "elsewhere": lambda outcome: outcome.elsewhere is not None,
    "doubtful": lambda outcome: outcome.alike_id is not None,
    "kept": lambda outcome: outcome.kept_level is not None,
    "renamed": lambda outcome: outcome.is_renamed,
}
# The lists. Every row that was saved is in one of the first three, and may be in others.
GROUPS = ("created", "changed", "unchanged", *MORE_GROUPS)
encode = json.JSONEncoder(ensure_ascii=False).encode
REHEARSED = 2**40  # rows that exist only in a rehearsal are numbered from here on
ELSEWHERE = "elsewhere:"  # how the count of those who are in another campaign begins; the campaign's name follows


class Outcome(NamedTuple):
    """What became of one row."""

    line: int
    what: str  # `created`, `changed` or `unchanged`
    name: str
    contact_id: int  # 0 where it is not stored
    # Of a contact that changed: fields, with what they held and what they hold.
    differences: Sequence[tuple[str, str, str]] = ()
    elsewhere: str | None = None
    alike_id: int | None = None
    kept_level: int | None = None  # the level in the file that was not taken

    @property
    def is_renamed(self) -> bool:
        """Whether the name became another one, of which no word is the same: it may be somebody else's e-mail."""
        if not self.differences:
            return False
        names = next(((old, new) for field, old, new in self.differences if field == "name"), None)
        return names is not None and not set(fold(names[0]).split()) & set(fold(names[1]).split())

    @classmethod
    def of(cls, record: Record, item: ContactItem, result: Saved) -> "Outcome":
        differences = [(name, said_of(old), said_of(new)) for name, (old, new) in result.differences.items()]
        if result.classified and not result.created:
            differences.append(("interest_level", said_of(result.previous_level), said_of(item.level)))
        what = "created" if result.created else "changed" if differences else "unchanged"
        return cls(
            line=record.line,
            what=what,
            name=item.facts.get("name") or "",
            contact_id=_stored(result.contact_id),
            differences=differences,
            elsewhere=result.elsewhere,
            alike_id=None if result.alike_id is None else _stored(result.alike_id),
            kept_level=item.level if result.is_level_kept else None,
        )

    @classmethod
    def read(cls, stored: bytes) -> "Iterator[Outcome]":
        """The outcomes of one chunk, as a task keeps them."""
        return (cls(*json.loads(line)) for line in stored.splitlines())


def sort_outcomes(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The lists of some outcomes that hold anything."""
    lists: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        lists.setdefault(outcome.what, []).append(outcome)
        for group, is_in in MORE_GROUPS.items():
            if is_in(outcome):
                lists.setdefault(group, []).append(outcome)
    return lists


def count_outcomes(lists: Mapping[str, Sequence[Outcome]]) -> Counter[str]:
    """How many are in each list, and in each other campaign."""
    counts = Counter({group: len(found) for group, found in lists.items()})
    counts.update(f"{ELSEWHERE}{outcome.elsewhere}" for outcome in lists.get("elsewhere", ()))
    return counts


def store_outcomes(lists: Mapping[str, Sequence[Outcome]]) -> dict[str, bytes]:
    """Each list as `Outcome.read` reads it."""
    return {group: _lines(found) for group, found in lists.items()}


def read_outcomes(engine: Engine, task_id: int, group: str) -> Iterator[Outcome]:
    """One list of an import, in the order of the file."""
    for block in slices.read_blocks(engine, task_id, group):
        yield from Outcome.read(block)


def first_outcomes(engine: Engine, task_id: int, counts: Mapping[str, int], count: int) -> dict[str, list[Outcome]]:
    """How each list begins that holds anything, for a page."""
    return {group: list(islice(read_outcomes(engine, task_id, group), count)) for group in GROUPS if counts.get(group)}


def blank_outcomes(stored: bytes, is_meant: Callable[[str], bool]) -> bytes:
    """The outcomes of one chunk, without what those say whose text is meant; line and contact stay."""

    def rest_of(outcome: Outcome) -> Outcome:
        texts = (outcome.name, *(text for _, *texts in outcome.differences for text in texts))
        return outcome._replace(name="", differences=()) if is_meant("\n".join(texts)) else outcome

    return _lines([rest_of(outcome) for outcome in Outcome.read(stored)])


def blank_list(part: str, stored: bytes, is_meant: Callable[[str], bool]) -> bytes:
    """A piece of a list that an import left behind, without what those lines say whose text is meant."""
    if part == MISSING:
        return stored  # numbers
    return blank_findings(stored, is_meant) if part == "finding" else blank_outcomes(stored, is_meant)


def _lines(outcomes: Iterable[Outcome]) -> bytes:
    return "\n".join(encode(each) for each in outcomes).encode()


def _stored(contact_id: int | None) -> int:
    return contact_id if contact_id is not None and contact_id < REHEARSED else 0


def said_of(value: Any) -> str:
    """A value as text; of a list, how long it is."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return str(len(value))
    return "" if value is None else str(value)
