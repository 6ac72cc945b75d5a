"""Turns the sheets of a workbook into CSV files. A program of its own, which the portal runs with little memory.

    python workbook.py WORKBOOK FOLDER [SHEET]

A sheet is in memory as one block from its first cell to its last, however far away that is: what would not fit ends
this program and no other. The tables go to FOLDER as `0.csv`, `1.csv` and so on; standard output says as JSON what
sheets there are, which can be seen and hold something, and which the files hold. Exit code 3: unreadable; 4: no sheet.
"""

import csv
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import zip_longest
from pathlib import Path
from resource import RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_FSIZE, setrlimit
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree
from xml.parsers import expat

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

UNREADABLE, NO_SUCH_SHEET = 3, 4
MAX_MEMORY = 1536 * 1024 * 1024
MAX_FILE = 400 * 1024 * 1024
MAX_SECONDS = 60
MAX_SHEETS = 20
MAX_ROWS = 200_000 + 20  # a few more than may be imported, so that too many are noticed
MAX_COLUMNS = 500 + 1
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
ADDRESS = re.compile(r"([A-Z]{1,3})(\d{1,7})")
ADDRESS_SIGNS = ":/?#[]@!$&*+,;=%~"
# A link, or a formula whose result was not saved; of an ODS any formula, and what may be merged cells.
MENTION = re.compile(
    rb"hyperlink|</(?:\w+:)?f>\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</|</(?:\w+:)?c>)|xlink:h|:formula=|rows-span", re.I
)
OPENDOCUMENT = "content.xml"
VALUE = re.compile(rb"<(?:\w+:)?[vtf](?:\s[^<>]*)?>[^<]")  # what a cell holds, or is calculated by
LONGEST_MENTION = 100
# A formula of a link: where it leads, and what it shows if it says that.
LINK = re.compile(r'HYPERLINK\(\s*"([^"]*)"(?:\s*,\s*"([^"]*)"\s*\))?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the reader of sheets does not tell of one, by row and column from 0 on."""

    links: dict[tuple[int, int], str] = field(default_factory=dict)  # where cells lead to
    formulas: dict[int, dict[int, str]] = field(default_factory=dict)  # those whose result was not saved
    merged: dict[tuple[int, int], int] = field(default_factory=dict)  # of an ODS the last rows of merged cells


def main(path: str, folder: str, wanted: str | None = None) -> int:
    """Do what this program is for. Returns the exit code."""
    try:
        book = CalamineWorkbook.from_path(path)
        sheets = [each for each in book.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]
        names = [each.name for each in sheets]
        if wanted is not None and wanted not in names:
            print(json.dumps({"sheets": names}))
            return NO_SUCH_SHEET
        seen = [each.name for each in sheets if each.visible == SheetVisibleEnum.Visible]
        read = [wanted] if wanted is not None else seen[:MAX_SHEETS] or names[:1]
        for number, name in enumerate(read):
            with (Path(folder) / f"{number}.csv").open("w", encoding="utf-8", newline="") as table:
                rows = _read(book.get_sheet_by_name(name), _look_beside(path, name))
                csv.writer(table, lineterminator="\n").writerows(rows)
        filled = [name for name in seen if _is_filled(book, path, name)]
    except MemoryError:
        raise
    except Exception as error:  # a broken file breaks in many ways
        print(error, file=sys.stderr)
        return UNREADABLE
    print(json.dumps({"sheets": names, "filled": filled, "read": read}))
    return 0


def _read(sheet: Any, beside: Beside) -> Iterator[list[str]]:
    """The rows of a sheet; what is merged over several lines stands in each of them that says something."""
    first = (sheet.start or (0, 0))[1]
    left = min([first, *(column for each in beside.formulas.values() for column in each)])
    ends = beside.merged or {start: last[0] for start, last in sheet.merged_cell_ranges or ()}
    merged = {(row, column - left): last for (row, column), last in ends.items() if last > row}
    held: dict[int, tuple[int, str]] = {}
    for number, cells in enumerate(_rows(sheet, beside, first, left)):
        for column, (end, text) in held.items() if any(cells) else ():
            if number <= end:
                cells += [""] * (column + 1 - len(cells))
                cells[column] = cells[column] or text
        if merged:
            here = ((column, merged.get((number, column)), text) for column, text in enumerate(cells))
            held |= {column: (end, text) for column, end, text in here if end is not None}
        yield cells


def _is_filled(book: CalamineWorkbook, path: str, sheet: str) -> bool:
    """Whether a sheet holds something. One of an XLSX may be large, and is read only as far as its first value."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if (part := _part_of(archive, sheet)) not in (None, OPENDOCUMENT):
                return _mentions(archive, part, VALUE)
    return book.get_sheet_by_name(sheet).height > 0


def _rows(sheet: Any, beside: Beside, first: int, left: int) -> Iterator[list[str]]:
    """The rows from the first one of the sheet on, also empty ones: a row's number is its line's.

    The reader's begin in the column `first`, these in `left`, which may be that of a formula before it.
    """
    reached = range(max(beside.formulas, default=-1) + 1)
    for number, (row, _) in enumerate(zip_longest(sheet.iter_rows(), reached, fillvalue=())):
        if number == MAX_ROWS:
            return
        cells = [*[""] * (first - left), *map(_text, row[:MAX_COLUMNS])]
        for column, formula in beside.formulas.get(number, {}).items():
            index = column - left
            cells += [""] * (index + 1 - len(cells))
            cells[index] = cells[index] or formula
        if beside.links:
            cells = [_linked(cell, beside.links.get((number, left + index))) for index, cell in enumerate(cells)]
        while cells and not cells[-1]:
            cells.pop()
        yield cells


def _text(value: Any) -> str:
    """A cell as somebody would type it, on one line."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _linked(text: str, link: str | None) -> str:
    """A cell that leads to LinkedIn or to an e-mail as what says so, unless its text does."""
    if link is None:
        return text
    kind, _, address = link.partition(":")
    if kind.lower() == "mailto":
        address = unquote(address.partition("?")[0]).strip()
        if "@" in text or "@" not in address:
            return text
        return f"{text} <{address}>" if text else address
    if "linkedin." in text.lower() or "linkedin." not in link.lower():
        return text
    shown = text.replace('"', "'")
    return f'=HYPERLINK("{quote(link, safe=ADDRESS_SIGNS)}";"{shown}")' if text else link


def _look_beside(path: str, sheet: str) -> Beside:
    """The links and the lost formulas of a sheet, and of an ODS its merged cells. Of an XLS nothing is known."""
    if not zipfile.is_zipfile(path):
        return Beside()
    with zipfile.ZipFile(path) as archive:
        part = _part_of(archive, sheet)
        if part is None or not _mentions(archive, part, MENTION):
            return Beside()
        found = _OpenDocument(sheet) if part == OPENDOCUMENT else _Finder(_relations(archive, part))
        parser = expat.ParserCreate()
        parser.StartElementHandler = found.start
        if isinstance(found, _Finder):
            parser.EndElementHandler = found.end
            parser.CharacterDataHandler = found.text
        with archive.open(part) as content:
            parser.ParseFile(content)
        return found.beside


def _mentions(archive: zipfile.ZipFile, part: str, wanted: re.Pattern[bytes]) -> bool:
    """A quick look, which spares most sheets a slow one."""
    rest = b""
    with archive.open(part) as content:
        while block := content.read(1024 * 1024):
            if wanted.search(rest + block):
                return True
            rest = block[-LONGEST_MENTION:]
    return False


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The part of the archive that holds the sheet."""
    if "xl/workbook.xml" not in archive.namelist():
        return OPENDOCUMENT if OPENDOCUMENT in archive.namelist() else None
    book = _parse(archive, "xl/workbook.xml")
    numbers = (each.get(RELATION) for each in book.iter() if each.get("name") == sheet and each.get(RELATION))
    target = _relations(archive, "xl/workbook.xml").get(next(numbers, None) or "")
    part = target.lstrip("/") if target and target.startswith(("/", "xl/")) else f"xl/{target}"
    return part if part in archive.namelist() else None


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """What a part of the archive refers to, by id."""
    folder, _, name = part.rpartition("/")
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in archive.namelist():
        return {}
    return {each.get("Id", ""): each.get("Target", "") for each in _parse(archive, relations)}


def _parse(archive: zipfile.ZipFile, part: str) -> ElementTree.Element:
    # What would grow ends this process alone.
    return ElementTree.fromstring(archive.read(part))  # noqa: S314  # nosec B314


class _Finder:
    """Takes from the elements of a sheet what stands beside its values."""

    def __init__(self, relations: dict[str, str]) -> None:
        self.beside = Beside()
        self._relations = relations
        self._cell = self._within = ""
        self._said = {"f": "", "v": ""}
        self._is_text = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "c":
                self._cell, self._said = attributes.get("r", ""), {"f": "", "v": ""}
                self._is_text = attributes.get("t") == "str"  # an empty one may be what came of the formula
            case "f" | "v" as within:
                self._within = within
            case "hyperlink":
                numbers = (value for key, value in attributes.items() if key.endswith(":id"))
                self._add_link(attributes.get("ref", ""), self._relations.get(next(numbers, ""), ""))

    def text(self, text: str) -> None:
        if self._within:
            self._said[self._within] += text

    def end(self, name: str) -> None:
        self._within = ""
        if name.rpartition(":")[2] != "c" or not self._said["f"]:
            return
        formula = "=" + " ".join(self._said["f"].split())
        if found := LINK.match(self._said["f"]):
            self._add_link(self._cell, found[1])
            is_letter = found[1][:7].lower() == "mailto:"
            formula = found[1] if found[2] is None else found[2] if is_letter else formula
        place, is_known = _place_of(self._cell), self._is_text or self._said["v"].strip()
        if place and place[1] < MAX_COLUMNS and not is_known:
            self.beside.formulas.setdefault(place[0], {})[place[1]] = formula

    def _add_link(self, cell: str, link: str) -> None:
        if place := _place_of(cell):
            self.beside.links[place] = link


class _OpenDocument:
    """Takes from the content of an ODS what stands beside the values of one sheet."""

    def __init__(self, sheet: str) -> None:
        self.beside = Beside()
        self._sheet = sheet
        self._row = self._next_row = self._column = self._next_column = 0
        self._is_meant = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        said = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        match name.rpartition(":")[2]:
            case "table":
                self._is_meant, self._next_row = said.get("name") == self._sheet, 0
            case "table-row":
                self._row, self._next_column = self._next_row, 0
                self._next_row += int(said.get("number-rows-repeated", 1))
            case "table-cell" | "covered-table-cell":
                self._column = self._next_column
                self._next_column += int(said.get("number-columns-repeated", 1))
                if self._is_meant and "number-rows-spanned" in said:
                    self.beside.merged[self._row, self._column] = self._row + int(said["number-rows-spanned"]) - 1
                if self._is_meant and "formula" in said and "value-type" not in said and self._column < MAX_COLUMNS:
                    formula = "=" + said["formula"].partition("=")[2].replace("[.", "").replace("]", "")
                    self.beside.formulas.setdefault(self._row, {})[self._column] = formula
            case "a" if self._is_meant:
                self.beside.links.setdefault((self._row, self._column), said.get("href", ""))


def _place_of(cell: str) -> tuple[int, int] | None:
    """The row and the column of an address such as `B3`, from 0 on."""
    if (found := ADDRESS.match(cell)) is None:
        return None
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - 64
    return int(found[2]) - 1, column - 1


if __name__ == "__main__":
    for limit, most in ((RLIMIT_AS, MAX_MEMORY), (RLIMIT_FSIZE, MAX_FILE), (RLIMIT_CPU, MAX_SECONDS), (RLIMIT_CORE, 0)):
        setrlimit(limit, (most, most))
    raise SystemExit(main(*sys.argv[1:]))
