"""Whatever a file says is in the contact, or in a note, or the row is bad: nothing is lost without a word."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from portal.contacts.items import InvalidContact
from portal.importing.reading import MAX_CELL
from portal.importing.refused import MOST_MENDED
from portal.importing.words import PROBLEM_WORDS, ROW_WORDS
from portal.rules.payload import sample_payload
from tests.importing.test_rows import readings

# Of each column a usual cell, and some that are none of its kind, or say more than a contact takes.
CELLS = {
    "Nome completo": ("Ana Lima", "Ana Lima ::: Rui Paz", "Ana Lima <outra@x.test>"),
    "E-mail": ("ana@x.test", "ana arroba x", "ana@x.test; rui@x.test", "ana@x.test ::: rui@x.test"),
    "Telefone": ("11 99999-0000", "à noite", "5,51E+12", "11 99999-0000 ::: 11 98888-0000"),
    "LinkedIn": ("linkedin.com/in/ana", "http://x.test/ana", "Perfil", "linkedin.com/in/a ::: linkedin.com/in/b"),
    "Empresa": ("Acme", "Acme ::: Beta"),
    "Site": ("acme.test", "Rua das Flores, 10", "em breve", "x", "acme.test ::: beta.test"),
    "Cargo": ("Diretora", "Diretora ::: Sócia", "D" * 301),
    "Cidade": ("Recife", "Recife ::: Olinda"),
    "Nível de interesse": ("2", "quente", "4", "2 ::: 3"),
    "Campanha": ("Feira", "Feira ::: Evento", "F" * 201),
    "Descrição da campanha": ("De maio", "D" * (MAX_CELL + 1)),
    "Conectado em": ("2026-01-31", "ontem", "31/02/2026", "2026-01-31 ::: 2026-02-01"),
    "Mensagem texto": ("Oi!", "M" * (MAX_CELL + 1)),
}
ODD_CELLS = [(name, cell) for name, (_, *cells) in CELLS.items() for cell in cells]


@pytest.mark.parametrize(("name", "cell"), ODD_CELLS)
def test_a_cell_that_is_not_taken_whole_is_told_of(name: str, cell: str) -> None:
    usual = {each: cells[0] for each, cells in CELLS.items()}
    rows = [dict(zip(usual, usual, strict=True)), usual, {**usual, name: cell}, usual]
    text = "\n".join(",".join(f'"{each}"' for each in row.values()) for row in rows)
    first, odd, last = readings(text.encode())
    assert odd.item is not None
    told = {note.problem for note in odd.notes} - {note.problem for note in (*first.notes, *last.notes)}
    assert told - {"described_before"}
    assert told <= PROBLEM_WORDS.keys()


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to every part of a body, but for the numbers that nobody looks at."""
    if path and path[-1] != "id":
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from paths_of(value[key], (*path, key))


def with_part(path: tuple[Any, ...], part: Any) -> dict[str, Any]:
    body = copy.deepcopy(sample_payload())
    del body["contact"]["id"]
    holder = body
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = part
    return body


MARK = "zq7"
PATHS = list(paths_of(sample_payload()))
FOREIGN = [
    (*path, MARK) for path in [(), *PATHS] if path == () or path[-1] in (0, "contact", "contact_owner", "campaign")
]


@pytest.mark.parametrize("part", [MARK, [MARK], {MARK: 1}, f"{MARK}\x00"], ids=repr)
@pytest.mark.parametrize("path", [*PATHS, *FOREIGN], ids=str)
def test_a_part_of_a_line_of_json_is_taken_or_told_of(path: tuple[Any, ...], part: Any) -> None:
    line = json.dumps(with_part(path, part))
    try:
        (reading,) = readings(line.encode())
    except InvalidContact:
        return  # the row is told of as a bad one
    assert MARK in repr(reading.item) or any(MARK in note.said for note in reading.notes)
    assert all(note.problem in PROBLEM_WORDS | ROW_WORDS for note in reading.notes)


@pytest.mark.parametrize("part", [0, False, [], 0.0], ids=repr)
@pytest.mark.parametrize("name", ["contact_owner", "campaign"])
def test_what_is_no_part_is_told_of_though_it_counts_as_nothing(name: str, part: Any) -> None:
    (reading,) = readings(json.dumps({"contact": {"name": "Ana"}, name: part}).encode())
    assert [(note.field, note.problem) for note in reading.notes] == [(name, "not_an_object")]


@pytest.mark.parametrize(
    ("path", "part", "left"),
    [
        (("messages", 0, "date"), "ontem", [("mensagem de teste", None, False)]),
        (("messages", 0, "pending_message"), "0", [("mensagem de teste", "2021", False)]),
        (("messages", 0, "pending_message"), True, [("mensagem de teste", "2021", True)]),
        (("messages", 0, "message"), "m" * 20_001, [("m" * 20_000, "2021", False)]),
        (("messages", 0, "message"), 7, []),
    ],
)
def test_a_bad_part_of_a_message_never_loses_the_others(path: tuple[Any, ...], part: Any, left: list[Any]) -> None:
    (reading,) = readings(json.dumps(with_part(path, part)).encode())
    assert reading.item is not None
    assert reading.item.messages is not None
    dates = ((each["date"] and str(each["date"].year)) for each in reading.item.messages)
    assert [
        (each["message"], date, each["pending"]) for each, date in zip(reading.item.messages, dates, strict=True)
    ] == left
    assert len(reading.notes) == (part is not True)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_only_python_calls_a_number_is_no_json(number: str) -> None:
    with pytest.raises(InvalidContact, match="not_json"):
        readings(f'{{"contact": {{"name": "Ana"}}, "x": {number}}}'.encode())


def test_the_api_s_own_answers_come_in_without_a_word() -> None:
    beside = {"sync": "in_sync", "warning": None, "data_changed": False, "crm_url": None}
    (reading,) = readings(json.dumps(with_part(("contact", "phone"), "11 9") | beside).encode())
    assert reading.notes == ()


@pytest.mark.parametrize("number", [MOST_MENDED, MOST_MENDED + 1, 2000])
def test_a_list_with_many_wrong_parts_goes_as_a_whole_and_costs_little(number: int) -> None:
    """Each part that is left out has the contact looked at once more."""
    contact = {"name": "Ana", "skills": [{"skill": "x", "endorsements": -1}] * number}
    line = json.dumps({"contact": contact, "messages": [{"message": "Oi", "date": "ontem"}] * number})
    (reading,) = readings(line.encode())
    assert reading.item is not None
    assert len(reading.notes) <= MOST_MENDED + 2
    assert len(reading.item.facts.get("skills", ())) == (number if number <= MOST_MENDED else 0)


def test_many_foreign_members_are_one_note() -> None:
    line = json.dumps({"contact": {"name": "Ana", **{f"x{n}": n for n in range(1, 5000)}}})
    (reading,) = readings(line.encode())
    assert [note.problem for note in reading.notes] == ["unknown_fields"]
