"""What the columns of a row become, in words and dates of both languages."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from portal.contacts.checking import SAME, ContactItem, InvalidContact
from portal.importing.columns import FIELDS, map_columns
from portal.importing.layout import examine, read_rows
from portal.importing.rows import RowReader, read_date
from portal.importing.words import FIELD_WORDS, KIND_WORDS, PATH_WORDS, PROBLEM_WORDS
from tests.importing.conftest import DATA, blocks_of

ZONE = ZoneInfo("America/Sao_Paulo")
PEOPLE = {"bruno tavares": "bruno@example.com", "jose": None}


def read(content: bytes, *, campaign: str | None = None) -> list[ContactItem]:
    blocks = blocks_of(content)
    layout, _ = examine(blocks)
    reader = RowReader(layout, map_columns(layout.header), zone=ZONE, campaign=campaign, people=PEOPLE)
    return [reader.read(row) for row in read_rows(blocks, layout)]


def read_file(name: str, **options: str) -> list[ContactItem]:
    return read((DATA / name).read_bytes(), **options)


def read_one(**cells: str) -> ContactItem:
    header, row = ",".join(cells), ",".join(f'"{cell}"' for cell in cells.values())
    return read(f"{header}\n{row}\n".encode())[0]


def problem_of(**cells: str) -> tuple[str, str]:
    with pytest.raises(InvalidContact) as refused:
        read_one(**cells)
    return refused.value.field, refused.value.problem


@pytest.mark.parametrize(
    "name", ["linkedin.csv", "linkedin_preamble_2.csv", "linkedin_preamble_3.csv", "linkedin_utf16.csv"]
)
def test_linkedin(name):
    joao, _, ana = read_file(name)
    assert joao.facts == {
        "name": "João D'Ávila",
        "linkedin_public_id": "joão-davila",
        "current_company": "Açúcar, Café & Cia",
        "role": "Gerente de Vendas",
        "accept_date": datetime(2024, 3, 12, 3, 0, tzinfo=UTC),
    }
    assert (joao.level, joao.owner, joao.campaign) == (SAME, None, None)
    assert ana.facts["accept_date"] == datetime(2023, 12, 28, 3, 0, tzinfo=UTC)


def test_hubspot():
    joao, maria = read_file("hubspot.csv")
    assert joao.facts["phone"] == "+55 11 90000-0001"
    assert joao.owner is not None
    assert joao.owner.email == "bruno@example.com"
    assert maria.owner is None


def test_pipedrive():
    joao, maria = read_file("pipedrive.csv")
    assert (joao.facts["name"], joao.facts["email"]) == ("João D'Ávila", "joao@example.com")
    assert joao.owner is not None
    assert joao.owner.email == "bruno@example.com"
    assert maria.facts["current_company"] == "Moinho Azul"


def test_rd_station():
    joao, maria = read_file("rdstation.csv", campaign="Verão")
    assert joao.facts["name"] == "João D'Ávila"
    assert joao.facts["location"] == "São Paulo"
    assert (joao.level, maria.level) == (3, SAME)
    assert joao.campaign == "Verão"


def test_a_spreadsheet_of_ones_own():
    joao, maria = read_file("generic.csv", campaign="Verão")
    assert (joao.campaign, maria.campaign) == ("Indústria", "Verão")
    assert (joao.level, maria.level) == (3, 2)
    assert joao.facts["invite_date"] == datetime(2026, 1, 31, 17, 30, tzinfo=UTC)


def test_json_lines():
    joao, maria = read_file("contacts.jsonl", campaign="Verão")
    assert joao.campaign_facts == {"description": "Fábricas"}
    assert joao.facts["skills"] == [{"skill": "Vendas", "endorsements": 3}]
    assert joao.messages is not None
    assert joao.messages[0]["message"] == "Oi!"
    assert (joao.level, joao.owner) == (2, None)
    assert (maria.level, maria.campaign) == (None, "Verão")


@pytest.mark.parametrize(
    ("text", "level"),
    [("1", 1), ("2", 2), ("3", 3), ("Baixo", 1), ("MÉDIO", 2), ("medio", 2), ("alto", 3), ("Low", 1), ("high", 3)],
)
def test_levels_have_numbers_and_words(text, level):
    assert read_one(Nome="Ana", Nível=text).level == level


@pytest.mark.parametrize("text", ["4", "0", "quente", "1.5", "-1", "3 - alto"])
def test_other_levels_are_no_levels(text):
    assert problem_of(Nome="Ana", Nível=text) == ("contact.interest_level", "unknown_level")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 Mar 2024", datetime(2024, 3, 12)),
        ("1 fev 2024", datetime(2024, 2, 1)),
        ("12 de dezembro de 2024", datetime(2024, 12, 12)),
        ("12/03/2024", datetime(2024, 3, 12)),
        ("12/03/2024 14:30", datetime(2024, 3, 12, 14, 30)),
        ("12.03.2024, 14:30:05", datetime(2024, 3, 12, 14, 30, 5)),
        ("2024-03-12", datetime(2024, 3, 12)),
        ("2024-03-12 14:30", datetime(2024, 3, 12, 14, 30)),
        ("2024-03-12T14:30:00Z", datetime(2024, 3, 12, 14, 30, tzinfo=UTC)),
    ],
)
def test_dates_are_read_as_people_write_them(text, expected):
    assert read_date(text, "x") == expected


@pytest.mark.parametrize("text", ["ontem", "31/02/2024", "03/25/2024", "12 Foo 2024", "45000", "2024-13-01"])
def test_what_is_no_date_is_said_to_be_none(text):
    assert problem_of(**{"Nome": "Ana", "Data do convite": text}) == ("contact.invite_date", "not_a_date")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://www.linkedin.com/in/maria-silva", "maria-silva"),
        ("linkedin.com/in/maria-silva/?trk=x", "maria-silva"),
        ("https://br.linkedin.com/in/jo%C3%A3o/", "joão"),
        ("maria-silva", "maria-silva"),
    ],
)
def test_a_profile_is_known_by_its_address_or_by_itself(text, expected):
    assert read_one(Nome="Ana", LinkedIn=text).facts["linkedin_public_id"] == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"Nome": "", "Cargo": "x"}, ("contact.name", "required")),
        ({"Nome": "Ana", "Email": "arroba"}, ("contact.email", "not_an_email")),
        ({"Nome": "Ana", "LinkedIn": "https://example.com/ana"}, ("contact.linkedin_public_id", "not_a_profile")),
        ({"Nome": "Ana", "Responsável": "Ninguém"}, ("contact_owner.name", "unknown_owner")),
        ({"Nome": "Ana", "Responsável": "José"}, ("contact_owner.name", "unknown_owner")),
        ({"Nome": "Ana", "Responsável": "a@b"}, ("contact_owner.email", "not_an_email")),
        ({"Nome": "x" * 301}, ("contact.name", "too_long")),
        ({"Nome": "Ana\0"}, ("contact.name", "nul")),
    ],
)
def test_a_bad_cell_is_named(cells, expected):
    filler = {"Telefone": "1" * 3000} if "Ana\0" in cells.values() else {}  # so that one NUL is not yet a binary file
    assert problem_of(**cells, **filler) == expected


def test_more_cells_than_columns_are_a_missing_quote():
    with pytest.raises(InvalidContact) as refused:
        read(b"Nome,Empresa\nAna,Silva, Souza e Cia\n")
    assert refused.value.problem == "extra_cells"


def test_missing_cells_are_empty_ones():
    assert read(b"Nome,Empresa,Cargo\nAna\n")[0].facts == {"name": "Ana"}


def test_of_several_columns_for_one_field_the_first_that_is_filled_counts():
    header = "Person - Name,Person - Phone - Work,Person - Phone - Mobile"
    first, second = read(f"{header}\nAna,1,2\nBia,,3\n".encode())
    assert (first.facts["phone"], second.facts["phone"]) == ("1", "3")


def test_the_mark_against_formulas_is_taken_off_again():
    assert read_one(Nome="Ana", Telefone="'+55 11 9").facts["phone"] == "+55 11 9"
    assert read_one(Nome="'Ana", Cargo="'").facts == {"name": "'Ana", "role": "'"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not_json"),
        ("{" * 100_000, "not_json"),
        ('{"contact": []}', "not_an_object"),
        ('{"contact": {"name": 7}}', "not_a_text"),
        ('{"contact": {"name": ""}}', "required"),
        ('{"contact": {"name": "Ana", "interest_level": 4}}', "unknown_level"),
        ('{"contact": {"name": "Ana", "interest_level": true}}', "unknown_level"),
        ('{"contact": {"name": "Ana"}, "campaign": "x"}', "not_an_object"),
        ('{"contact": {"name": "Ana", "invite_date": "ontem"}}', "not_a_date"),
        ('{"contact": {"name": "Ana\\ud800"}}', "surrogate"),
        ('{"contact": {"name": "Ana"}, "messages": {}}', "not_a_list"),
    ],
)
def test_a_bad_line_of_json_is_named(line, problem):
    with pytest.raises(InvalidContact) as refused:
        read(line.encode() + b"\n")
    assert refused.value.problem == problem


def test_every_field_and_every_problem_has_words():
    assert set(FIELD_WORDS) == set(FIELDS)
    assert set(KIND_WORDS) == {"linkedin", "hubspot", "pipedrive", "rdstation", "generic", "jsonl"}
    assert {"contact.name", "contact.email", "contact_owner.email", "campaign.name"} <= set(PATH_WORDS)
    assert {"required", "unknown_level", "not_an_email", "not_a_date", "too_long"} <= set(PROBLEM_WORDS)


def test_names_of_columns_differ_in_case_accents_and_space():
    assert map_columns(["  EMPRESA ", "Nível De Interesse", "e-mail", "Foo"]) == (
        "current_company",
        "interest_level",
        "email",
        None,
    )
