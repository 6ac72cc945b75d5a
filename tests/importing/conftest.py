"""Files to import, and the databases to import them into."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.database.db import db
from portal.importing.encoding import Blocks
from portal.worker.task_runner import TaskRunner

DATA = Path(__file__).parent.parent / "data" / "imports"
WORKBOOKS = DATA.parent / "workbooks"


def blocks_of(content: bytes, size: int = 64 * 1024) -> Blocks:
    """A file in blocks of this size."""

    def blocks() -> Iterator[bytes]:
        return (content[start : start + size] for start in range(0, len(content), size))

    return blocks


def repeated(block: bytes, megabytes: int) -> Blocks:
    """A long file that takes no memory: the block again and again."""
    return lambda: (block for _ in range(megabytes * 2**20 // len(block)))


@pytest.fixture
def run_tasks(app: object) -> Callable[[], None]:
    """Does every task that waits, as a worker does."""

    def run() -> None:
        db.session.commit()
        runner = TaskRunner(db.engine, on_due=lambda: None)
        while runner.run_one():
            pass
        db.session.expire_all()

    return run
