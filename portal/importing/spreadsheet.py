"""XLSX as a CSV file: a line for each row of the first sheet, so that the rest of an import knows one kind of table.

An XLSX is a ZIP of XML, and unpacks to any size. What its parts say of themselves is checked before one is opened.
"""

import csv
import io
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import IO, Any

from portal.importing.encoding import FileProblem
from portal.importing.layout import HEADER_WITHIN, MAX_ROWS
from portal.importing.reading import MAX_COLUMNS

try:
    import openpyxl
except ImportError:  # the extra [xlsx] is not installed
    openpyxl = None

ZIP_MARK = b"PK\x03\x04"
WORKBOOK, STRINGS = "xl/workbook.xml", "xl/sharedStrings.xml"
MAX_PARTS = 1000
MAX_PART_BYTES = 150 * 1024 * 1024
MAX_STRINGS_BYTES = 30 * 1024 * 1024
"""Texts that cells share: they are all in memory at once."""
MAX_RATIO = 100
"""A part that unpacks to more than so many times its size was made to harm."""
SMALL_PART = 1024 * 1024


@contextmanager
def as_text_file(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """The file itself, or the CSV that an XLSX comes to, for as long as it is read. Raises FileProblem."""
    file.seek(0)
    is_zip = file.read(len(ZIP_MARK)) == ZIP_MARK
    file.seek(0)
    if not is_zip:
        yield file
        return
    _check_parts(file)
    if openpyxl is None:
        raise FileProblem("xlsx_missing")
    with tempfile.TemporaryFile() as table:
        _write_rows(file, table)
        yield table


def _write_rows(file: IO[bytes], table: IO[bytes]) -> None:
    text = io.TextIOWrapper(table, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    try:
        writer.writerows(_rows(file))
    except Exception as error:  # a broken file breaks openpyxl in many ways
        raise FileProblem("broken_spreadsheet") from error
    finally:
        text.detach()


def _check_parts(file: IO[bytes]) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FileProblem("broken_spreadsheet") from error
    if WORKBOOK not in {part.filename for part in parts}:
        raise FileProblem("spreadsheet")
    if len(parts) > MAX_PARTS or any(_is_harmful(part) for part in parts):
        raise FileProblem("spreadsheet_too_large")


def _is_harmful(part: zipfile.ZipInfo) -> bool:
    most = MAX_STRINGS_BYTES if part.filename == STRINGS else MAX_PART_BYTES
    is_bomb = part.file_size > SMALL_PART and part.file_size > MAX_RATIO * max(part.compress_size, 1)
    return is_bomb or part.file_size > most


def _rows(file: IO[bytes]) -> Iterator[Sequence[str]]:
    """The rows of the first sheet, also empty ones: a row's number is its line's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions, which say nothing about contacts
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what a sheet says of its size need not be true
        last = MAX_ROWS + HEADER_WITHIN + 1
        for row in sheet.iter_rows(max_row=last, max_col=MAX_COLUMNS + 1, values_only=True):
            yield _cells(row)


def _cells(row: Iterable[Any]) -> list[str]:
    cells = [_text(value) for value in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _text(value: Any) -> str:
    """A cell as somebody would type it, on one line."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())
