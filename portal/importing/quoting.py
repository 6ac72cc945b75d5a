"""The cells of lines whose quotes are not as they should be."""

import csv
from collections.abc import Sequence

MAX_COLUMNS = 500


def unwrap(cells: Sequence[str], delimiter: str) -> Sequence[str] | None:
    """The cells within the only one of a row: what a program saves that took another delimiter."""
    if len(cells) != 1 or delimiter not in cells[0]:
        return None
    try:
        return next(csv.reader([cells[0]], delimiter=delimiter, strict=True, skipinitialspace=True), None)
    except csv.Error:
        return None


def split_leniently(line: str, delimiter: str) -> tuple[str, ...] | None:
    """The cells of a line where a quote ends a cell only before a delimiter; None when one is never ended.

    A cell that only begins with a word in quotes is none in quotes: `"Boa" Padaria`.
    """
    cells: list[str] = []
    rest = line.rstrip("\r\n") + delimiter
    while rest and len(cells) <= MAX_COLUMNS:
        rest = rest.lstrip(" ")
        plain = rest.partition(delimiter)[0]
        is_quoted = plain.startswith('"') and (plain.count('"') % 2 == 1 or plain.endswith('"'))
        cell, found, rest = rest[is_quoted:].partition('"' + delimiter if is_quoted else delimiter)
        if not found:
            return None
        cells.append(cell.replace('""', '"').replace('\\"', '"') if is_quoted else cell)
    return tuple(cells)
