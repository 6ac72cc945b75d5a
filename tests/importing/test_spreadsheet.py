"""Workbooks: a sheet becomes the table that a CSV would hold; what would unpack to harm is refused unopened."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import openpyxl
import pytest

from portal.contacts.items import InvalidContact
from portal.importing.encoding import FileProblem, UnknownName
from portal.importing.layout import examine, read_rows
from portal.importing.order import Order
from portal.importing.reading import Record
from portal.importing.rows import RowReader
from portal.importing.spreadsheet import as_text_file
from portal.importing.words import FILE_WORDS
from tests.importing.conftest import WORKBOOKS
from tests.importing.test_rows import ZONE

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
        content = b"".join(table.blocks())
    layout = examine(lambda: iter([content])).layout
    return list(read_rows(lambda: iter([content]), layout))


def read_people(content: bytes) -> Iterator[tuple[str, str]]:
    """The names and profiles of a table's contacts."""
    found = examine(lambda: iter([content]))
    reader = RowReader(Order.of(found, user_id=0), zone=ZONE, people={})
    for record in read_rows(lambda: iter([content]), found.layout):
        facts = reader.read(record).item.facts
        yield facts["name"], facts["linkedin_public_id"]


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
        assert (same.file, same.sheets) == (file, ())


def test_another_zip_is_no_spreadsheet() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("contatos.csv", "Nome\nAna\n")
    assert refused(file) == "zip"


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


def far_away(cell: str) -> io.BytesIO:
    """A small sheet that says it is as large as can be, with one more cell at its end."""
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/>'
        '<sheetData><row r="1"><c r="A1" t="str"><v>Nome</v></c></row>'
        f'<row r="2"><c r="A2" t="str"><v>Ana</v></c></row><row r="1048576">{cell}</row></sheetData></worksheet>'
    )
    return repacked(workbook(HEADER), sheet1=sheet.encode())


def test_a_sheet_that_lies_about_its_size_is_read_as_far_as_it_is_filled() -> None:
    assert [row.cells for row in records(far_away('<c r="XFD1048576" s="1"/>'))] == [("Ana",)]


def test_a_sheet_whose_cells_lie_too_far_apart_for_memory_is_refused_and_harms_nothing() -> None:
    assert refused(far_away('<c r="XFD1048576" t="str"><v>Longe</v></c>')) == "spreadsheet_too_large"


@pytest.mark.parametrize("name", ["people.xls", "people.ods"])
def test_other_programs_workbooks_are_read_too_from_the_sheet_that_holds_a_table(name: str) -> None:
    with (WORKBOOKS / name).open("rb") as file:
        rows = [row.cells[:4] for row in records(file)]
    assert rows == [
        ("João Ávila", "joao@example.com", "5511977771234", "3"),
        ("Ana Lima", "ana@example.com", "", "2"),
    ]


def test_a_sheet_can_be_chosen_and_a_wrong_name_says_which_there_are() -> None:
    file = workbook(HEADER, ["Ana"])
    with as_text_file(file, "Outra") as table:
        assert (table.sheet, table.sheets) == ("Outra", ("Contatos", "Outra"))
        assert b"".join(table.blocks()) == "Nome,Não importado\n".encode()
    with pytest.raises(UnknownName) as problem, as_text_file(file, "Nada"):
        pass
    assert problem.value.known == ["Contatos", "Outra"]
    with pytest.raises(FileProblem, match="no_sheets"), as_text_file(io.BytesIO(b"Nome\nAna\n"), "Contatos"):
        pass


