"""The shape of a table's rows: how many cells they have, and what kinds of them stand where.

It tells a row from a line of prose inside a cell, where quotes are broken and do not tell.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = tuple(
    re.compile(pattern)
    for pattern in (r"[^\s@]+@[^\s@]+", r"(?=\S+\Z)\S*(?:://|\.com/|www\.)\S*", r"[+(]?\d[\d\s()+./:,-]*")
)
"""An e-mail, an address, a number or a date."""


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

    @property
    def is_telling(self) -> bool:
        """Whether a line of prose is not likely to have this shape."""
        return self.width > 2 or bool(self.kinds)

    def is_row(self, cells: Sequence[str]) -> bool:
        """Whether cells have this shape: their number, and more of the kinds where they belong than not."""
        fitting, filled = self.fitting(cells)
        return len(cells) == self.width and fitting * 2 >= filled

    def holds_others(self, cells: Sequence[str], delimiter: str) -> bool:
        """Whether a cell goes over lines and holds what parts cells, where it should be of one kind or a row begins."""
        long = {index: cell for index, cell in enumerate(cells) if delimiter in cell and ("\n" in cell or "\r" in cell)}
        is_odd = any(index in long and not kind.fullmatch(long[index]) for index, kind in self.kinds)
        return is_odd or any(self._begins(line, delimiter) for cell in long.values() for line in cell.splitlines()[1:])

    def _begins(self, line: str, delimiter: str) -> bool:
        """Whether a row of this shape seems to begin with the line: two cells or more are of their kinds."""
        fitting, filled = self.fitting(line.split(delimiter)[:-1])
        return 1 < fitting == filled

    def fitting(self, cells: Sequence[str]) -> tuple[int, int]:
        """How many cells of the columns of one kind are of it, and how many are filled."""
        filled = [
            (kind, cells[index].strip()) for index, kind in self.kinds if index < len(cells) and cells[index].strip()
        ]
        return sum(kind.fullmatch(cell) is not None for kind, cell in filled), len(filled)


def _kind_of(cells: Sequence[str]) -> re.Pattern[str] | None:
    return next((kind for kind in KINDS if sum(map(bool, map(kind.fullmatch, cells))) * 2 > len(cells)), None)
