"""The thread of a contact's messages: what is added to it, and two that become one."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from portal.contacts.checking import MAX_ITEMS

Thread = list[dict[str, Any]]  # messages by the names of their columns, in order
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def add_messages(thread: Thread, given: Sequence[dict[str, Any]]) -> tuple[Thread, int]:
    """The thread with those of the messages that it does not hold, and how many have left it or found no room.

    In a full thread a message takes the place of the oldest, wherever that stands, when it is newer; so the same
    messages, given again, change nothing.
    """
    found = list(thread)
    for message in given:
        if message not in found:
            found.append(message)
    lost = max(0, len(found) - MAX_ITEMS)
    by_age = sorted(range(len(found)), key=lambda at: (found[at]["date"] or LONG_AGO, at < len(thread)))
    return [found[at] for at in sorted(by_age[lost:])], lost


def join_threads(thread: Thread, other: Thread) -> tuple[Thread | None, int]:
    """The newest messages of both by date, or None where the other brings none, and how many found no room."""
    new = [message for message in other if message not in thread]
    if not new:
        return None, 0
    joined = [message for _, message in sorted([*_dated(thread), *_dated(new)], key=itemgetter(0))]
    return joined[-MAX_ITEMS:], max(len(joined) - MAX_ITEMS, 0)


def _dated(thread: Thread) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """The messages with their dates; one without a date has that of the one before it."""
    last = LONG_AGO
    for message in thread:
        last = message["date"] or last
        yield last, message