@pytest.mark.parametrize(
    ("wanted", "others"),
    [(None, ("Outra", "Soma")), ("Outra", ("Contatos", "Soma")), ("Lista", ("Contatos", "Outra", "Soma"))],
)
def test_the_sheets_that_are_left_out_are_those_that_can_be_seen_and_hold_something(
    wanted: str | None, others: tuple[str, ...]
) -> None:
    book = openpyxl.load_workbook(workbook(HEADER, ["Ana"]))
    book.create_sheet("Vazia").column_dimensions["A"].width = 30
    book.create_sheet("Pintada")["B2"].fill = openpyxl.styles.PatternFill("solid", fgColor="FFFF00")
    for name, state in (("Lista", "hidden"), ("Mais", "veryHidden"), ("Soma", "visible")):
        book.create_sheet(name)["A1"] = "=1+1"
        book[name]["A2"], book[name].sheet_state = "2", state
    book["Outra"].append(["Bia"])
    file = io.BytesIO()
    book.save(file)
    with as_text_file(file, wanted) as table:
        assert (table.other_sheets, table.examination().finish().layout.other_sheets) == (others, others)
        assert table.sheets == ("Contatos", "Outra", "Vazia", "Pintada", "Lista", "Mais", "Soma")


def test_links_and_formulas_of_cells_give_the_profile() -> None:
    book = openpyxl.Workbook()
    for row in (["Nome", "Perfil", "E-mail"], ["Ana", "ver", "ana@x.test"], ["Bia", None, "b@x.test"], ["Caio", "ver"]):
        book.active.append(row)
    book.active["B2"].hyperlink = "https://www.linkedin.com/in/ana-lima"
    book.active["C2"].hyperlink = "mailto:ana@x.test"
    book.active["B3"] = '=HYPERLINK("https://www.linkedin.com/in/bia","Bia")'
    book.active["A4"].hyperlink = "https://www.linkedin.com/in/caio"
    book.active["B4"].hyperlink = "https://example.com/"
    file = io.BytesIO()
    book.save(file)
    with as_text_file(file) as table:
        names = list(read_people(b"".join(table.blocks())))
    assert names == [("Ana", "ana-lima"), ("Bia", "bia"), ("Caio", "caio")]


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("link", ["https://www.linkedin.com/in/bia", "https://crm.example/42", "mailto:b@x.test"])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_what_a_formula_of_a_link_shows_is_read_whether_its_result_was_saved_or_not(
    column: int, link: str, saved: bool
) -> None:
    """A name that leads to a profile is a name; a program that writes formulas saves no results of them."""
    rows = [
        ["Nome", "Cargo", "Empresa", "E-mail"],
        ["Bia Sá", "Diretora", "Acme", "b@x.test"],
        ["Ana", "x", "y", "a@x.test"],
    ]
    shown = rows[1][column]
    rows[1][column] = f'=HYPERLINK("{link}","{shown}")'
    file = workbook(*rows)
    if saved:
        file = with_results(file, shown)
    with as_text_file(file) as table:
        content = b"".join(table.blocks())
    found = examine(lambda: iter([content]))
    reader = RowReader(Order.of(found, user_id=0), zone=ZONE, people={})
    bia, _ = (reader.read(record).item for record in read_rows(lambda: iter([content]), found.layout))
    assert bia is not None
    assert [bia.facts[name] for name in ("name", "role", "current_company")] == ["Bia Sá", "Diretora", "Acme"]
    assert bia.facts["email"] == "b@x.test"


def with_results(file: io.BytesIO, shown: str) -> io.BytesIO:
    """The workbook as a spreadsheet saves it again: with what the formula comes to."""
    saved = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(saved, "w") as new:
        for part in old.infolist():
            content = old.read(part).replace(b"<v/>", b"<v></v>").replace(b"<v />", b"<v></v>")
            if b"HYPERLINK" in content:
                place = content.index(b"</f>")
                content = content[:place] + content[place:].replace(b"<v></v>", f"<v>{shown}</v>".encode(), 1)
                start = content.rindex(b"<c ", 0, place)
                content = content[:start] + b'<c t="str" ' + content[start + 3 :]
            new.writestr(part, content)
    return saved


