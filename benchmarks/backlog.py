"""An installation whose deliveries wait to be sent, made once and copied for each drain."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.driven import PORT, Api, Portal
from benchmarks.items import make_item
from benchmarks.server import Server

ROOT = Path(__file__).parent.parent
LIST = 100
"""Contacts in one call, where there are several."""


@dataclass(frozen=True)
class Size:
    """How many contacts come one a call, how many in lists, and how many deliveries wait to be sent."""

    singly: int = 500
    in_lists: int = 3_000
    waiting: int = 10_000

    @property
    def under_way(self) -> int:
        """So many are sent before a drain is timed: all workers have begun, and send as many at once as they may."""
        return self.waiting // 5


class Backlog:
    """One state of the code on one database, with a company whose deliveries wait."""

    def __init__(self, tree: Path, folder: Path, server: Server | None, size: Size) -> None:
        self._folder = folder
        self._kept = Portal(tree, folder / "kept", server)
        self._kept.install()
        with self._kept.running("serve", "--no-worker", "--port", str(PORT)), Api(self._kept.token) as api:
            for start in range(0, size.waiting, LIST):
                api.save([make_item(number) for number in range(start, start + LIST)])

    @contextmanager
    def copied(self) -> Iterator[Portal]:
        """Another installation with the same data."""
        copy = self._kept.copy(self._folder / "copy")
        try:
            yield copy
        finally:
            copy.remove()
