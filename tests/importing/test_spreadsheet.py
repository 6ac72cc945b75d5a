"""XLSX: the first sheet becomes the table that a CSV would hold; what would unpack to harm is refused unopened."""

import io
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import openpyxl
import pytest

from portal.importing import as_text_file, examine, spreadsheet
from portal.importing.encoding import FileProblem
from portal.importing.layout import read_rows
from portal.importing.reading import Record
from portal.importing.words import FILE_WORDS

HEADER = ["Nome", "E-mail", "Telefone", "Nível", "Conectado em"]


def workbook(*rows: list[Any], title: str = "Contatos") -> io.BytesIO:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.create_sheet("Outra").append(["Nome", "Não importado"])
    file = io.BytesIO()
    book.save(file)
    return file


def records(file: IO[bytes]) -> list[Record]:
    with as_text_file(file) as table:
        content = table.read() if table.seek(0) == 0 else b""
    layout = examine(lambda: iter([content])).layout
    return list(read_rows(lambda: iter([content]), layout))


def refused(file: IO[bytes]) -> str:
    with pytest.raises(FileProblem) as problem, as_text_file(file):
        pass
    assert str(FILE_WORDS[problem.value.reason])
    return problem.value.reason


def repacked(file: io.BytesIO, **parts: bytes) -> io.BytesIO:
    """The same workbook with other parts, by the last part of their names without the ending."""
    changed = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, parts.get(Path(name).stem, old.read(name)))
    return changed


def test_a_sheet_is_read_as_its_csv_would_be_with_the_lines_of_its_rows() -> None:
    rows = records(
        workbook(
            ["Exportado em 2026"],
            HEADER,
            ["João Ávila", "joao@example.com", 5511977771234, 3, datetime(2026, 1, 31)],
            [],
            ["Ana\nLima", None, 11.5, 2.0, datetime(2026, 1, 31, 14, 30)],
        )
    )
    assert [(row.line, row.cells) for row in rows] == [
        (3, ("João Ávila", "joao@example.com", "5511977771234", "3", "2026-01-31")),
        (5, ("Ana Lima", "", "11.5", "2", "2026-01-31 14:30:00")),
    ]


def test_what_is_no_zip_is_left_as_it_is() -> None:
    file = io.BytesIO(b"Nome\nAna\n")
    with as_text_file(file) as same:
        assert same is file


def test_another_zip_is_no_spreadsheet() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("contatos.csv", "Nome\nAna\n")
    assert refused(file) == "spreadsheet"


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_half_a_file_is_broken(keep: float) -> None:
    whole = workbook(HEADER).getvalue()
    assert refused(io.BytesIO(whole[: int(len(whole) * keep)])) == "broken_spreadsheet"


@pytest.mark.parametrize(
    "content", [b"", b"<", b"\0" * 100, b"<worksheet><sheetData><row r='x'><c t='s'><v>9</v></c></row>"]
)
def test_a_broken_sheet_is_broken(content: bytes) -> None:
    assert refused(repacked(workbook(HEADER, ["Ana"]), sheet1=content)) == "broken_spreadsheet"


def test_entities_that_grow_are_refused() -> None:
    grow = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    sheet = '<worksheet><sheetData><row><c t="str"><v>&a11;</v></c></row></sheetData></worksheet>'
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "ha">{grow}]>{sheet}'
    assert refused(repacked(workbook(HEADER), sheet1=bomb.encode())) == "broken_spreadsheet"


def test_what_unpacks_to_much_more_than_it_is_is_not_opened() -> None:
    assert refused(repacked(workbook(HEADER), sheet1=b" " * 60 * 2**20)) == "spreadsheet_too_large"


@pytest.mark.slow
def test_a_sheet_that_lies_about_its_size_and_leaves_gaps_is_read_soon() -> None:
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/>'
        '<sheetData><row r="1"><c r="A1" t="str"><v>Nome</v></c></row>'
        '<row r="2"><c r="A2" t="str"><v>Ana</v></c></row>'
        '<row r="999999999"><c r="XFD999999999" t="str"><v>Longe</v></c></row></sheetData></worksheet>'
    )
    rows = records(repacked(workbook(HEADER), sheet1=sheet.encode()))
    assert [row.cells for row in rows] == [("Ana",)]


def test_without_the_extra_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "openpyxl", None)
    assert refused(workbook(HEADER)) == "xlsx_missing"


@pytest.mark.slow
def test_reading_many_rows_takes_little_memory(tmp_path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(HEADER)
    for number in range(10_000):
        sheet.append([f"Pessoa {number}", f"p{number}@example.com", number, 1, None])
    book.save(tmp_path / "many.xlsx")
    program = (
        "import sys\n"
        "from portal.importing import as_text_file\n"
        "from tests.importing.memory import peak_kilobytes\n"
        "before = peak_kilobytes()\n"
        "with open(sys.argv[1], 'rb') as file, as_text_file(file): pass\n"
        "print(peak_kilobytes() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "many.xlsx")], capture_output=True, check=True)
    assert int(done.stdout) < 40 * 1024
