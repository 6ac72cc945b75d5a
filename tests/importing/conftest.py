"""Files to import, and the databases to import them into."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.importing import feed, reading
from portal.importing.encoding import Blocks
from tests import factories

DATA = Path(__file__).parent.parent / "data" / "imports"
WORKBOOKS = DATA.parent / "workbooks"
# What makes a long file that holds no rows, or few that take long to tell.
HOSTILE = (b"\n", b",,\n", b'"\n', b'""\n', b'"\n' + b"\n" * 100 + b"x\n", b'"' + b"x\n" * 400 + b'"\n')


def blocks_of(content: bytes, size: int = 64 * 1024) -> Blocks:
    """A file in blocks of this size."""

    def blocks() -> Iterator[bytes]:
        return (content[start : start + size] for start in range(0, len(content), size))

    return blocks


def repeated(block: bytes, megabytes: int) -> Blocks:
    """A long file that takes no memory: the block again and again."""
    return lambda: (block for _ in range(megabytes * 2**20 // len(block)))


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader tells every 500 lines that it goes on."""
    for module in (feed, reading):
        monkeypatch.setattr(module, "TURN", 500 * feed.TURN_OF_LINE)


@pytest.fixture
def run_tasks(app: object) -> Callable[[], None]:
    """Does every task that waits, as a worker does."""
    return factories.run_tasks
