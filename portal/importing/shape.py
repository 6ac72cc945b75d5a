"""The shape of a table's rows: how many cells they have, and what kinds of them stand where.

It tells a row from a line of prose inside a cell, where quotes are broken and do not tell.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# An e-mail, an address, a number or a date.
KINDS = tuple(
    re.compile(pattern)
    for pattern in (r"[^\s@]+@[^\s@]+", r"(?=\S+\Z)\S*(?:://|\.com/|www\.)\S*", r"[+(]?\d[\d\s()+./:,-]*")
)
LONGEST_START = 10_000  # characters of a line by which it is told


@dataclass(frozen=True, slots=True)
class Shape:
    """The number of a row's cells, and the kinds of those that are mostly of one."""

    width: int
    kinds: tuple[tuple[int, re.Pattern[str]], ...] = ()

    @classmethod
    def of(cls, width: int, rows: Sequence[Sequence[str]]) -> "Shape":
        """The shape that most of these rows have."""
        whole = [row for row in rows if len(row) == width]
        columns = [[cell for row in whole if (cell := row[index].strip())] for index in range(width)]
        return cls(width, tuple((index, kind) for index, cells in enumerate(columns) if (kind := _kind_of(cells))))

    def is_row(self, cells: Sequence[str]) -> bool:
        """Whether cells have this shape: their number, and more of the kinds where they belong than not."""
        fitting, filled = self.fitting(cells)
        return len(cells) == self.width and fitting * 2 >= filled

    def is_cut(self, cells: Sequence[str]) -> bool:
        """Whether a cell goes over lines that should be of one kind, and is not."""
        return any(
            "\n" in (cell := cells[index].strip()) or "\r" in cell
            for index, kind in self.kinds
            if index < len(cells) and not kind.fullmatch(cells[index].strip())
        )

    def is_whole(self, line: str, delimiter: str) -> bool:
        """Whether a line would be a row if its quotes were not there, and no prose: every cell of a kind is of it."""
        cells = line[:LONGEST_START].replace('"', "").rstrip("\r\n").split(delimiter)
        fitting, filled = self.fitting(cells)
        is_told = 0 < fitting == filled if self.kinds else all(cells)
        return len(cells) == self.width > 1 and is_told and not any(cell.startswith(" ") for cell in cells)

    def fitting(self, cells: Sequence[str]) -> tuple[int, int]:
        """How many cells of the columns of one kind are of it, and how many are filled."""
        filled = [
            (kind, cells[index].strip()) for index, kind in self.kinds if index < len(cells) and cells[index].strip()
        ]
        return sum(kind.fullmatch(cell) is not None for kind, cell in filled), len(filled)


def _kind_of(cells: Sequence[str]) -> re.Pattern[str] | None:
    return next((kind for kind in KINDS if sum(map(bool, map(kind.fullmatch, cells))) * 2 > len(cells)), None)
