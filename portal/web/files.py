"""Answers that are files, of any length: a list as CSV for a spreadsheet, and a ZIP of several.

They are made while they are read, so that they need no memory, no disk, and no long transaction.
"""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from flask import Flask, Response
from flask_babel import force_locale, get_locale

from portal import audit, clock
from portal.database.db import db, reading
from portal.rules.formulas import guard
from portal.runtime import this_app
from portal.web import access

BATCH = 500
DELIMITER = ";"  # Excel in Brazilian Portuguese splits a CSV file at this character when it is opened by a double click

Cursor = TypeVar("Cursor")
Batch = tuple[list[list[str]], Cursor | None]  # the cells of some rows, and where the next ones begin
Reader = Callable[[Cursor | None], Batch[Cursor]]  # gives a batch, the first one for None
Rows = Callable[[Cursor | None], tuple[list[Any], Cursor | None]]  # the same of rows in any form


def download(name: str, columns: Iterable[object], read: Reader[Cursor], *, zone: ZoneInfo, action: str) -> Response:
    """The answer that brings the file `name-2026-03-10.csv`.

    The audit log keeps who took it, as `action`. The file is written while it is read: a long list needs no memory and
    holds no transaction open.
    """
    audit.note(db.session, access.current_actor(), action)
    lines = write_lines(this_app(), columns, read, locale=str(get_locale()))
    return attachment(lines, f"{name}-{clock.utcnow().astimezone(zone):%Y-%m-%d}.csv", "text/csv")


def write_lines(app: Flask, columns: Iterable[object], read: Reader[Cursor], *, locale: str) -> Iterator[str]:
    """The file in pieces, a batch each; a byte order mark tells spreadsheets that it is UTF-8."""
    with app.app_context(), force_locale(locale):
        piece = "\ufeff" + csv_text([[str(title) for title in columns]])
    yield piece
    yield from map(csv_text, _read_batches(app, read, locale=locale))


def write_json(app: Flask, whole: Mapping[str, Any], name: str, read: Rows[Cursor], *, locale: str) -> Iterator[str]:
    """A JSON object in pieces: what is there already, and then a list of this name, a batch each."""
    yield f'{_json_text(whole).removesuffix("}").rstrip()},\n  "{name}": ['
    is_empty = True
    for rows in _read_batches(app, read, locale=locale):
        for row in rows:
            yield f"{'' if is_empty else ','}\n    " + _json_text(row).replace("\n", "\n    ")
            is_empty = False
    yield ("]" if is_empty else "\n  ]") + "\n}\n"


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _read_batches(app: Flask, read: Rows[Cursor], *, locale: str) -> Iterator[list[Any]]:
    cursor: Cursor | None = None
    while True:
        # Each batch has a context and a transaction of its own: none stays open while a slow reader takes a piece.
        with app.app_context(), force_locale(locale), reading():
            rows, cursor = read(cursor)
            db.session.rollback()
        yield rows
        if cursor is None:
            return


def time_text(moment: datetime | None, zone: ZoneInfo) -> str:
    """`2026-03-10 09:00:00`, which spreadsheets take for a time in every language."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" if moment else ""


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Lines of CSV in which no cell is a formula."""
    return "".join(write_row(row, delimiter=DELIMITER) for row in rows)


def write_row(cells: Sequence[str], *, delimiter: str = ",") -> str:
    """One row (RFC 4180), each cell that looks like a formula led by an apostrophe."""
    line = io.StringIO()
    # In quotes a cell keeps its leading spaces, whoever reads it.
    is_quoting = any(cell[:1].isspace() for cell in cells)
    csv.writer(line, delimiter=delimiter, quoting=csv.QUOTE_ALL if is_quoting else csv.QUOTE_MINIMAL).writerow(
        [guard(cell) for cell in cells]
    )
    return line.getvalue()


Files = Iterable[tuple[str, Iterable[str]]]  # the name of each file, and its text in pieces


def attachment(content: str | Iterable[str] | Iterable[bytes], name: str, mimetype: str) -> Response:
    """The answer that a browser keeps as a file of this name."""
    return Response(content, mimetype=mimetype, headers={"Content-Disposition": f'attachment; filename="{name}"'})


class _Pipe(io.RawIOBase):
    """Takes what is written until somebody takes it away."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._held += piece
        return len(piece)

    def take(self) -> bytes:
        taken, self._held = bytes(self._held), bytearray()
        return taken


def write_zip(files: Files) -> Iterator[bytes]:
    """The archive in pieces, as the files come."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pieces in files:
            with archive.open(name, "w", force_zip64=True) as entry:
                for piece in pieces:
                    entry.write(piece.encode())
                    yield pipe.take()
    yield pipe.take()
