"""An installation of one state of the code, driven from outside: by its commands and its API."""

import http.client
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.drain import KEY, LOOPBACK, URL

PORT = 9872
TICKS = os.sysconf("SC_CLK_TCK")
COMPANY, EMAIL = "Bench", "ana@example.com"


class Portal:
    """An installation of one state of the code, driven by its commands."""

    def __init__(self, tree: Path, folder: Path, database_url: str | None) -> None:
        self._tree = tree
        self._environment = os.environ | {
            "PYTHONDONTWRITEBYTECODE": "",  # what is compiled once is not compiled for every command
            "PYTHONPATH": str(tree),
            "PORTAL_INSTANCE": str(folder),
            "PORTAL_SECRET_KEY": KEY,
            "PORTAL_ALLOWED_NETWORKS": LOOPBACK,
        }
        self._file = folder / "portal.db"
        self._url = database_url
        if database_url:
            self._environment["PORTAL_DATABASE_URL"] = database_url
        self.run("upgrade")
        person = ("--company", COMPANY, "--email", EMAIL, "--name", "Ana", "--role", "admin")
        self.run("user", "add", *person, "--password-stdin", typed="benchmark-benchmark\n")
        self.run("webhook", "set", URL, "--company", COMPANY)
        self.token = self.run("token", "add", "--email", EMAIL, "--label", "bench").strip()

    def run(self, *words: str, typed: str = "") -> str:
        command = [sys.executable, "-m", "portal", *words]
        environment, tree = self._environment, self._tree
        done = subprocess.run(
            command, env=environment, cwd=tree, input=typed, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"portal {' '.join(words)} failed:\n{done.stderr}")
        return done.stdout

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "portal", *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, env=self._environment, cwd=self._tree, **quiet)  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    @contextmanager
    def serving(self) -> Iterator[tuple[subprocess.Popen[bytes], "Api"]]:
        with self.running("serve", "--no-worker", "--port", str(PORT)) as process:
            yield process, Api(self.token)

    @cached_property
    def _watching(self) -> psycopg.Connection[Any]:
        """One connection for every look: a new one each reads the catalogue anew, on the server that is measured."""
        assert self._url
        return psycopg.connect(self._url.replace("+psycopg", ""), autocommit=True)

    def waiting(self) -> int:
        """How many deliveries are not through."""
        query = "SELECT count(*) FROM delivery WHERE status IN ('pending', 'sending')"
        if self._url:
            return int(self._watching.execute(query).fetchone()[0])  # type: ignore[index]
        connection = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)
        try:
            return int(connection.execute(query).fetchone()[0])
        finally:
            connection.close()


class Api:
    """One connection to a portal that serves, once it does."""

    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        end = time.monotonic() + 30
        while True:
            self._connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
            try:
                self._connection.request("GET", "/healthz")
                self._connection.getresponse().read()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def save(self, given: Any) -> None:
        self._connection.request("POST", "/api/v1/contacts", json.dumps(given), self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"The API answered {answer.status}: {text.decode()[:300]}")


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                facts = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(facts[1]), (int(facts[11]) + int(facts[12])) / TICKS
    own = parents.get(pid, (0, 0.0))[1]
    return own + sum(cpu_of_child for parent, cpu_of_child in parents.values() if parent == pid)
