"""Who waits for a writer is written by the next one, once, and told its own result; nobody waits for company."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from portal.database import gathering
from portal.database.db import patience
from portal.database.gathering import Gathering, Take

KIND = "a company's"
Write = Callable[[Take[int]], Sequence[str | None] | None]


class Writer:
    """Writes numbers, in threads, at most one group at a time; it holds the lock until it is told to let go."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.gathering: Gathering[int, str] = Gathering()
        self.groups: list[list[int]] = []
        self.is_free = threading.Event()
        self._threads = threading.Semaphore(0), threads

    def begin(self, number: int, *, kind: str = KIND, write: Write | None = None) -> Future[str | None]:
        return self._threads[1].submit(self.gathering.write, kind, number, write or self.write_all)

    def write_all(self, take: Take[int]) -> list[str | None]:
        assert self.is_free.wait(60)
        group = list(take())
        self.groups.append(group)
        return [f"{number} of {len(group)}" for number in group]

    def wait_until(self, count: int, *, kind: str = KIND) -> None:
        """So many wait behind the one who writes."""
        end = time.monotonic() + 60
        while len(self.gathering._waiting.get(kind, ())) < count or kind not in self.gathering._waiting:
            assert time.monotonic() < end
            time.sleep(0.001)

    def begin_in_order(self, *numbers: int, write: Write | None = None) -> list[Future[str | None]]:
        """The first leads, the others wait."""
        begun = []
        for behind, number in enumerate(numbers):
            begun.append(self.begin(number, write=write))
            self.wait_until(behind)
        return begun


@pytest.fixture
def writer() -> Iterator[Writer]:
    with ThreadPoolExecutor(8) as threads:
        made = Writer(threads)
        yield made
        made.is_free.set()
    assert made.gathering._waiting == {}, "nobody is left behind"


def results_of(begun: Sequence[Future[str | None]]) -> list[str | None]:
    return [each.result(60) for each in begun]


def test_who_finds_nobody_writes_alone_and_at_once(writer: Writer) -> None:
    writer.is_free.set()
    assert [writer.gathering.write(KIND, number, writer.write_all) for number in (1, 2)] == ["1 of 1", "2 of 1"]


def test_all_who_wait_are_written_at_once_and_each_is_told_its_own(writer: Writer) -> None:
    begun = writer.begin_in_order(1, 2, 3)
    writer.is_free.set()
    assert results_of(begun) == ["1 of 3", "2 of 3", "3 of 3"]
    assert writer.groups == [[1, 2, 3]]


def test_who_comes_after_the_others_were_taken_is_written_next(writer: Writer) -> None:
    came = threading.Event()

    def write(take: Take[int]) -> list[str | None]:
        written = writer.write_all(take)
        assert came.wait(60)
        return written

    begun = [writer.begin(1, write=write)]
    writer.wait_until(0)
    writer.is_free.set()
    while not writer.groups:
        time.sleep(0.001)
    begun += [writer.begin(2)]
    writer.wait_until(1)
    begun += [writer.begin(3)]
    writer.wait_until(2)
    came.set()
    assert results_of(begun) == ["1 of 1", "2 of 2", "3 of 2"]
    assert writer.groups == [[1], [2, 3]]


def test_what_is_raised_is_raised_to_each_that_was_taken(writer: Writer) -> None:
    def write(take: Take[int]) -> list[str | None]:
        writer.write_all(take)
        raise OSError("disk")

    begun = writer.begin_in_order(1, 2, write=write)
    writer.is_free.set()
    assert [str(each.exception(60)) for each in begun] == ["disk", "disk"]


def test_too_few_results_are_an_error_to_each_that_was_taken(writer: Writer) -> None:
    def write_too_few(take: Take[int]) -> list[str | None]:
        return writer.write_all(take)[:2]

    begun = writer.begin_in_order(1, 2, 3, write=write_too_few)
    writer.is_free.set()
    for each in begun:
        with pytest.raises(ValueError, match="shorter"):
            each.result(60)


def test_where_nothing_was_written_each_writes_alone(writer: Writer) -> None:
    def write(take: Take[int]) -> None:
        writer.write_all(take)

    begun = writer.begin_in_order(1, 2, write=write)
    writer.is_free.set()
    assert results_of(begun) == [None, None]


def test_who_cannot_begin_leaves_the_others_to_the_next(writer: Writer) -> None:
    def give_up(_take: Take[int]) -> None:
        assert writer.is_free.wait(60)
        raise OSError("locked")

    begun = [writer.begin(1, write=give_up)]
    writer.wait_until(0)
    begun += [writer.begin(2)]
    writer.wait_until(1)
    begun += [writer.begin(3)]
    writer.wait_until(2)
    writer.is_free.set()
    assert str(begun[0].exception(60)) == "locked"
    assert results_of(begun[1:]) == ["2 of 2", "3 of 2"]


def test_who_runs_out_of_patience_is_not_written(writer: Writer) -> None:
    begun = writer.begin_in_order(1)
    with patience(0):
        assert writer.gathering.write(KIND, 2, writer.write_all) is None
    writer.is_free.set()
    assert results_of(begun) == ["1 of 1"]


def test_who_runs_out_of_patience_does_not_lead(writer: Writer) -> None:
    def fail(_take: Take[int]) -> None:
        assert writer.is_free.wait(60)

    begun = writer.begin_in_order(1, write=fail)
    with patience(0):
        assert writer.gathering.write(KIND, 2, writer.write_all) is None
    begun += [writer.begin(3)]
    writer.wait_until(2)
    writer.is_free.set()
    assert results_of(begun) == [None, "3 of 1"]


def test_who_is_taken_waits_for_what_comes_of_it(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    is_out_of_patience = threading.Event()

    def write(take: Take[int]) -> list[str | None]:
        written = writer.write_all(take)
        assert is_out_of_patience.wait(60)
        return written

    def be_patient_until_taken() -> float:
        writer.is_free.set()
        while not writer.groups:
            time.sleep(0.001)
        is_out_of_patience.set()
        return 0.0

    begun = writer.begin_in_order(1, write=write)
    monkeypatch.setattr(gathering, "patience_left", be_patient_until_taken)
    assert writer.gathering.write(KIND, 2, writer.write_all) == "2 of 2"
    assert results_of(begun) == ["1 of 2"]


def test_one_kind_does_not_wait_for_another(writer: Writer) -> None:
    begun = writer.begin_in_order(1)
    assert writer.gathering.write("another's", 2, lambda take: [f"{len(take())}"]) == "1"
    writer.is_free.set()
    assert results_of(begun) == ["1 of 1"]