def test_a_header_of_two_lines_with_merged_cells_names_every_column() -> None:
    book = openpyxl.Workbook()
    for row in (
        ["Prospecção 2026"],
        ["Nome", "E-mail", "Datas", None, "Empresa"],
        [None, None, "Convite enviado em", "Aceito em"],
        ["Ana", "ana@x.test", datetime(2026, 1, 2), datetime(2026, 1, 5), "Moinho"],
        ["Bia", "bia@x.test", None, None, None],
    ):
        book.active.append(row)
    for cells in ("A1:E1", "A2:A3", "B2:B3", "C2:D2", "E2:E3", "E4:E5"):
        book.active.merge_cells(cells)
    file = io.BytesIO()
    book.save(file)
    with as_text_file(file) as table:
        content = b"".join(table.blocks())
    found = examine(lambda: iter([content]))
    assert [column.field for column in found.columns] == [
        "name", "email", "invite_date", "accept_date", "current_company"
    ]  # fmt: skip
    assert [(row.line, row.cells[0], row.cells[-1]) for row in read_rows(lambda: iter([content]), found.layout)] == [
        (4, "Ana", "Moinho"),
        (5, "Bia", "Moinho"),
    ]


def test_a_table_that_begins_further_right_keeps_its_links_formulas_and_merged_cells() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["D3"], sheet["E3"], sheet["F3"] = "Empresa", "Nome", "LinkedIn"
    sheet["C4"], sheet["D4"], sheet["E4"], sheet["F4"] = "=1+1", "Moinho", "Ana", "perfil"
    sheet["E5"], sheet["E8"] = "Bia", "Caio"
    sheet["F4"].hyperlink = "https://www.linkedin.com/in/ana"
    sheet.merge_cells("D4:D7")
    file = io.BytesIO()
    book.save(file)
    with as_text_file(file) as table:
        lines = b"".join(table.blocks()).decode().splitlines()
    assert lines[2:] == [
        ",Empresa,Nome,LinkedIn",
        '=1+1,Moinho,Ana,"=HYPERLINK(""https://www.linkedin.com/in/ana"";""perfil"")"',
        ",Moinho,Bia",
        *["", ""],
        ",,Caio",
    ]


