"""The thread of a contact's messages: what is added to it, and two that become one."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate, islice
from operator import itemgetter
from typing import Any

from portal.contacts.checking import characters_of
from portal.contacts.items import MAX_ITEMS, MAX_SENDER, MAX_TEXT, MAX_THREAD

Thread = list[dict[str, Any]]  # messages by the names of their columns, in order
LONG_AGO = datetime.min.replace(tzinfo=UTC)
# A thread of more characters has no room for the longest message, and takes no older one, however short: so what was
# left out once never comes back.
FULL = MAX_THREAD - MAX_TEXT - MAX_SENDER


def add_messages(thread: Thread, given: Sequence[dict[str, Any]]) -> tuple[Thread, int]:
    """The thread with those of the messages that it does not hold, and how many have left it or found no room.

    In a full thread a message takes the place of the oldest, wherever that stands, when it is newer; so the same
    messages, given again, change nothing.
    """
    found = list(thread)
    for message in given:
        if message not in found:
            found.append(message)
    by_age = sorted(range(len(found)), key=lambda at: (found[at]["date"] or LONG_AGO, at < len(thread)))
    lost = _count_lost([found[at] for at in by_age])
    kept = sorted(by_age[lost:])
    if not kept or kept[-1] < len(thread):  # nothing comes to it: it stays as it is, however long it was
        return thread, len(found) - len(thread)
    return [found[at] for at in kept], lost


def join_threads(thread: Thread, other: Thread) -> tuple[Thread | None, int]:
    """The newest messages of both by date, or None where the other brings none, and how many found no room."""
    new = [message for message in other if message not in thread]
    if not new:
        return None, 0
    joined = [message for _, message in sorted([*_dated(thread), *_dated(new)], key=itemgetter(0))]
    lost = _count_lost(joined)
    return joined[lost:], lost


def _count_lost(by_age: Thread) -> int:
    """How many of the messages, the oldest first, find no room in a thread."""
    newer = accumulate(map(characters_of, reversed(by_age)), initial=0)  # than each message, the newest first
    return max(len(by_age) - MAX_ITEMS, sum(beyond >= FULL for beyond in islice(newer, len(by_age))))


def _dated(thread: Thread) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """The messages with their dates; one without a date has that of the one before it."""
    last = LONG_AGO
    for message in thread:
        last = message["date"] or last
        yield last, message
