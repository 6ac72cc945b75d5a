"""Threads that take their memory from one place."""

import ctypes
import sys
import threading

import pytest

from portal.cli.arenas import share_one_arena
from tests.programs import run_portal

THREADS, PIECES, PIECE = 8, 100, 10_000


def count_arenas(shared: str) -> None:
    """Print how many of its arenas the C library has told of, once so many threads have asked it for memory."""
    if shared == "shared":
        share_one_arena()
    library, barrier = ctypes.CDLL(None), threading.Barrier(THREADS)
    library.malloc.restype = ctypes.c_void_p

    def ask() -> None:
        for _ in range(PIECES):
            library.malloc(PIECE)
        barrier.wait()

    threads = [threading.Thread(target=ask) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.flush()
    library.malloc_stats()  # writes to standard error


@pytest.mark.parametrize(("shared", "several"), [("shared", False), ("each its own", True)])
def test_all_threads_take_their_memory_from_one_arena(shared: str, several: bool) -> None:
    done = run_portal({}, shared, act=count_arenas)
    assert "Arena 0:" in done.stderr
    assert ("Arena 1:" in done.stderr) is several


def test_where_there_is_no_glibc_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    share_one_arena()
