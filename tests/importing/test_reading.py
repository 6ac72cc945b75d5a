"""What a file is, and its rows, whatever it holds."""

import json
import subprocess
import sys
import time

import pytest

from portal.importing.encoding import Blocks, FileProblem
from portal.importing.layout import MAX_ROWS, Layout, examine, find_layout, read_rows
from portal.importing.quoting import MAX_COLUMNS
from portal.importing.reading import MAX_CELL
from tests.importing.conftest import DATA, HOSTILE, blocks_of, repeated

LINKEDIN = ("linkedin", "utf-8", ",")


@pytest.mark.parametrize(
    ("name", "expected", "header_line", "total"),
    [
        ("linkedin.csv", LINKEDIN, 1, 3),
        ("linkedin_preamble_2.csv", LINKEDIN, 3, 3),
        ("linkedin_preamble_3.csv", LINKEDIN, 4, 3),
        ("linkedin_utf16.csv", ("linkedin", "utf-16", ","), 1, 3),
        ("hubspot.csv", ("hubspot", "utf-8-sig", ","), 1, 2),
        ("pipedrive.csv", ("pipedrive", "utf-8", "\t"), 1, 2),
        ("rdstation.csv", ("rdstation", "cp1252", ";"), 1, 2),
        ("generic.csv", ("generic", "cp1252", ";"), 1, 2),
        ("contacts.jsonl", ("jsonl", "utf-8", None), 0, 2),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 64 * 1024])
def test_each_kind_of_file_is_recognised(name, expected, header_line, total, size):
    found = examine(blocks_of((DATA / name).read_bytes(), size))
    assert (found.layout.kind, found.layout.encoding, found.layout.delimiter) == expected
    assert (found.layout.header_line, found.total) == (header_line, total)


TEXT = "Nome;E-mail\r\nJoão D'Ávila;joao@example.com\r\n"


