"""Columns of counts that stand above one another: numbers in, places in per cent out; the template draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from portal.web.charts import GAP, height_of, round_up


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


def _segments(counts: Mapping[str, float], top: int) -> list[Segment]:
    segments, y = [], 100.0
    for kind, count in counts.items():
        if count:
            height = min(height_of(count, top), y)
            y -= height
            segments.append(Segment(kind, y, height))
    return segments
