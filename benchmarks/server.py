"""A PostgreSQL server that waits for the disk, as one in use does."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.postgres import throwaway_postgres


class Server:
    """A server with as many databases as are asked for."""

    def __init__(self, url: str) -> None:
        self._url = url.removesuffix("/postgres")
        with self.connect("postgres") as connection:
            (folder,) = connection.execute("SHOW data_directory").fetchone()  # type: ignore[misc]
        self.pid = int(Path(folder, "postmaster.pid").read_text().split()[0])

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Server"]:
        with throwaway_postgres(fsync=True) as url:
            yield cls(url)

    def url(self, database: str) -> str:
        return f"{self._url}/{database}"

    def create(self, database: str, *, template: str = "template1") -> None:
        """A database that holds what its template does, all of it on the disk."""
        self._execute(f"CREATE DATABASE {database} TEMPLATE {template}")
        self._execute("CHECKPOINT")

    def drop(self, database: str) -> None:
        self._execute(f"DROP DATABASE {database} WITH (FORCE)")

    def connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(re.sub(r"\+psycopg", "", self.url(database)), autocommit=True)

    def _execute(self, statement: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(statement)  # type: ignore[call-overload]