@pytest.mark.parametrize(
    ("encoded", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.encode("mac_roman"), "mac_roman"),
        (TEXT.encode("mac_roman").replace(b"\r\n", b"\r"), "mac_roman"),
        (TEXT.encode("cp850"), "cp850"),
        (TEXT.encode().decode("latin-1").encode(), "utf-8"),
    ],
)
def test_every_encoding_gives_the_same_rows(encoded, encoding):
    layout = examine(blocks_of(encoded, 5)).layout
    assert layout.encoding == encoding
    assert layout.header == ("Nome", "E-mail")
    assert [row.cells for row in read_rows(blocks_of(encoded, 5), layout)] == [("João D'Ávila", "joao@example.com")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_on_any_system(end):
    content = end.join(["Nome,Cargo", "Ana,Diretora", "", "Bia,Gerente"]).encode()
    found = examine(blocks_of(content))
    assert found.total == 2
    assert [row.line for row in read_rows(blocks_of(content), found.layout)] == [2, 4]


def rows(text: str) -> list[tuple[int, tuple[str, ...], str | None]]:
    blocks = blocks_of(text.encode())
    layout = examine(blocks).layout
    return [(row.line, row.cells, row.problem) for row in read_rows(blocks, layout)]


def test_rows_of_only_separators_are_no_rows():
    assert rows("Nome,Cargo\n,\n , \nAna,x\n,\n") == [(4, ("Ana", "x"), None)]


def test_a_cell_may_go_over_lines_and_lines_are_counted():
    found = rows('Nome,Cargo\n"Ana","a\nb\n\nc"\nBia,x\n')
    assert found == [(2, ("Ana", "a\nb\n\nc"), None), (6, ("Bia", "x"), None)]


def test_a_quote_that_is_never_closed_costs_its_own_row_only():
    found = rows('Nome,Cargo\nAna,x\n"Bia,y\nCaio,z\nDani,w\n')
    assert [(line, problem) for line, _, problem in found] == [(2, None), (3, "unclosed_quote"), (4, None), (5, None)]
    assert found[2][1] == ("Caio", "z")


def test_rows_between_two_stray_quotes_are_not_lost():
    found = rows('Nome,Cargo,Cidade\n"Bia,y,a\nCaio,z,b\nDani,w,c\n"Edu,v,d\nFabi,u,e\n')
    assert [line for line, _, problem in found if problem is None] == [3, 4, 6]


@pytest.mark.parametrize(
    ("table", "good"),
    [
        ('Nome,Empresa,E-mail\nAna,x,a@x.test\nBia,"y,b@x.test\n{}Edu,v",e@x.test\nFabi,u,f@x.test\n', ",c@x.test"),
        ('E-mail,Nome,Empresa\na@x.test,Ana,x\nb@x.test,Bia,"y\n{}e@x.test,Edu,v"\nf@x.test,Fabi,u\n', ""),
        ('Nome,Cargo,Nota\nAna,x,p\nBia,y,"q\n{}Edu,v,s"\nFabi,u,t\n', ",r"),
    ],
)
@pytest.mark.parametrize("between", [0, 1, 3])
def test_rows_between_a_stray_quote_and_another_in_their_place_are_not_lost(table, good, between):
    row = f"Caio,z{good}\n" if good else "c@x.test,Caio,z\n"
    found = rows(table.format(row * between))
    assert [problem for _, _, problem in found] == [None, "unclosed_quote", *[None] * (between + 2)]
    assert found[1][1][0].count("\n") == 0, "only its own line"


MIXED = "Nome;Empresa\nJosé Conceição;Pão & Cia\n".encode() + "Sebastião Luz;Açaí\n".encode("cp1252")


def test_bytes_of_another_encoding_cost_no_accent_of_the_others():
    for content in (MIXED, b"\xef\xbb\xbf" + MIXED):
        layout = examine(blocks_of(content, 5)).layout
        assert (layout.encoding, layout.header) == ("mixed", ("Nome", "Empresa"))
        cells = [row.cells for row in read_rows(blocks_of(content, 5), layout)]
        assert cells == [("José Conceição", "Pão & Cia"), ("Sebastião Luz", "Açaí")]


def test_the_encoding_can_be_chosen():
    layout = examine(blocks_of("Nome\nJosé\n".encode("cp850")), encoding="cp850").layout
    assert [row.cells for row in read_rows(blocks_of("Nome\nJosé\n".encode("cp850")), layout)] == [("José",)]


PEOPLE = "Nome,E-mail,Notas\n"


def names(text: str) -> list[str]:
    """The names in the good rows of a table whose second column is the e-mail."""
    return [cells[0] for _, cells, problem in rows(PEOPLE + text) if problem is None]


def test_reading_goes_on_at_the_next_row_when_a_later_cell_is_quoted():
    text = 'Ana,a@x.test,x\nBia,b@x.test,"Bar\nCaio,c@x.test,z\nDani,d@x.test,"Lacre, Ltda."\nEdu,e@x.test,v\n'
    assert names(text) == ["Ana", "Caio", "Dani", "Edu"]


def test_a_row_whose_quotes_can_be_mended_is_read_before_a_broken_one():
    text = 'Nome,Empresa,E-mail\nAna,"A "Boa Fé" Ltda",a@x.test\nBia,"Bar,b@x.test\nCaio,z,c@x.test\n'
    assert [cells[0] for _, cells, problem in rows(text) if problem is None] == ["Ana", "Caio"]


def test_the_lines_of_a_broken_row_are_no_rows():
    text = 'Ana,a@x.test,x\nBia,b@x.test,"disse "oi"\ne, claro, saiu\ntchau"\nCaio,c@x.test,z\n'
    assert names(text) == ["Ana", "Caio"]
    assert [line for line, _, problem in rows(PEOPLE + text) if problem] == [3]


def test_a_row_over_several_lines_may_follow_a_broken_one():
    assert names('Ana,a@x.test,x\nBia,b@x.test,"y\nCaio,c@x.test,"um\ndois"\nDani,d@x.test,\n') == [
        "Ana",
        "Caio",
        "Dani",
    ]


def test_prose_with_as_many_commas_as_a_row_stays_in_its_cell():
    text = 'Ana,a@x.test,x\nBia,b@x.test,"um, dois, tres\nquatro, cinco, seis\nsete, oito, nove"\nCaio,c@x.test,z\n'
    assert names(text) == ["Ana", "Bia", "Caio"]


def test_quotes_that_were_not_doubled_stay_in_their_cell_where_it_is_sure_where_it_ends():
    found = rows(PEOPLE + 'Ana,a@x.test,x\nBia,b@x.test,"disse "oi", e saiu"\n"Caio "Zé" Lima",c@x.test,z\n')
    assert [problem for *_, problem in found] == [None, "unclosed_quote", None]
    assert found[2][1] == ('Caio "Zé" Lima', "c@x.test", "z")


def test_short_rows_after_a_broken_one_are_rows():
    assert names('Ana,a@x.test,x\nBia\n"Caio,c@x.test,z\nDani\nEdu,e@x.test,v\n') == ["Ana", "Bia", "Dani", "Edu"]


def seconds_to_examine(content: bytes) -> float:
    begun = time.process_time()
    examine(blocks_of(content))
    return time.process_time() - begun


@pytest.mark.parametrize(
    "line",
    [
        '"Ana,b\n',
        'Ana,"b\n',
        'Ana,"b""\n',
        '"\n',
        '""",\n',
        'x,"""a\n',
        "Ana,a@x.test\n",
        '"Ana\n,b\n,c"d\n',
        '"A ""b\n',
    ],
)
def test_the_time_is_linear_whatever_the_quotes(line):
    head = "Nome,E-mail\nAna,ana@x.test\n"
    few, many = (seconds_to_examine((head + line * number).encode()) for number in (5000, 20_000))
    assert many < max(4 * few * 2, 1)


@pytest.mark.parametrize("broken", ['"\n', '"' + "x\n" * 400 + '"\n', '"' + "\n" * 98])
def test_lines_among_broken_quotes_are_read_about_as_quickly_as_others(broken):
    head = '"Nome","E-mail","Cargo","Cidade","Notas"\n' + '"Ana","ana@x.test","CEO","Rio","x"\n' * 60
    good, odd = '"Bia","bia@x.test","CEO","Rio","y"\n' * 20_000, broken * (20_000 // broken.count("\n"))
    odd, good = (head + odd).encode(), (head + good).encode()
    tries = range(3)  # a single figure may be what else the machine does
    assert any(seconds_to_examine(odd) < 4 * seconds_to_examine(good) for _ in tries)


@pytest.mark.parametrize("piece", HOSTILE)
def test_whatever_a_file_holds_the_reader_tells_that_it_goes_on(short_turns, piece):
    count = 10_000 // piece.count(b"\n")
    content = b"Nome,E-mail,Cargo\nAna,ana@x.test,CEO\n" + piece * count
    layout = Layout("generic", "utf-8", ",", 1, ("Nome", "E-mail", "Cargo"))
    assert list(read_rows(blocks_of(content), layout)).count(None) >= 20
    assert list(read_rows(blocks_of(b"\n" * 10_000), Layout("jsonl", "utf-8"))).count(None) == 20


@pytest.mark.parametrize("piece", HOSTILE)
def test_what_a_file_is_is_told_by_its_beginning(piece):
    content = b"Nome,E-mail,Cargo\nAna,ana@x.test,CEO\n" + piece * (300_000 // piece.count(b"\n"))
    read = 0

    def blocks():
        nonlocal read
        for block in blocks_of(content)():
            read += len(block)
            yield block

    find_layout(blocks, "utf-8", has_header=True)
    assert read < 10 * 200_000


def test_a_row_over_several_lines_may_be_short_as_any_other():
    found = rows('Nome,Cargo,Cidade\n"Ana","a\nb"\nBia,y,c\n')
    assert found == [(2, ("Ana", "a\nb"), None), (4, ("Bia", "y", "c"), None)]


@pytest.mark.parametrize(
    "company", ["\n2024, ", "\n2024, \n", "x\n\n\nPessoa 9,2024,p9@x.test\n", '\n",p1@x.test\n', "\t\n,\n"]
)
@pytest.mark.parametrize("below", ["", "\n\nTotal de 2\n", "\nPessoa 2,Ana Boa Ltda,p2@x.test,demais", '\nPessoa 2,"x'])
def test_a_row_that_a_strict_reader_reads_whole_is_never_refused(company, below):
    written = company.replace('"', '""')
    text = f'Nome,Empresa,E-mail\nPessoa 0,"{written}",p0@x.test\nPessoa 1,,p1@x.test{below}'
    assert rows(text)[:2] == [
        (2, ("Pessoa 0", company, "p0@x.test"), None),
        (3 + company.count("\n"), ("Pessoa 1", "", "p1@x.test"), None),
    ]


@pytest.mark.parametrize("more", [',"nada\nmais"', ",x"])
def test_rows_over_several_lines_may_have_more_cells_than_the_header(more):
    table = "".join(f'"Pessoa {row}","p{row}@x.test","um\ndois"{more}\n' for row in range(5))
    found = rows("Nome,E-mail,Notas\n" + table)
    assert [(len(cells), problem) for _, cells, problem in found] == [(4, None)] * 5


@pytest.mark.parametrize("first", ["Rui,r@x.test,,x\n", ""], ids=["a whole row", "none"])
def test_short_rows_over_several_lines_are_no_broken_one(first):
    table = "".join(f'"Pessoa {row}","p{row}@x.test","um\ndois"\n' for row in range(6))
    found = rows("Nome,E-mail,Notas,Cidade\n" + first + table)
    assert [problem for *_, problem in found] == [None] * (len(first.splitlines()) + 6)


def test_a_quote_inside_a_cell_is_a_character():
    assert rows('Nome,Cargo\nJosé "Zé" Lima,x\n') == [(2, ('José "Zé" Lima', "x"), None)]


def test_a_long_file_with_a_stray_quote_is_read_to_its_end():
    lines = ["Nome,Cargo", *(f"Pessoa {number},x" for number in range(5000))]
    lines[10] = '"' + lines[10]
    found = rows("\n".join(lines) + "\n")
    assert [line for line, _, problem in found if problem] == [11]
    assert len(found) == 5000


def test_cells_and_lines_beyond_the_limits_are_bad_rows():
    found = rows("Nome,Cargo\n" + "x" * 10_001 + ",a\nAna,b\n" + "y" * 300_000 + ",c\nBia,d\n" + "z," * 600 + "\n")
    problems = [problem for *_, problem in found]
    assert problems == [None, None, "line_too_long", None, "too_many_columns"]
    assert [line for line, *_ in found] == [2, 3, 4, 5, 6]
    assert len(found[0][1][0]) == MAX_CELL


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b"Nome,E-mail\r\n", "empty"),
        (b"PK\x03\x04" + b"\x14\x00xl/workbook.xml" * 100, "zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 100, "broken_spreadsheet"),
        (b"%PDF-1.7 ...", "pdf"),
        (b"\x1f\x8b\x08 ...", "compressed"),
        (b"\xef\xbb\xbf\r\nBEGIN:VCARD\r\nFN:Ana\r\n", "vcard"),
        (b"<html><table><tr><td>Nome</td></tr></table>", "html"),
        (b"<!DOCTYPE HTML>\n<html>", "html"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "xml"),
        (b"\0" * 5000, "binary"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 100, "binary"),
        (b"\xff\xfeN\0o\0\n\0\x41", "undecodable"),
        (b'[{"contact": {"name": "Ana"}}]', "json_list"),
        (b"Nome," * 1000 + b"\nAna\n", "too_many_columns"),
        (b'"Nome,E-mail\n', "no_header"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_the_reason(content, reason):
    with pytest.raises(FileProblem) as refused:
        examine(blocks_of(content))
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "content", [b"No\0me,E-mail\nAna,\n", b"\xef\xbb\xbfNome\nA\0na\n", b"Nome;Cargo\nAna;\0\0\0\n"]
)
def test_a_few_nul_bytes_do_not_make_a_text_binary(content):
    found = examine(blocks_of(content))
    assert (found.columns[0].field, found.total) == ("name", 1)


LINE = b"Ana Maria de Souza,ana@example.com,Empresa de Exemplo\n"
HOSTILE: dict[str, tuple[Blocks, str | None]] = {
    "nul": (repeated(b"\0" * 65536, 50), "binary"),
    "zip": (repeated(b"PK\x03\x04" + b"x" * 65532, 50), "zip"),
    "no end of line": (repeated(b"a" * 65536, 50), "no_header"),
    "a million columns": (repeated(b"a," * 32768, 50), "no_header"),
    "too many rows": (repeated(b"Nome\n" * 13107, 50), "too_many_rows"),
    "long lines": (lambda: iter([b"Nome,Cargo\n"] + [b"a," * 250_000 + b"\n"] * 100), None),
    "quotes": (lambda: iter([b"Nome,Cargo\n"] + [b'"' * 65535 + b"\n"] * 800), None),
    "an open quote": (lambda: iter([b"Nome,Cargo\n", b'"', *[b"x" * 65535 + b"\n"] * 800]), None),
    "nul in the middle": (lambda: iter([b"Nome,Cargo\n", *[b"a" * 60 + b"\n"] * 1000, *[b"\0" * 65536] * 700]), None),
}


MEASURED = """
import json, time
from portal.importing.encoding import FileProblem
from portal.importing.layout import examine
from tests.importing.memory import peak_kilobytes
from tests.importing.test_reading import HOSTILE

def look(blocks):
    begun = time.process_time()
    try:
        examine(blocks)
        return None, time.process_time() - begun
    except FileProblem as problem:
        return problem.reason, time.process_time() - begun

before = peak_kilobytes()
found = {name: look(blocks) for name, (blocks, _) in HOSTILE.items()}
print(json.dumps([found, peak_kilobytes() - before]))
"""


@pytest.mark.slow
def test_hostile_files_of_50_mb_are_refused_or_read_within_seconds_and_in_little_memory():
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, check=True)
    found, more_kilobytes = json.loads(done.stdout)
    assert {name: reason for name, (reason, _) in found.items()} == {name: each[1] for name, each in HOSTILE.items()}
    assert max(seconds for _, seconds in found.values()) < 5
    assert more_kilobytes < 100 * 1024


def test_the_limit_of_rows_is_a_limit_and_not_one_less():
    content = b"Nome\n" + b"Ana\n" * MAX_ROWS
    assert examine(blocks_of(content)).total == MAX_ROWS


def test_a_layout_survives_being_stored():
    layout = Layout("generic", "utf-8", ";", 3, ("Nome", "Cargo"))
    assert Layout.from_json(layout.as_json()) == layout
    assert MAX_COLUMNS == 500


def test_a_lost_quote_before_a_row_that_begins_with_one_costs_its_own_row_alone():
    rows = [f'"{number}"\t"Pessoa {number}"\t"p{number}@x.test"\t"nota"\n' for number in range(6)]
    rows[2] = '"2"\t"Pessoa 2"\t"p2@x.test"\t"nota\n'
    rows[3] = '"\n, ""\n"\t"Pessoa 3"\t"p3@x.test"\t"nota"\n'
    rows[4] = '"4"\t"Pessoa 4"\t"p4@x.test"\t"nota\n"\n'
    content = "Código\tNome\tE-mail\tNotas\n" + "".join(rows)
    found = list(read_rows(blocks_of(content.encode()), examine(blocks_of(content.encode())).layout))
    names = [record.cells[1] for record in found if record.problem is None]
    assert names == [f"Pessoa {number}" for number in (0, 1, 3, 4, 5)]


def names_of(text):
    blocks = blocks_of(text.encode())
    found = examine(blocks)
    assert found.columns[0].field == "name"
    return [record.cells[0] for record in read_rows(blocks, found.layout) if record.problem is None]


@pytest.mark.parametrize(
    "text",
    [
        'Nome,E-mail,Empresa\nAna,ana@x.test,Acme\n"Bia,bia@x.test,""Xis, Ltda"""\nCaio,caio@x.test,Y\n',
        '"Nome,E-mail,Empresa"\n"Ana,ana@x.test,Acme"\n"Bia,bia@x.test,Xis"\n"Caio,caio@x.test,Y"\n',
        '"Nome;""E-mail"";Empresa"\n"Ana;""a@x.test"";Acme"\n"Bia;""b@x.test"";Xis"\n"Caio;""c@x.test"";Y"\n',
        "Nome|E-mail\nAna|ana@x.test\nBia|bia@x.test\nCaio|caio@x.test\n",
    ],
)
def test_rows_that_were_saved_with_another_delimiter_are_opened(text):
    assert names_of(text) == ["Ana", "Bia", "Caio"]


def test_a_quote_that_took_the_beginning_of_the_next_row_into_a_name_costs_its_own_row():
    rows = [f"https://linkedin.com/in/p-{number};p{number}@x.test;Loja;Pessoa {number}" for number in range(6)]
    rows[2] = 'https://linkedin.com/in/p-2;p2@x.test; da; ";Pessoa 2'
    rows[3] = 'https://linkedin.com/in/p-3;p3@x.test;"\nBoa";Pessoa 3'
    blocks = blocks_of("\n".join(["LinkedIn;E-mail;Empresa;Nome", *rows]).encode())
    read = [record.cells[-1] for record in read_rows(blocks, examine(blocks).layout) if record.problem is None]
    assert read == [f"Pessoa {number}" for number in (0, 1, 3, 4, 5)]


def test_a_message_of_lines_with_separators_stays_in_its_cell():
    rows = [
        f'p{number}@x.test,Pessoa {number},"Oi,\n1, 2, 3\nem x.test, ou a@x.test, ou b@x.test"' for number in range(6)
    ]
    blocks = blocks_of("\n".join(["E-mail,Nome,Mensagem", *rows]).encode())
    assert [record.problem for record in read_rows(blocks, examine(blocks).layout)] == [None] * 6


def test_a_quote_that_took_the_next_row_into_an_e_mail_costs_its_own_row():
    rows = [f"Pessoa {number};https://www.linkedin.com/in/p-{number};;p{number}@x.test" for number in range(7)]
    rows[3] = rows[3].replace(";;", ';; ";')
    rows[4] = rows[4].replace(";;", ';"\n";')
    names = names_of("\n".join(["Nome;LinkedIn;Empresa;E-mail", *rows]))
    assert names == [f"Pessoa {number}" for number in (0, 1, 2, 4, 5, 6)]


@pytest.mark.parametrize("rest", ['\nBar\n"', '\nBar\nBar"', '\nBar\nBar, da\n"'])
def test_the_lines_of_a_cell_whose_first_quote_was_lost_are_nobody(rest):
    rows = [f"Pessoa {number},p{number}@x.test,03 Mar 2024," for number in range(4)]
    rows[0] += rest
    assert names_of("\n".join(["Nome,E-mail,Conectado em,Empresa", *rows])) == [f"Pessoa {n}" for n in range(4)]


def test_short_rows_are_rows_where_a_table_has_them():
    rows = ["Ana,ana@x.test,Acme", "Bia", "Caio,caio@x.test,Y", "Duda", '"Elis,elis@x.test,Z', "Fabi,f@x.test,W"]
    assert names_of("\n".join(["Nome,E-mail,Empresa", *rows])) == ["Ana", "Bia", "Caio", "Duda", "Fabi"]


def test_what_follows_a_stray_quote_is_nobody_though_it_is_short_too():
    rows = [f'"Pessoa {number}","","p{number}@x.test","","3"' for number in range(4)]
    rows[1] = '"Pessoa 1"","\nBar","p1@x.test","\n","3"'
    names = names_of("\n".join(['"Nome","Empresa","E-mail","Cargo","Nível de interesse"', *rows]))
    assert names == ["Pessoa 0", "Pessoa 2", "Pessoa 3"]


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        (
            [
                '"";"p0@x.test";"Pessoa 0";"""\n"',
                '; ";"p1@x.test";"Pessoa 1";"\n"',
                '""""" é";"p2@x.test";"Pessoa 2";"Bar"',
            ],
            "Pessoa 0",
        ),
        (
            [
                ";p0@x.test;Pessoa 0;",
                '"+55\n\n""Bar\n";p1@x.test;Pessoa 1;',
                '""""""""\t\n";p2@x.test;Pessoa 2;',
                ";p3@x.test;Pessoa 3;",
            ],
            "Pessoa 2",
        ),
        (
            [
                '", \n2024, ";p0@x.test;Pessoa 0;',
                '"""""- ";p1@x.test;Pessoa 1;"x\t2024; "',
                '""\n2024, \n2024, Bar\n";p2@x.test;Pessoa 2;',
                '"\n";p3@x.test;Pessoa 3;',
                '"""; Bar, , \t; Bar";p4@x.test;Pessoa 4;"x é""x"',
            ],
            "Pessoa 2",
        ),
    ],
)
def test_a_broken_row_takes_no_row_of_several_lines_beside_it(rows, broken):
    blocks = blocks_of("\n".join(["Notas;E-mail;Nome;Empresa", *rows, ";p9@x.test;Pessoa 9;"]).encode())
    read = [record.cells for record in read_rows(blocks, examine(blocks).layout) if record.problem is None]
    good = [f"Pessoa {number}" for number in range(len(rows)) if f"Pessoa {number}" != broken]
    assert [cells[2] for cells in read if len(cells) > 2 and cells[2] != broken] == [*good, "Pessoa 9"]