def opendocument(sheets: dict[str, list[str]]) -> io.BytesIO:
    """An ODS with these rows of cells, as XML."""
    names = ("office", "table", "text")
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names)
    rows = {name: "".join(f"<table:table-row>{row}</table:table-row>" for row in each) for name, each in sheets.items()}
    tables = "".join(f'<table:table table:name="{name}">{each}</table:table>' for name, each in rows.items())
    content = (
        f'<office:document-content {spaces} xmlns:xlink="http://www.w3.org/1999/xlink"><office:body>'
        f"<office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return file


def typed(text: str, more: str = "") -> str:
    """A cell of an ODS that says something."""
    return f'<table:table-cell office:value-type="string"{more}><text:p>{text}</text:p></table:table-cell>'


def test_an_ods_gives_its_links_its_merged_cells_and_the_formulas_whose_results_it_does_not_say() -> None:
    formula = ' table:formula="of:=[.A2]&amp;&quot; Lima&quot;"'
    link = '<text:a xlink:href="https://www.linkedin.com/in/ana">perfil</text:a>'
    empty = '<table:table-cell table:number-columns-repeated="2"/>'
    file = opendocument(
        {
            "Outra": [typed("x", ' table:number-rows-spanned="3"'), typed(link)],
            "Contatos": [
                empty + typed("Nome") + typed("Empresa") + typed("LinkedIn"),
                empty + typed("Ana") + typed("Moinho", ' table:number-rows-spanned="2"') + typed(link),
                empty + typed("Bia") + "<table:covered-table-cell/>",
                empty + typed("Caio Lima", formula) + typed("Xis"),
                empty + f"<table:table-cell{formula}/>" + typed("Ípsilon"),
            ],
        }
    )
    with as_text_file(file, "Contatos") as table:
        lines = b"".join(table.blocks()).decode().splitlines()
    assert lines == [
        "Nome,Empresa,LinkedIn",
        'Ana,Moinho,"=HYPERLINK(""https://www.linkedin.com/in/ana"";""perfil"")"',
        "Bia,Moinho",
        "Caio Lima,Xis",
        '"=A2&"" Lima""",Ípsilon',
    ]


def test_a_link_that_writes_an_e_mail_gives_it() -> None:
    file = workbook(
        ["Nome", "Contato por e-mail", "Empresa", "Responsável"],
        ["Ana", "escrever", "Acme", "Bruno"],
        ["Bia", "b@x.test", None, None],
        ["Caio", None, None, None],
    )
    book = openpyxl.load_workbook(file)
    for cell, address in (("B2", "ana@x.test?subject=Oi"), ("C2", "acme@x.test"), ("D2", "bruno@y.test")):
        book.active[cell].hyperlink = f"mailto:{address}"
    book.active["B3"].hyperlink = "mailto:other@x.test"
    book.active["A4"].hyperlink = "MAILTO:caio%40x.test"
    changed = io.BytesIO()
    book.save(changed)
    with as_text_file(changed) as table:
        content = b"".join(table.blocks())
    found = examine(lambda: iter([content]))
    reader = RowReader(Order.of(found, user_id=0), zone=ZONE, people={})
    readings = map(reader.read, read_rows(lambda: iter([content]), found.layout))
    items = [reading.item for reading in readings if reading.item]
    facts = [(item.facts["name"], item.facts["email"], item.facts.get("current_company")) for item in items]
    assert facts == [("Ana", "ana@x.test", "Acme"), ("Bia", "b@x.test", None), ("Caio", "caio@x.test", None)]
    assert items[0].owner is not None
    assert items[0].owner.email == "bruno@y.test"


def test_a_formula_whose_result_was_not_saved_is_said_and_costs_only_its_cell() -> None:
    file = workbook(
        ["Nome", "Cargo", "Site"],
        ["Ana", '=CONCATENATE("Di","retora")', '=HYPERLINK("https://acme.example","Acme")'],
        ['=B2&" "&C2', "Gerente", None],
        [None, None, '=HYPERLINK("https://acme.example",A2)'],
        [None, "=A2"],
        ["=A2"],
    )
    with as_text_file(file) as table:
        content = b"".join(table.blocks())
    found = examine(lambda: iter([content]))
    reader = RowReader(Order.of(found, user_id=0), zone=ZONE, people={})
    ana, *others = read_rows(lambda: iter([content]), found.layout)
    reading = reader.read(ana)
    assert reading.item is not None
    assert (reading.item.facts["name"], reading.item.facts["current_company_link"]) == ("Ana", "https://acme.example")
    (note,) = reading.notes
    said = '=CONCATENATE("Di","retora")'
    assert (note.field, note.problem, note.column, note.said) == ("contact.role", "formula", 1, said)
    problems = []
    for record in others:
        with pytest.raises(InvalidContact) as refused:
            reader.read(record)
        problems.append((record.line, refused.value.problem))
    assert problems == [(3, "formula"), (4, "required"), (5, "required"), (6, "formula")]


def test_a_formula_that_came_to_nothing_is_an_empty_cell_and_a_link_within_the_workbook_leads_nowhere() -> None:
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="str"><v>Nome</v></c><c r="B1" t="str"><v>Cargo</v></c></row><row r="2">'
        '<c r="A2" t="str"><v>Ana</v></c><c r="B2" t="str"><f>IF(A3="","",A3)</f><v></v></c>'
        '</row></sheetData><hyperlinks><hyperlink ref="A2" location="Outra!A1"/></hyperlinks></worksheet>'
    )
    assert [row.cells for row in records(repacked(workbook(HEADER), sheet1=sheet.encode()))] == [("Ana",)]


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
        "from portal.importing.spreadsheet import as_text_file\n"
        "from tests.importing.memory import peak_kilobytes\n"
        "before = peak_kilobytes()\n"
        "with open(sys.argv[1], 'rb') as file, as_text_file(file): pass\n"
        "print(peak_kilobytes() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "many.xlsx")], capture_output=True, check=True)
    assert int(done.stdout) < 40 * 1024
