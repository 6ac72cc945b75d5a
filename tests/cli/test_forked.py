"""The first worker of `portal serve`, forked from it."""

import errno
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from flask import Flask

from portal import logs
from portal.cli.forked import fork_worker
from tests.cli.conftest import Start
from tests.programs import be_new, run_portal

ARENA_BYTES = 64 * 1024 * 1024
"""What glibc reserves for one; hardly any of it is memory."""


def fork(work: str) -> None:
    """Fork a worker, let it begin, and say how it ended."""
    logs.configure("text")
    worker = fork_worker(WORKS[work])
    assert worker is not None
    worker.begin()
    print("ended with", worker.wait(), flush=True)


def leave_alone() -> None:
    """Fork a worker, and go without letting it begin."""
    assert fork_worker(do_it) is not None


def kill_first() -> None:
    """Kill a worker before it is told to begin."""
    worker = fork_worker(do_it)
    assert worker is not None
    worker.kill()
    time.sleep(0.1)
    worker.begin()
    print("ended with", worker.wait(), flush=True)


def kill_the_dead() -> None:
    """Kill a worker that has ended."""
    worker = fork_worker(do_it)
    assert worker is not None
    worker.begin()
    print("ended with", worker.wait(), flush=True)
    worker.kill()
    print("killed", flush=True)


def refuse_descriptors() -> None:
    """Fork a worker to which the system gives no standard input."""

    def refuse(*_: int) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    logs.configure("text")
    vars(os).update(dup2=refuse)
    worker = fork_worker(do_it)
    assert worker is not None
    print("ended with", worker.wait(), flush=True)


def close_stdin() -> None:
    """Fork a worker from a process that has no standard input, and let it begin."""
    logs.configure("text")
    os.close(0)
    worker = fork_worker(do_it)
    assert worker is not None
    worker.begin()
    print("ended with", worker.wait(), flush=True)


def ignore_children() -> None:
    """Wait for a worker where the system forgets how a process ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    worker = fork_worker(do_it)
    assert worker is not None
    worker.begin()
    print("ended with", worker.wait(), flush=True)


def refuse_processes() -> None:
    """Ask for a worker where the system makes no process."""

    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    vars(os).update(fork=refuse)
    print(fork_worker(do_it), flush=True)


def do_it() -> None:
    print("it is done", flush=True)


def meet_a_fault() -> None:
    raise ZeroDivisionError("nobody expected it")


def have_no_room() -> None:
    raise MemoryError


WORKS = {each.__name__: each for each in (do_it, meet_a_fault, have_no_room)}


@pytest.mark.parametrize(
    ("work", "said", "code"),
    [
        ("do_it", "it is done", 0),
        ("meet_a_fault", "ZeroDivisionError: nobody expected it", 1),
        ("have_no_room", "This machine gives the portal no more memory or threads", 1),
    ],
)
def test_it_ends_with_its_work_and_says_why_when_it_failed(work: str, said: str, code: int) -> None:
    done = run_portal({}, work, act=fork)
    assert said in done.stdout + done.stderr
    assert f"ended with {code}\n" in done.stdout
    assert done.stdout.count("ended with") == 1, "the worker went on as the process that it was forked from"


def test_it_does_nothing_when_whoever_forked_it_goes_before() -> None:
    assert run_portal({}, act=leave_alone).stdout == ""


def test_one_that_is_killed_before_it_begins_has_ended() -> None:
    assert run_portal({}, act=kill_first).stdout == "ended with -9\n"


def test_to_kill_one_that_has_ended_does_nothing() -> None:
    assert run_portal({}, act=kill_the_dead).stdout == "it is done\nended with 0\nkilled\n"


def test_one_that_cannot_become_a_worker_ends_and_is_no_second_portal() -> None:
    done = run_portal({}, act=refuse_descriptors)
    assert (done.stdout, "Too many open files" in done.stderr) == ("ended with 1\n", True)


def test_from_a_process_without_standard_input_it_works_all_the_same() -> None:
    done = run_portal({}, act=close_stdin)
    assert (done.stdout, done.stderr) == ("it is done\nended with 0\n", "")


def test_its_end_is_seen_also_where_nobody_learns_how_it_came() -> None:
    done = run_portal({}, act=ignore_children)
    assert (done.stdout, done.stderr) == ("it is done\nended with 0\n", "")


def test_where_no_process_is_to_be_had_there_is_none_for_now() -> None:
    assert run_portal({}, act=refuse_processes).stdout == "None\n"


def test_nothing_is_forked_from_a_process_with_threads() -> None:
    end = threading.Event()
    other = threading.Thread(target=end.wait)
    other.start()
    try:
        assert fork_worker(do_it) is None
    finally:
        end.set()
        other.join()


@pytest.mark.slow
def test_most_of_its_memory_is_that_of_the_portal_and_none_is_for_one_thread_alone(app: Flask, start: Start) -> None:
    running = start("serve", "--port", "0", act=be_new)
    running.wait_for("The worker is ready")
    [worker] = running.process.children()
    kilobytes = {}
    for line in Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, size = line.partition(":")
        kilobytes[name] = int(size.split()[0])
    assert kilobytes["Shared_Dirty"] > kilobytes["Anonymous"] / 2
    assert [count_reserved(pid) for pid in (running.process.pid, worker)] == [0, 0]


def count_reserved(pid: int) -> int:
    """How often the C library has reserved the room of a further arena for the process's threads."""
    sizes = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, access, *_ = line.split()
        begin, end = (int(each, 16) for each in place.split("-"))
        sizes += [end - begin] * (access == "---p")
    return sum(ARENA_BYTES / 2 < size <= ARENA_BYTES for size in sizes)
