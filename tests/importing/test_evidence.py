"""What cells and rows are taken for: each kind by what it is and by its nearest neighbour, each share at half."""

import pytest

from portal.importing import evidence
from portal.importing.evidence import MOST_KNOWN, SAMPLE_ROWS, Evidence, look_at
from portal.importing.headings import explains_columns
from portal.importing.naming import MAX_NAME, MAX_WORDS, words_of
from portal.importing.quoting import split_leniently
from portal.importing.reading import MAX_LINES_OF_BROKEN_ROW, Record
from portal.importing.shape import Shape
from portal.importing.torn import refuse_torn


def seen(*cells: str) -> Evidence:
    found = Evidence()
    for cell in cells:
        found.add(cell)
    return found


@pytest.mark.parametrize(
    ("cell", "kinds"),
    [
        ("ana@x.test", {"emails", "codes"}),
        ("Ana <ana@x.test>", {"emails", "mailboxes"}),
        ("ana@", {"codes"}),
        ("linkedin.com/in/ana", {"profiles", "codes"}),
        ("linkedin.com/in/ana e mais", set()),
        ("x.test/in", {"codes"}),
        ('=HYPERLINK("https://linkedin.com/in/ana";"Ana")', {"profiles", "links"}),
        ('=HYPERLINK("x.test","Ana")', {"links"}),
        ("Moinho Ltda", {"names", "companies"}),
        ("Limitada Azul", {"names"}),
        ("+55 (11) 99999-0000", {"phones"}),
        ("(11) 3333-444", {"phones"}),
        ("99999-0000", {"phones"}),
        ("12345678", {"flags"}),
        ("123456789", {"flags"}),
        ("12345-67", set()),
        ("12345-678", set()),
        ("1234567890", {"flags", "dates"}),
        ("12345678901", {"flags"}),
        ("123.456.789-01", set()),
        ("12.345.678-9", set()),
        ("110.042.490.114", set()),
        ("11987654321", {"flags", "mobiles"}),
        ("5511987654321", {"flags", "mobiles"}),
        ("4411987654321", {"flags"}),
        ("11887654321", {"flags"}),
        ("12/03/2024", {"dates"}),
        ("12/2024", set()),
        ("Ana", {"words"}),
        ("ana", set()),
        ("Ana Lima", {"names"}),
        ("ana lima", set()),
        ("A B C D E F", {"names"}),
        ("A B C D E F G", set()),
        ("Ana 2", set()),
        ("D'Ávila", set()),
        ("open", {"codes", "stages"}),
        ("Em andamento", {"names", "stages"}),
        ("Sra.", {"salutations"}),
        ("Sra", {"salutations", "words"}),
        ("sr", {"salutations"}),
        ("Sim", {"flags", "words"}),
        ("x", {"flags"}),
        ("7", {"flags"}),
        ("11", {"flags", "areas"}),
        ("(011)", {"areas"}),
        ("10", {"flags"}),
        ("11 3333-0000 / 11 3333-0001", {"phones"}),
    ],
)
def test_a_cell_is_of_these_kinds_and_no_other(cell: str, kinds: set[str]) -> None:
    found = seen(cell)
    assert {kind for kind, number in found.counts.items() if number} == kinds
    assert all(found.are(kind) for kind in kinds)
    assert (found.filled, found.has_dates) == (1, "dates" in kinds)


def test_a_formula_whose_result_is_lost_is_no_evidence() -> None:
    found = Evidence()
    assert found.add("=A1")
    assert (found.filled, found.is_all_levels) == (0, True)


@pytest.mark.parametrize(("words", "others", "are"), [(1, 0, True), (2, 2, True), (2, 3, False), (0, 0, False)])
def test_a_column_is_of_a_kind_from_half_of_its_cells_on(words: int, others: int, are: bool) -> None:
    assert seen(*["Ana"] * words, *["#1 !"] * others, *["", " ", "-"]).are("words") is are


