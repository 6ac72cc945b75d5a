"""Headers whose quotes, delimiters or lines are broken: the rows below tell how many names there are."""

import csv
import io

import pytest

from portal.importing.encoding import FileProblem
from portal.importing.layout import examine, read_rows
from portal.importing.order import Order
from portal.importing.rows import RowReader
from tests.importing.conftest import blocks_of
from tests.importing.test_rows import ZONE

NAMES = ["E-mail", "Nível de interesse", "Nome completo", "Empresa"]
ROWS = [
    ["ana@x.test", "2", "Ana Lima", "A, B Ltda"],
    ["bia@x.test", "3", "Bia Sá", 'Casa "Zé"'],
    ["eva@x.test", "1", "Eva", "x;y"],
]


def text_of(rows, delimiter, quoting):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(rows)
    return text.getvalue()


def people_of(content):
    """Name, e-mail, level and company of everybody in a file, in which no row is bad."""
    found = examine(blocks_of(content.encode()))
    reader = RowReader(Order.of(found, user_id=0), zone=ZONE, people={})
    items = [reader.read(record).item for record in read_rows(blocks_of(content.encode()), found.layout) if record]
    names = ("email", "name", "current_company")
    return [[*map(item.facts.get, names), item.level] for item in items if item]


def lose_quote(header, number, _):
    places = [place for place, character in enumerate(header) if character == '"']
    return header[: places[number]] + header[places[number] + 1 :] if places else f'"{header}'


def add_quote(header, number, _):
    place = number * len(header) // 8
    return f'{header[:place]}"{header[place:]}'


def take_other_delimiter(header, number, delimiter):
    return header.replace(delimiter, ";,\t".replace(delimiter, "")[number % 2])


def take_one_other_delimiter(header, number, delimiter):
    parts = header.split(delimiter)
    place = number % 3 + 1
    return (
        delimiter.join(parts[:place]) + ";,\t".replace(delimiter, "")[number // 3 % 2] + delimiter.join(parts[place:])
    )


def break_cell(header, number, delimiter):
    cell = NAMES[1 + number % 2]
    return header.replace('"', "").replace(cell, cell.replace(" ", "\n", 1))


def go_on_below(header, number, delimiter):
    cells = header.replace('"', "").split(delimiter)
    cells[number % 3] += "\n(opcional)"
    return delimiter.join(cells)


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL], ids=["few quotes", "all in quotes"])
@pytest.mark.parametrize("delimiter", ",;\t")
@pytest.mark.parametrize(
    "fault", [lose_quote, add_quote, take_other_delimiter, take_one_other_delimiter, break_cell, go_on_below]
)
def test_a_broken_header_loses_no_row_and_no_cell(fault, delimiter, quoting, number):
    header, rows = (text_of(each, delimiter, quoting) for each in ([NAMES], ROWS))
    content = fault(header.rstrip("\n"), number, delimiter) + "\n" + rows
    wanted = [[email, name, company, int(level)] for email, level, name, company in ROWS]
    assert people_of(content) == wanted, content


@pytest.mark.parametrize("below", ["(opcional)\n", "Obrigatório\n", "\n\n"])
def test_what_stands_between_the_header_and_the_rows_is_nobody(below):
    found = people_of(f"Nome,E-mail\n{below}Ana,ana@x.test\nBia,bia@x.test\n")
    assert [name for _, name, *_ in found] == ["Ana", "Bia"]


def test_a_broken_header_of_names_that_nobody_knows_is_refused():
    for header in ('"Alfa,Beta"x,Gama', '"Alfa","Be"ta","Gama"'):
        with pytest.raises(FileProblem, match="no_header"):
            examine(blocks_of(f"{header}\nAna,Moinho,x\nBia,Casa,y\n".encode()))


def test_a_header_that_is_whole_goes_before_one_that_is_mended():
    row = "Ana\ta@x.test\tA, B, C, D\tBaixo\n"
    found = examine(blocks_of(("Nome\tE-mail\tEmpresa\tNível\n" + row * 3).encode()))
    assert found.layout.delimiter == "\t"


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ('"Nome, completo",E-mail', ("Nome, completo", "E-mail")),
        ("Nome;E-mail, telefone", ("Nome", "E-mail, telefone")),
        ("Nome,E-mail,Cargo", ("Nome", "E-mail", "Cargo")),
    ],
)
def test_a_header_that_is_whole_is_left_as_it_is(header, columns):
    delimiter = ";" if ";" in header else ","
    row = delimiter.join(["Ana", "ana@x.test", "CEO"][: len(columns)])
    assert examine(blocks_of(f"{header}\n{row}\n{row}\n".encode())).layout.header == columns
