"""Columns of counts that stand above one another: numbers in, places in per cent out; the template draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil

GAP = 0.3
"""The part of a column's place that stays free."""
SMALLEST = 3.0
"""Per cent of the height: one failure among hundreds is still seen."""


@dataclass(frozen=True)
class Segment:
    """A part of a column, of one kind, in per cent of the plot."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """A column with its place in per cent; `number` is which one it is."""

    number: int
    x: float
    width: float
    segments: Sequence[Segment]

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True)
class Stack:
    """Columns in a row, `top` being the number at the plot's upper edge."""

    columns: Sequence[Column]
    top: int


def stack(counts: Sequence[Mapping[str, float]], *, top: int | None = None) -> Stack | None:
    """Place the columns, their kinds from below; None when all counts are 0."""
    most = max((sum(each.values()) for each in counts), default=0)
    if not most:
        return None
    top, step = top or round_up(ceil(most)), 100 / len(counts)
    columns = [
        Column(number, number * step + step * GAP / 2, step * (1 - GAP), _segments(each, top))
        for number, each in enumerate(counts)
    ]
    return Stack(columns, top)


def round_up(number: int) -> int:
    """The next number of the row 2, 4, 6, 8, 10, 20, 40 ...: its half is a whole number too."""
    size = 1
    while number > 10 * size:
        size *= 10
    return next(step * size for step in (2, 4, 6, 8, 10) if step * size >= number)


def _segments(counts: Mapping[str, float], top: int) -> list[Segment]:
    """The parts of a column from below; the highest gives way where others are drawn higher than they are."""
    heights = {kind: max(SMALLEST, 100 * count / top) for kind, count in counts.items() if count}
    if (excess := sum(heights.values()) - 100) > 0:
        heights[max(heights, key=lambda kind: heights[kind])] -= excess
    ends = accumulate(heights.values())
    return [Segment(kind, 100 - end, height) for (kind, height), end in zip(heights.items(), ends, strict=True)]
