"""Writers of one process who wait for one lock: whoever gets it next writes for all of them, in one transaction.

Nobody waits for others to come: who finds nobody at work writes at once, and alone.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from portal.database.db import patience_left

Given = TypeVar("Given")
Made = TypeVar("Made")
Take = Callable[[], Sequence[Given]]  # what is to be written; to be called once the lock is held
LEAD: Any = object()  # what one of those who wait is told in the place of a result: it is the next to write


class Gathering(Generic[Given, Made]):
    """Of each kind, which may be written together, one writes at a time; the others wait until they are told."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[Hashable, list[tuple[Given, Future[Made | None]]]] = {}  # a kind that is written is a key

    def write(
        self, kind: Hashable, given: Given, write: Callable[[Take[Given]], Sequence[Made | None] | None]
    ) -> Made | None:
        """What came of this; None when its caller has to write it alone, as where its patience is at an end.

        `write` writes, and commits, all that `take` gives, and returns what came of each: None means that nothing was
        written. What it raises is raised to each of them.
        """
        told: Future[Made | None] = Future()
        with self._guard:
            leads = kind not in self._waiting
            waiting = self._waiting.setdefault(kind, [])
            if not leads:
                waiting.append((given, told))
        made = LEAD if leads else _wait_for(told)
        return self._write_all(kind, given, write) if made is LEAD else made

    def _write_all(
        self, kind: Hashable, given: Given, write: Callable[[Take[Given]], Sequence[Made | None] | None]
    ) -> Made | None:
        others: list[tuple[Given, Future[Made | None]]] = []

        def take() -> Sequence[Given]:
            others.extend(self._take(kind))
            return [given, *(each for each, _ in others)]

        try:
            own, *theirs = write(take) or [None] * (1 + len(others))
            results = list(zip(others, theirs, strict=True))
        except BaseException as error:
            for _, told in others:
                told.set_exception(error)
            raise
        else:
            for (_, told), made in results:
                told.set_result(made)
            return own
        finally:
            self._hand_on(kind)

    def _take(self, kind: Hashable) -> list[tuple[Given, Future[Made | None]]]:
        """All who wait now, and have not given up; from here on they do not."""
        with self._guard:
            waiting, self._waiting[kind] = self._waiting[kind], []
        return [(given, told) for given, told in waiting if told.set_running_or_notify_cancel()]

    def _hand_on(self, kind: Hashable) -> None:
        """Let the first who waits write next; where nobody does, whoever comes."""
        with self._guard:
            waiting = self._waiting[kind]
            while waiting:
                _, told = waiting.pop(0)
                if told.set_running_or_notify_cancel():
                    told.set_result(LEAD)
                    return
            del self._waiting[kind]


def _wait_for(told: "Future[Made | None]") -> Made | None:
    try:
        return told.result(timeout=patience_left())
    except TimeoutError:
        return None if told.cancel() else told.result()  # who is taken is told soon
