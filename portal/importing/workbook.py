"""Turns the sheets of a workbook into CSV files. A program of its own, which the portal runs with little memory.

    python workbook.py WORKBOOK FOLDER [SHEET]

A sheet is in memory as one block from its first cell to its last, however far away that is: what would not fit ends
this program and no other. The tables go to FOLDER as `0.csv`, `1.csv` and so on; standard output says as JSON what
sheets there are, and which of them the files hold. Exit code 3: the file cannot be read; 4: there is no such sheet.
"""

import csv
import json
import re
import resource
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree
from xml.parsers import expat

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

UNREADABLE, NO_SUCH_SHEET = 3, 4
MAX_MEMORY = 1536 * 1024 * 1024
MAX_FILE = 400 * 1024 * 1024
MAX_SECONDS = 60
MAX_SHEETS = 20
MAX_ROWS = 200_000 + 20
"""A few more than may be imported, so that too many are noticed."""
MAX_COLUMNS = 200 + 1

Links = dict[tuple[int, int], str]
"""Where cells lead to, by row and column from 0 on."""
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
ADDRESS = re.compile(r"([A-Z]{1,3})(\d{1,7})")
ADDRESS_SIGNS = ":/?#[]@!$&*+,;=%~"
MENTION = re.compile(b"hyperlink", re.IGNORECASE)
FORMULA = re.compile(r'HYPERLINK\(\s*"([^"]*)"', re.IGNORECASE)


def main(path: str, folder: str, wanted: str | None = None) -> int:
    """Do what this program is for. Returns the exit code."""
    try:
        book = CalamineWorkbook.from_path(path)
        sheets = [each for each in book.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]
        names = [each.name for each in sheets]
        if wanted is not None and wanted not in names:
            print(json.dumps({"sheets": names}))
            return NO_SUCH_SHEET
        seen = [each.name for each in sheets if each.visible == SheetVisibleEnum.Visible][:MAX_SHEETS]
        read = [wanted] if wanted is not None else seen or names[:1]
        for number, name in enumerate(read):
            with (Path(folder) / f"{number}.csv").open("w", encoding="utf-8", newline="") as table:
                csv.writer(table, lineterminator="\n").writerows(
                    _rows(book.get_sheet_by_name(name), _links(path, name))
                )
    except MemoryError:
        raise
    except Exception as error:  # a broken file breaks in many ways
        print(error, file=sys.stderr)
        return UNREADABLE
    print(json.dumps({"sheets": names, "read": read}))
    return 0


def _rows(sheet: Any, links: Links) -> Iterator[list[str]]:
    """The rows from the first one of the sheet on, also empty ones: a row's number is its line's."""
    for number, row in enumerate(sheet.iter_rows()):
        if number == MAX_ROWS:
            return
        cells = [_text(value) for value in row[:MAX_COLUMNS]]
        if links:
            cells = [_linked(cell, links.get((number, index))) for index, cell in enumerate(cells)]
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
    """A cell that leads to LinkedIn as the formula which says so, unless its text does."""
    if link is None or "linkedin." in text.lower() or "linkedin." not in link.lower():
        return text
    shown = text.replace('"', "'")
    return f'=HYPERLINK("{quote(link, safe=ADDRESS_SIGNS)}";"{shown}")' if text else link


def _links(path: str, sheet: str) -> Links:
    """Where the cells of a sheet of an XLSX lead to, by link or by formula. Other kinds of workbook have none."""
    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        if (part := _part_of(archive, sheet)) is None:
            return {}
        if not _holds_links(archive, part):
            return {}
        found = _LinkFinder(_relations(archive, part))
        parser = expat.ParserCreate()
        parser.StartElementHandler = found.start
        parser.EndElementHandler = found.end
        parser.CharacterDataHandler = found.text
        with archive.open(part) as content:
            parser.ParseFile(content)
        return found.links


def _holds_links(archive: zipfile.ZipFile, part: str) -> bool:
    """A quick look at the whole, which spares most sheets a slow one."""
    rest = b""
    with archive.open(part) as content:
        while block := content.read(1024 * 1024):
            if MENTION.search(rest + block):
                return True
            rest = block[-20:]
    return False


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The part of the archive that holds the sheet."""
    if "xl/workbook.xml" not in archive.namelist():
        return None
    book = _parse(archive, "xl/workbook.xml")
    number = next(
        (each.get(RELATION) for each in book.iter() if each.get("name") == sheet and each.get(RELATION)), None
    )
    target = _relations(archive, "xl/workbook.xml").get(number or "")
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


class _LinkFinder:
    """Takes the links and the formulas of links from the elements of a sheet."""

    def __init__(self, relations: dict[str, str]) -> None:
        self.links: Links = {}
        self._relations = relations
        self._cell = ""
        self._formula: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "c":
                self._cell = attributes.get("r", "")
            case "f":
                self._formula = []
            case "hyperlink":
                numbers = (value for key, value in attributes.items() if key.endswith(":id"))
                self._add(attributes.get("ref", ""), self._relations.get(next(numbers, ""), ""))

    def text(self, text: str) -> None:
        if self._formula is not None:
            self._formula.append(text)

    def end(self, name: str) -> None:
        if self._formula is not None and name.rpartition(":")[2] == "f":
            if found := FORMULA.match("".join(self._formula)):
                self._add(self._cell, found[1])
            self._formula = None

    def _add(self, cell: str, link: str) -> None:
        if found := ADDRESS.match(cell):
            column = 0
            for letter in found[1]:
                column = column * 26 + ord(letter) - 64
            self.links[int(found[2]) - 1, column - 1] = link


if __name__ == "__main__":
    for limit, most in (
        (resource.RLIMIT_AS, MAX_MEMORY),
        (resource.RLIMIT_FSIZE, MAX_FILE),
        (resource.RLIMIT_CPU, MAX_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    raise SystemExit(main(*sys.argv[1:]))
