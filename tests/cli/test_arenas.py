"""Threads that take their memory from one place, and keep none that is large."""

import ctypes
import gc
import os
import sys
import threading
from pathlib import Path

import pytest

from portal.__main__ import OBJECTS_BEFORE_COLLECTION
from portal.cli import serve, worker
from portal.cli.arenas import COLLECTIONS, keep_little_garbage, keep_little_memory
from tests.programs import run_portal

THREADS, PIECES, PIECE = 8, 100, 10_000
HASH_BYTES = 19 * 1024 * 1024
"""What the hash of a password takes."""


def count_arenas(shared: str) -> None:
    """Print how many of its arenas the C library has told of, once so many threads have asked it for memory."""
    if shared == "shared":
        keep_little_memory()
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


def keep_after_hashes(kept: str) -> None:
    """Print by how much the heap has grown once two pieces as large as a hash's were taken and freed, in turn."""
    if kept == "little":
        keep_little_memory()
    library = ctypes.CDLL(None)
    library.malloc.restype, library.sbrk.restype = ctypes.c_void_p, ctypes.c_void_p
    library.sbrk.argtypes, library.free.argtypes = (ctypes.c_ssize_t,), (ctypes.c_void_p,)
    before = library.sbrk(0)
    for _ in range(2):
        library.free(library.malloc(HASH_BYTES))
    print(library.sbrk(0) - before)


@pytest.mark.parametrize(("kept", "is_much"), [("little", False), ("by itself", True)])
def test_what_a_hash_took_is_given_back(kept: str, is_much: bool) -> None:
    grown = int(run_portal({}, kept, act=keep_after_hashes).stdout)
    assert (grown > HASH_BYTES // 2) is is_much


def test_where_there_is_no_glibc_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: asked.append(name) or object())  # type: ignore[func-returns-value]
    keep_little_memory()
    assert asked == [None]


def leave_garbage(kept: str) -> None:
    """Print the most objects that were there at once, of many that only themselves need."""
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    if kept == "little":
        keep_little_garbage()
    before, most = sys.getallocatedblocks(), 0
    in_use: list[list[list[object]]] = []  # for a while, so that a look finds them in use, and takes them for older
    for _ in range(300):
        in_use = [*in_use[-25:], [[] for _ in range(1000)]]
        for one in in_use[-1]:
            one.append(one)
        most = max(most, sys.getallocatedblocks() - before)
    print(most)


@pytest.mark.parametrize(("kept", "is_much"), [("little", False), ("by itself", True)])
def test_little_garbage_is_kept(kept: str, is_much: bool) -> None:
    assert (int(run_portal({}, kept, act=leave_garbage).stdout) > 250_000) is is_much


def begin(command: str) -> None:
    """Begin a command up to its work, and print how it looks for garbage then, and whether through what was there."""

    def tell(*_: object) -> None:
        print(gc.get_threshold() == COLLECTIONS, gc.get_freeze_count() > 1000, flush=True)
        os._exit(0)

    serve.fork_worker = worker.run_worker = tell  # type: ignore[attr-defined]
    {"serve": serve.serve, "worker": worker.worker}[command].main([])


def test_commands_that_stay_keep_little_garbage(tmp_path: Path) -> None:
    for command in ("serve", "worker"):  # the first makes the portal that the second is a worker of
        done = run_portal({"PORTAL_INSTANCE": str(tmp_path / "instance")}, command, act=begin)
        assert done.stdout.splitlines()[-1:] == ["True True"], done.stderr