@pytest.mark.parametrize(
    ("cells", "tells"),
    [
        (["a@x.test"], True),
        (["a@x.test"] * 2, False),
        (["a@x.test", "a@x.test", "b@x.test"], True),
        (["a@x.test", "linkedin.com/in/ana", "linkedin.com/in/ana"], True),
        (["linkedin.com/in/ana"] * 2, False),
        ([], False),
    ],
)
def test_people_are_told_apart_by_more_than_half_of_the_cells(cells: list[str], tells: bool) -> None:
    assert seen(*cells).tells_apart is tells


@pytest.mark.parametrize(
    ("field", "cells", "is_allowed"),
    [
        ("interest_level", ["1", "alto", "0", ""], True),
        ("interest_level", ["0", "nenhum"], False),
        ("interest_level", ["1", "4"], False),
        ("interest_level", [], False),
        ("reply_date", ["12/03/2024", "x"], True),
        ("reply_date", ["12/03/2024", "x", "y"], False),
        ("linkedin", ["linkedin.com/in/ana"], True),
        ("linkedin", ["ana"], False),
        ("message", ["Oi!"], True),
        ("message", ["12/03/2024"], False),
        ("message", ["sim"], False),
        ("role", ["Diretora"], True),
        ("role", ["Sra."], False),
        ("name", ["Sra."], True),
        ("location", [], True),
    ],
)
def test_a_name_that_is_not_sure_is_believed_where_the_cells_allow_it(
    field: str, cells: list[str], is_allowed: bool
) -> None:
    assert seen(*cells).allows(field) is is_allowed


@pytest.mark.parametrize(
    ("cells", "is_month_first", "is_open"),
    [
        (["12/13/2024"], True, False),
        (["13/12/2024"], False, False),
        (["12/12/2024"], False, False),
        (["11/12/2024"], False, True),
        (["11/12/2024", "13/12/2024"], False, False),
        (["11/12/2024", "12/13/2024"], True, False),
        (["12/13/2024", "13/12/2024"], False, False),
        (["11/12/2024", "12/13/2024", "13/12/2024"], False, True),
        (["2024-11-12"], False, False),
    ],
)
def test_the_order_of_day_and_month_is_told_by_what_is_no_month(
    cells: list[str], is_month_first: bool, is_open: bool
) -> None:
    found = seen(*cells)
    assert (found.writes_month_first, found.is_order_open) == (is_month_first, is_open)


def test_beyond_the_sample_only_levels_and_dates_are_looked_at() -> None:
    words = seen(*["Ana"] * (SAMPLE_ROWS - 2))
    assert [words.add("Ana"), words.add("Ana"), words.add("Bia")] == [True, False, False]
    assert (words.filled, words.counts["words"]) == (SAMPLE_ROWS, SAMPLE_ROWS)
    assert seen(*["1"] * SAMPLE_ROWS).add("2")
    assert not seen(*["1"] * SAMPLE_ROWS).add("quente")
    assert seen(*["11/12/2024"] * SAMPLE_ROWS, "12/13/2024").writes_month_first


def test_a_cell_that_comes_again_below_the_sample_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    real = evidence.read_text
    monkeypatch.setattr(evidence, "read_text", lambda cell: looks.append(cell) or real(cell))
    found = seen(*["1"] * SAMPLE_ROWS)
    looks.clear()
    for number in (*range(MOST_KNOWN + 1), 0, MOST_KNOWN - 1, MOST_KNOWN, MOST_KNOWN):
        found.add(f"2{'.' * number}")
    assert len(looks) == MOST_KNOWN + 1 + 2


def test_columns_that_tell_nothing_more_are_not_looked_at_any_more() -> None:
    done, going = seen(*["Ana"] * SAMPLE_ROWS), seen(*["1"] * SAMPLE_ROWS)
    assert look_at([done, going, done], [0, 1, 2], ["Ana", "1"]) == [1, 2]


@pytest.mark.parametrize(
    ("cells", "explains"),
    [
        (["Nome", "E-mail"], True),
        (["Nome", "Texto livre", "Ana", "Bia"], False),
        (["Nome", "E-mail", "Ana"], True),
        (["Nome", "", " "], False),
        (["Ana", "Bia"], False),
    ],
)
def test_a_row_explains_columns_where_more_than_half_of_it_are_names(cells: list[str], explains: bool) -> None:
    assert explains_columns(cells) is explains


