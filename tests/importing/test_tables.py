"""A second table below the first one: its header and its rows are told, and none of them becomes a contact."""

from collections.abc import Sequence

import pytest

from portal.contacts.items import InvalidContact
from portal.importing.layout import examine, read_rows
from portal.importing.order import Order
from portal.importing.reading import Record
from portal.importing.rows import Reading, RowReader
from tests.importing.conftest import blocks_of
from tests.importing.test_rows import ZONE

FIRST = (
    "Nome,E-mail,Empresa,Telefone\nAna Lima,ana@x.test,Acme,11 98765-4321\nRui Paz,rui@x.test,,21 91234-5678\n"
    "Ivo Rocha,ivo@x.test,Acme,11 98765-4322\n"
)
PEOPLE = ["Ana Lima", "Rui Paz", "Ivo Rocha"]
NOT_OURS = ["of_other_table"] * 2


def read_all(text: str) -> list[Reading | InvalidContact]:
    blocks = blocks_of(text.encode())
    found = examine(blocks)
    reader = RowReader(Order.of(found, user_id=0), zone=ZONE, people={})

    def read(record: Record) -> Reading | InvalidContact:
        try:
            return reader.read(record)
        except InvalidContact as error:
            return error

    return [read(record) for record in read_rows(blocks, found.layout) if record]


def said_of(text: str) -> Sequence[str]:
    """Of each row the contact's name, or why it is none."""
    return [
        row.problem if isinstance(row, InvalidContact) else row.item.facts["name"] if row.item else row.notes[0].problem
        for row in read_all(text)
    ]


@pytest.mark.parametrize(
    "below",
    [
        "E-mail,Nome,Empresa,Telefone\nleo@x.test,Léo Dias,Delta,11 95555-1234\nbia@x.test,Bia Reis,,11 95555-1235\n",
        "\nEmpresa,Contato,Cargo,Email\nDelta,Léo Dias,CEO,leo@x.test\nÔmega,Bia Reis,CTO,11 95555-1234\n",
        "\nEmpresa,Contato,Cargo,Email,UF\nDelta,Léo Dias,CEO,leo@x.test,SP\nÔmega,Bia Reis,CTO,bia@x.test,RJ\n",
        "\n\nProduto,Preço,Estoque\nCaneta,2.50,100\nLápis de cor,1.20,300\n",
        ",,,\nCampanha,Total,,\nVerão,12,,\nInverno,7,,\n",
        "Campanha,Total,,\nVerão,12,,\nInverno,7,,\n",
        "\nEstoque\nProduto,Preço,,\nCaneta,,,\nLápis,barato,,\n",
    ],
)
def test_no_row_of_another_table_becomes_a_contact(below: str) -> None:
    said = [each for each in said_of(FIRST + below) if each != "footer"]
    assert said == [*PEOPLE, "other_table", *NOT_OURS]


def test_the_first_table_goes_on_below_its_header_in_these_words_or_others() -> None:
    more = "Eva Sá,eva@x.test,,\n"
    for header in (
        "Nome,E-mail,Empresa,Telefone\n",
        "Nome completo,Email,Organização,Celular\n",
        "Contato,,Empresa,\n",
    ):
        assert said_of(f"{FIRST}\n{header}{more}") == [*PEOPLE, "repeated_header", "Eva Sá"]
        other = "Empresa,Contato,Cargo,Email\nDelta,Léo,CEO,leo@x.test\nÔmega,Bia,,\n"
        assert said_of(f"{FIRST}{other}{header}{more}") == [
            *(*PEOPLE, "other_table", *NOT_OURS),
            *("repeated_header", "Eva Sá"),
        ]


def test_a_header_that_calls_one_of_our_columns_otherwise_begins_another_table() -> None:
    """Both have people and dates, and the dates are of other things."""
    first = "Nome,E-mail,Aceito em\nAna,ana@x.test,02/05/2024\nRui,rui@x.test,15/05/2024\nEva,eva@x.test,16/05/2024\n"
    below = "\nNome,E-mail,Enviado em\nLéo,leo@x.test,20/05/2024\n"
    assert said_of(first + below) == ["Ana", "Rui", "Eva", "other_table", "of_other_table"]


def test_a_number_is_nobody_where_nothing_else_tells_of_somebody() -> None:
    rows = "Legenda,,,\n1,baixo,,\n2,médio,,\n3,,,11 98765-4321\n4,eva@x.test,,\n"
    assert said_of(FIRST + rows) == [*PEOPLE, "Legenda", "no_contact", "no_contact", "3", "4"]


