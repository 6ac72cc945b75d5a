"""Several workers run tests at a time, but a test that measures time or memory has the machine to itself."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Turns:
    """The locks that the workers of one run share, in the run's folder."""

    def __init__(self, folder: Path) -> None:
        self._gate = (folder / "gate").open("w")
        self._machine = (folder / "machine").open("w")
        self._is_alone = False

    @contextmanager
    def turn(self, item: pytest.Item, following: pytest.Item | None) -> Iterator[None]:
        """Wait until the test may run. A series of tests that run alone keeps the machine from one to the next."""
        if not self._is_alone:
            self._take(fcntl.LOCK_EX if is_alone(item) else fcntl.LOCK_SH)
        try:
            yield
        finally:
            self._is_alone = is_alone(item) and following is not None and is_alone(following)
            if not self._is_alone:
                fcntl.flock(self._machine, fcntl.LOCK_UN)

    def _take(self, kind: int) -> None:
        # Whoever waits for the machine holds the gate meanwhile: no other test starts, or there would be no end to it.
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._machine, kind)
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)


def is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


def is_quick(item: pytest.Item) -> bool:
    """Whether `make check` runs it, when it needs no more than SQLite."""
    return item.get_closest_marker("slow") is None and not is_alone(item)


def starts_a_program(item: pytest.Item) -> bool:
    """Whether it starts the portal or a browser, which takes a second by itself."""
    return bool({"chromium", "portal", "start"} & set(getattr(item, "fixturenames", ())))


def needs_postgresql(item: pytest.Item) -> bool:
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "postgres_url" in getattr(item, "fixturenames", ()) or bool(
        {"postgresql", "postgres_url"} & set(map(str, given))
    )


def seconds_of(item: pytest.Item) -> float:
    """How long the test takes, as its `slow` mark says: such a one is among the first, a quick one among the last."""
    marks = [mark.args[0] for mark in item.iter_markers("slow") if mark.args]
    return float(marks[0]) if marks else float(not is_quick(item))


def group_of(item: pytest.Item) -> str | None:
    """The tests that one worker runs, one after the other: those that run alone, and those that share a fixture."""
    if is_alone(item):
        return "alone"
    fixtures = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
    shares = any(fixture.scope == "module" for found in fixtures for fixture in found)
    return item.nodeid.partition("::")[0] if shares else None
