"""The same work for every peer, and how it is measured. It runs in each peer's own virtual environment, and so it needs
nothing but `requests`. What a program of this folder is given, and what it prints, stands in ../peers.ini.
"""

import hmac
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


REDIS_PORT = os.environ.setdefault("PEER_REDIS_PORT", str(free_port()))  # the same in the worker that is started
REDIS = f"redis://127.0.0.1:{REDIS_PORT}/0"
LOG_FILE = "log.db"
MOST_IDLE = 60.0
"""Seconds without one more row after which a peer has failed."""
TICKS = os.sysconf("SC_CLK_TCK")
TABLE = """
CREATE TABLE log (
    id INTEGER PRIMARY KEY, webhook_id TEXT NOT NULL, started_at REAL NOT NULL, duration_ms INTEGER NOT NULL,
    url TEXT NOT NULL, status_code INTEGER NOT NULL, request_headers TEXT NOT NULL, response_headers TEXT NOT NULL,
    response_body BLOB NOT NULL
)
"""
INSERT = """
INSERT INTO log
    (webhook_id, started_at, duration_ms, url, status_code, request_headers, response_headers, response_body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


class _Kept:
    """What each thread of a worker keeps: its connections to the receiver and to the log."""

    def __init__(self) -> None:
        self.url = os.environ["PEER_URL"]
        self.key = b64decode(os.environ["PEER_SECRET"].removeprefix("whsec_"))
        self.session = requests.Session()
        self.session.headers["Content-Type"] = "application/json"
        self.session.trust_env = False
        self.log = open_log()


_own = threading.local()


def deliver(webhook_id: str, body: str) -> None:
    """One delivery: sign it after Standard Webhooks, post it, and log what came of it. Peers run this as their task."""
    if not hasattr(_own, "kept"):
        _own.kept = _Kept()
    kept = _own.kept
    started_at, content = time.time(), body.encode()
    signed = f"{webhook_id}.{int(started_at)}.".encode() + content
    signature = b64encode(hmac.digest(kept.key, signed, "sha256")).decode()
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(started_at)),
        "webhook-signature": f"v1,{signature}",
    }
    answer = kept.session.post(kept.url, content, headers=headers, timeout=10)
    answer.raise_for_status()
    asked, answered = (json.dumps(dict(each.headers)) for each in (answer.request, answer))
    duration_ms = round((time.time() - started_at) * 1000)
    row = (webhook_id, started_at, duration_ms, kept.url, answer.status_code, asked, answered, answer.content)
    kept.log.execute(INSERT, row)


def open_log() -> sqlite3.Connection:
    """The log, as durable as the portal's: a row that was written survives a power cut."""
    log = sqlite3.connect(LOG_FILE, timeout=60, isolation_level=None)
    log.execute("PRAGMA journal_mode = WAL")
    log.execute("PRAGMA synchronous = FULL")
    return log


def measure(enqueue: Callable[[str, str], object], worker: Sequence[str], services: Sequence[int] = ()) -> None:
    """Put COUNT deliveries into the peer's queue, have its worker drain them, and print what that took.

    `worker` is a module of Python with its words; `services` are the numbers of the processes that work beside it.
    """
    url, given_count, file, secret = sys.argv[1:5]
    count, body, log = int(given_count), Path(file).read_text(), open_log()
    log.execute(TABLE)
    for _ in range(count):
        enqueue(f"msg_{uuid4().hex}", body)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "PEER_URL": url, "PEER_SECRET": secret}
    with running([sys.executable, "-m", *worker], environment) as process:
        figures = watch([process], services, lambda: _last_row(log), count)
    (rows, deliveries) = log.execute("SELECT count(*), count(DISTINCT webhook_id) FROM log").fetchone()
    if not rows == deliveries == count:
        sys.exit(f"{count} deliveries left {rows} rows of {deliveries} deliveries")
    print(json.dumps(figures))


def _last_row(log: sqlite3.Connection) -> int:
    return int(log.execute("SELECT coalesce(max(id), 0) FROM log").fetchone()[0])


@contextmanager
def running(command: Sequence[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[Any]]:
    """A process that ends with the block."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def redis_server() -> Iterator[int]:
    """A Redis that keeps nothing on disk, which is gone after the block; yields the number of its process."""
    # Debian's redis-server is a link to this program, in a package that runs a service; redis-tools runs nothing.
    program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if not program:
        sys.exit("redis-server is missing")
    words = f"redis-server --port {REDIS_PORT} --bind 127.0.0.1 --appendonly no --loglevel warning --save".split()
    process = subprocess.Popen([*words, ""], executable=program, stdout=sys.stderr)
    try:
        while not _listens(int(REDIS_PORT)):
            if process.poll() is not None:
                sys.exit("redis-server did not start")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


def watch(
    workers: Sequence[subprocess.Popen[Any]], services: Sequence[int], done: Callable[[], int], count: int
) -> dict[str, float]:
    """What `count` deliveries take, from the first that `done` counts to the last: seconds, the CPU seconds of all
    these processes and of what they started, and the megabytes that they had together at most.
    """
    roots = [*(worker.pid for worker in workers), *services]
    for _ in _looks(workers, done, 1):
        time.sleep(0.01)
    begun, started, used, most, measured = done(), time.monotonic(), cpu_seconds(roots), megabytes(roots), 0.0
    for _ in _looks(workers, done, count):
        time.sleep(0.05)
        if time.monotonic() > measured + 1:  # it costs milliseconds of what is measured
            most, measured = max(most, megabytes(roots)), time.monotonic()
    share = count / (count - begun) if begun < count else 1  # the first ones were not timed
    seconds, cpu = time.monotonic() - started, cpu_seconds(roots) - used
    return {"seconds": seconds * share, "cpu_seconds": cpu * share, "megabytes": max(most, megabytes(roots))}


def _looks(workers: Sequence[subprocess.Popen[Any]], done: Callable[[], int], wanted: int) -> Iterator[None]:
    """Yields until so many are done. Ends the program where a worker has ended, or nothing comes any more."""
    seen, moved = 0, time.monotonic()
    while (now := done()) < wanted:
        if now > seen:
            seen, moved = now, time.monotonic()
        if time.monotonic() > moved + MOST_IDLE:
            sys.exit(f"{now} were done, and then none for {MOST_IDLE:.0f} s")
        for worker in workers:
            if worker.poll() is not None:
                sys.exit(f"its worker ended with {worker.returncode}")
        yield


def family(roots: Sequence[int]) -> dict[int, list[str]]:
    """These processes and all that descend from them, each with the fields of its /proc/PID/stat after the name."""
    facts = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                facts[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
    found = dict.fromkeys(roots)
    while more := {pid for pid, fields in facts.items() if int(fields[1]) in found and pid not in found}:
        found |= dict.fromkeys(more)
    return {pid: facts[pid] for pid in found if pid in facts}


def cpu_seconds(roots: Sequence[int]) -> float:
    """What they have used, with their children that have ended."""
    return sum(int(ticks) for fields in family(roots).values() for ticks in fields[11:15]) / TICKS


def megabytes(roots: Sequence[int]) -> float:
    """The memory that they have; what several share counts once."""
    kilobytes = 0
    for pid in family(roots):
        try:
            kilobytes += int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition("Pss:")[2].split()[0])
        except (OSError, IndexError):  # it has ended
            continue
    return kilobytes / 1024