def test_the_first_table_goes_on_with_somebody_where_no_name_of_the_other_one_was_known() -> None:
    below = "\nProduto,Preço,Estoque,\nCaneta,barata,,\nEva Sá,eva@x.test,,\nLéo Dias,,Delta,\n"
    assert said_of(FIRST + below) == [*PEOPLE, "other_table", "of_other_table", "Eva Sá", "Léo Dias"]


@pytest.mark.parametrize(
    "row",
    [
        "Léo Dias,ligar antes,Delta,",
        "Léo Dias,-,Delta,",
        "Léo Dias,não tem,Delta,",
        "Léo Dias,Não tem,Delta,",
        "Léo Dias,,Delta,",
        "Léo Dias,Delta,,11 95555-1234",
        "Léo Dias,,Empresa,",
        "Léo Dias,,,",
        "Lead 12,Contato 1,,",
    ],
)
def test_somebody_below_an_empty_line_is_still_somebody(row: str) -> None:
    assert said_of(f"{FIRST}\n{row}\nEva Sá,eva@x.test,,\n") == [*PEOPLE, row.partition(",")[0], "Eva Sá"]


@pytest.mark.parametrize(
    ("rows", "doubtful"),
    [
        (("Feira de negócios,,,", "Eva Sá,eva@x.test,,", "Indústria,,,"), ["Feira de negócios", "Indústria"]),
        (("Lote 2,,,", "Eva Sá,eva@x.test,,"), ["Lote 2"]),
        (("Indústria,,,", "Comércio,,,"), ["Indústria"]),
        (("Maria das Dores,,,", "Eva Sá,eva@x.test,,"), []),
        (("Léo Dias,,,", "ana de souza,,,", "MARIA DAS DORES,,,"), []),
        (("Indústria,,Acme,", "Indústria,,,11 98765-4321"), []),
        (
            ("Eva,eva@x.test,,", "Bia,,,", "Ivo,ivo@x.test,,", "Lote 2,,,", "Eva,eva@x.test,,", "Rua verde,,,"),
            ["Lote 2", "Rua verde"],
        ),
    ],
)
def test_a_name_alone_that_is_rather_a_title_comes_in_and_is_doubtful(rows: Sequence[str], doubtful: list[str]) -> None:
    """Below somebody, and where the row above says more: of a list of names each would be one."""
    readings = [row for row in read_all(FIRST + "\n".join(rows)) if isinstance(row, Reading)]
    assert [reading.item is not None for reading in readings] == [True] * (len(PEOPLE) + len(rows))
    notes = [note for reading in readings for note in reading.notes]
    assert [(note.field, note.problem, note.said) for note in notes] == [
        ("contact.name", "perhaps_title", text) for text in doubtful
    ]


def test_a_name_beside_which_a_column_that_is_left_out_says_something_is_no_title() -> None:
    people = "Ana Lima,ana@x.test,\nRui Paz,rui@x.test,\n"
    text = f"Nome,E-mail,Anotações\n{people}Indústria,,ligar\nIvo Sá,ivo@x.test,\nComércio,,\n"
    notes = [note for reading in read_all(text) if isinstance(reading, Reading) for note in reading.notes]
    assert [(note.problem, note.said) for note in notes] == [("perhaps_title", "Comércio")]


def test_a_table_that_begins_once_is_told_once() -> None:
    below = "\nProduto,Preço,Estoque\nCaneta,Barata,Azul\n\nLápis,Barato,Verde\n"
    assert said_of(FIRST + below) == [*PEOPLE, "other_table", *NOT_OURS]


def test_a_part_of_the_header_begins_no_other_table() -> None:
    assert said_of(FIRST + ",E-mail,,\nLéo Dias,,Delta,\n") == [*PEOPLE, "repeated_header", "Léo Dias"]


def test_somebody_called_by_a_column_s_name_is_somebody_where_most_cells_are_no_names() -> None:
    people = "Ana Lima,Acme,CEO,Santos,SP\nRui Paz,Delta,CTO,Campinas,SP\n"
    text = f"Nome,Empresa,Cargo,Cidade,UF\n{people}Cliente,Conta,Vendas,Bauru,SP\n"
    assert said_of(text) == ["Ana Lima", "Rui Paz", "Cliente"]