def test_a_name_of_a_column_is_read_to_its_longest() -> None:
    assert words_of("a" * MAX_NAME + "b") == ["a" * MAX_NAME]
    assert words_of(f"({'a' * MAX_NAME}") == ["a" * (MAX_NAME - 1)]
    assert (MAX_NAME, MAX_WORDS) == (300, 12)


ROWS = [["Ana", "ana@x.test", "11 9"], ["Bia", "bia@x.test", ""], ["Eva", "x", "Rio"]]


@pytest.mark.parametrize(
    ("cells", "fits", "is_row"),
    [
        (["a", "a@x", "1"], (2, 2), True),
        (["a", "a@x", "b"], (1, 2), True),
        (["a", "b", "c"], (0, 2), False),
        (["a", "b", ""], (0, 1), False),
        (["a", "", ""], (0, 0), True),
        (["a", "a@x"], (1, 1), False),
        (["a", "a@x", "1", "b"], (2, 2), False),
    ],
)
def test_a_row_has_as_many_cells_and_half_of_its_kinds_in_their_places(
    cells: list[str], fits: tuple[int, int], is_row: bool
) -> None:
    shape = Shape.of(3, [*ROWS, ["Lia", "1"], ["Rui", "rui@x.test", "11 8"]])
    assert [index for index, _ in shape.kinds] == [1, 2]
    assert (shape.fitting(cells), shape.is_row(cells)) == (fits, is_row)


@pytest.mark.parametrize(
    ("cell", "is_cut"), [("a@x.test", False), ("\na@x.test\n", False), ("a\nb", True), ("x", False)]
)
def test_a_cell_of_one_kind_is_cut_where_it_goes_over_lines_and_is_not_of_it(cell: str, is_cut: bool) -> None:
    assert Shape.of(3, ROWS).is_cut(["Ana\nBia", cell, ""]) is is_cut


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('"a "b" c", "d"\n', ('a "b" c', "d")),
        ('a,"b" c,d', ("a", '"b" c', "d")),
        ('"a""b",c\\"d\r\n', ('a"b', 'c\\"d')),
        ('"a\\"b",c', ('a"b', "c")),
        (" a ,  b", ("a ", "b")),
        ('a,  "b, c"', ("a", "b, c")),
        ('a,"b', None),
    ],
)
def test_a_quote_ends_a_cell_only_before_a_delimiter(line: str, cells: tuple[str, ...] | None) -> None:
    assert split_leniently(line, ",") == cells


def torn(*widths: int, ends: str | None = 'fim",x') -> list[str | None]:
    """The problems of rows of so many cells; the last has an open quote, behind so much."""
    records = [Record(line, ("x",) * width) for line, width in enumerate(widths, 1)]
    if ends is not None:
        records.append(Record(len(widths) + 1, (ends,), "unclosed_quote"))
    found = list(refuse_torn(iter(records), 3))
    assert [record.line for record in found] == [record.line for record in records]
    return [record.problem for record in found][: len(widths)]


@pytest.mark.parametrize(
    ("widths", "ends", "refused"),
    [
        ((3, 2, 1), 'fim",x', [2, 3]),
        ((3, 2, 3), 'fim",x', []),
        ((2, 3, 2), 'fim",x', []),
        ((3, 2), 'fim" x', []),
        ((3, 2), None, []),
        ((4, 2), 'fim"', [2]),
        ((1,) * (MAX_LINES_OF_BROKEN_ROW + 1), 'fim"', [*range(1, MAX_LINES_OF_BROKEN_ROW + 2)]),
        ((1,) * (MAX_LINES_OF_BROKEN_ROW + 2), 'fim"', []),
    ],
)
def test_short_rows_before_the_other_half_of_a_quote_are_bad(
    widths: tuple[int, ...], ends: str | None, refused: list[int]
) -> None:
    found = torn(*widths, ends=ends)
    assert [line for line, problem in enumerate(found, 1) if problem] == refused
