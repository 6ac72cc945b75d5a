"""Lines among which quotes are broken, cut into rows so that the least is lost and the least is made up.

Every way to cut them is weighed at once: a row as it should be costs nothing, an odd one something, a broken one most.
So the rows behind a broken one tell which lines it took, and not its own quotes.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from portal.importing.quoting import split_leniently, unwrap
from portal.importing.shape import Shape

ENDING = re.compile(r'[^"]*" *(?:[,;\t|\r\n]|$)')  # a line whose first quote ends a cell
# What a way costs for each row of these kinds.
BROKEN, MORE_OF_BROKEN = 10.0, 0.01  # for its first line, and for each further one
LOST_ROW, LOST_LINES, LOST_SHORT_ROW = 11.0, 9.0, 3.0  # a row, in one line or several, or a short one, that it took
WITHIN = 5.0  # what it costs more where its first line looks like no beginning of a row
MENDED, LOST_MENDED = 5.0, 6.0  # a row of one line whose quotes can be put right, and one that a broken row took
SWALLOWING = 30.0  # a row over several lines that has the lines of others in it
UNFINISHED = 2.5  # a row that goes on beyond the lines that are looked at
MISFIT, NEARLY, TOO_LONG = 5.0, 1.0, 2.0
SHORT, UNSURE, SHORT_MISFIT = 2.0, 4.0, 7.0  # rows with too few cells: those fit, nothing tells, or they do not
ODD_QUOTES, SHORT_LINES, ODD_LINES = 12.0, 4.0, 3.0  # what is more for quotes that are not even, or several lines


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines that are one row: its cells, or None where it is broken."""

    lines: int
    cells: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class _Way:
    """The cheapest way to the end of a line: what it costs, where its last piece begins, that piece and its price."""

    cost: float
    begin: int
    cells: Sequence[str] | None = None
    last: float = BROKEN


@dataclass(slots=True)
class _Run:
    """A broken row under way. `is_odd`: it has the quote that broke it.

    From line `apart_until` on, an earlier one pays no more for what it takes than this one.
    """

    begin: int
    cost: float
    apart_until: int
    is_odd: bool = False


COST: Callable[[_Run], float] = attrgetter("cost")


class _RanOut(Exception):
    """A row does not end within the lines."""


def row_cost(cells: Sequence[str], lines: Sequence[str], delimiter: str, shape: Shape, *, takes_short: bool) -> float:
    """What a row costs that a strict reader reads from these lines; nothing where it is as it should be."""
    fitting, filled = shape.fitting(cells)
    is_long = len(lines) > 1
    if len(cells) < shape.width:
        return _short_cost(cells, lines, fitting, filled, takes_short=takes_short)
    if is_long and all(shape.is_whole(lines[place], delimiter) for place in (0, -1)):
        return SWALLOWING
    cost = 0.0 if fitting == filled and not shape.is_cut(cells) else NEARLY if fitting * 2 >= filled else MISFIT
    if is_long:
        cost *= ODD_LINES
    return cost + TOO_LONG if any(map(str.strip, cells[shape.width :])) else cost


def _short_cost(cells: Sequence[str], lines: Sequence[str], fitting: int, filled: int, *, takes_short: bool) -> float:
    is_plain = len(lines) == 1 and '"' not in lines[0]
    if is_plain and (takes_short or not any(map(str.strip, cells))):
        return 0.0
    cost = UNSURE if filled == 0 else SHORT if fitting == filled else SHORT_MISFIT
    if len(lines) > 1:
        return cost + SHORT_LINES if cost < SHORT_MISFIT else SWALLOWING
    return cost + ODD_QUOTES * (lines[0].count('"') % 2)


def _promising(runs: Sequence[_Run], place: int) -> list[_Run]:
    """The broken rows under way that may still be the cheapest: no earlier one costs as little and goes on alike."""
    kept: list[_Run] = []
    most = min(map(COST, runs), default=0.0) + LOST_ROW + WITHIN
    least = least_odd = float("inf")
    for run in runs:
        is_behind = run.cost >= (least_odd if run.is_odd else least) and run.apart_until <= place
        if run.cost <= most and not is_behind:
            kept.append(run)
            least = min(least, run.cost)
            least_odd = min(least_odd, run.cost) if run.is_odd else least_odd
    return kept


class Cut:
    """Lines cut into rows. `is_end` says that the file ends with them, `takes_short` that its rows may be short."""

    def __init__(self, lines: Sequence[str], delimiter: str, shape: Shape, *, is_end: bool, takes_short: bool) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._shape = shape
        self._is_end = is_end
        self._takes_short = takes_short
        self._losses: list[list[tuple[int, float]]] = [[] for _ in lines]
        self._priced_until = 0  # the end of what may be lost of the rows that were looked at
        self._ways: list[_Way | None] = [_Way(0.0, 0), *[None] * len(lines)]

    def pieces(self) -> list[Piece]:
        """The rows up to where they are sure, or as far as the lines go."""
        runs: list[_Run] = []
        for place in range(len(self._lines)):
            way = self._ways[place]
            if way and self._is_sure(place, way, runs):
                return self._back(place)
            if way and self._lines[place].strip():
                cost = way.cost + BROKEN - MORE_OF_BROKEN + WITHIN * self._is_within(place)
                runs.append(_Run(place, cost, self._priced_until))
            is_odd = self._add_rows(place, way)
            self._go_on(runs, place, is_odd=is_odd)
            runs = _promising(runs, place + 1)
        return self._back(len(self._lines))

    def _go_on(self, runs: Sequence[_Run], place: int, *, is_odd: bool) -> None:
        """Let each broken row under way take a line, and offer the cheapest that may end there."""
        losses = self._losses[place]
        for run in runs:
            run.cost += MORE_OF_BROKEN
            run.is_odd = run.is_odd or is_odd
            for begin, loss in losses:
                if begin >= run.begin:
                    run.cost += loss
        if least := min((run for run in runs if run.is_odd), key=COST, default=None):
            self._offer(place + 1, _Way(least.cost, least.begin))

    def _is_sure(self, place: int, way: _Way, runs: Sequence[_Run]) -> bool:
        """Whether all that costs as little goes through here: behind two rows that are as they should be."""
        return (
            self._is_whole(way)
            and self._is_whole(self._above(way.begin))
            and all(run.cost > way.cost for run in runs)
            and all(each is None or each.cost > way.cost for each in self._ways[place + 1 :])
        )

    def _is_whole(self, way: _Way | None) -> bool:
        return way is not None and way.last == 0 and way.cells is not None and len(way.cells) >= self._shape.width

    def _above(self, place: int) -> _Way | None:
        """The way to a line, or to that above it where empty ones are between."""
        while place and (way := self._ways[place]) and way.last == 0 and not way.cells:
            place = way.begin
        return self._ways[place]

    def _add_rows(self, place: int, way: _Way | None) -> bool:
        """Offer the rows that may begin at a line. Returns whether its quotes are odd."""
        line = self._lines[place]
        is_odd = line.count('"') % 2 > 0
        try:
            cells, count = self._parse(place)
        except _RanOut:
            is_odd = True
            if way and not self._is_end and way.cost + UNFINISHED < self._cost_at(len(self._lines)):
                self._offer(len(self._lines), _Way(way.cost + UNFINISHED, place, (), UNFINISHED))
        except csv.Error:
            is_odd = True
        else:
            lines = self._lines[place : place + count]
            cost = self._price(cells, lines)
            if cost and count > 1 and self._is_row(place + count - 1):
                cost = SWALLOWING
            self._add_loss(place, count, self._loss(cells, cost, count))
            if way:
                self._offer(place + count, _Way(way.cost + cost, place, cells, cost))
        mended = split_leniently(line, self._delimiter) if '"' in line and not ENDING.match(line) else None
        if mended and self._shape.is_row(mended):
            self._add_loss(place, 1, LOST_MENDED)
            if way:
                self._offer(place + 1, _Way(way.cost + MENDED, place, mended, MENDED))
        return is_odd

    def _price(self, cells: Sequence[str], lines: Sequence[str]) -> float:
        return row_cost(cells, lines, self._delimiter, self._shape, takes_short=self._takes_short)

    def _is_row(self, place: int) -> bool:
        """Whether a line is a row as it should be by itself."""
        try:
            cells, count = self._parse(place)
        except (_RanOut, csv.Error):
            return False
        return (
            count == 1 and len(cells) >= self._shape.width and self._price(cells, self._lines[place : place + 1]) == 0
        )

    def _add_loss(self, place: int, count: int, loss: float) -> None:
        if loss:
            self._losses[place + count - 1].append((place, loss))
            self._priced_until = max(self._priced_until, place + count)

    def _is_within(self, place: int) -> bool:
        """Whether a line looks as if it began within a cell."""
        cells = self._lines[place].replace('"', "").rstrip("\r\n").split(self._delimiter)
        fitting, filled = self._shape.fitting(cells)
        return bool(self._shape.kinds) and not fitting == filled > 0

    def _loss(self, cells: Sequence[str], cost: float, count: int) -> float:
        fitting, filled = self._shape.fitting(cells)
        if cost <= NEARLY * ODD_LINES and len(cells) >= self._shape.width:
            return (LOST_ROW if count == 1 else LOST_LINES) - cost
        if count > 1:  # no less than by itself: many of them are not one broken row
            return cost if cost < SWALLOWING and len(cells) > 1 else 0.0
        return LOST_SHORT_ROW if len(cells) > 1 and fitting == filled > 0 else 0.0

    def _parse(self, place: int) -> tuple[Sequence[str], int]:
        """The row that begins at a line, read strictly, and its number of lines. Raises csv.Error and _RanOut."""
        reader = csv.reader(self._until_end(place), delimiter=self._delimiter, strict=True, skipinitialspace=True)
        cells: Sequence[str] = next(reader)
        inner = unwrap(cells, self._delimiter) if len(cells) < self._shape.width else None
        return inner if inner and len(inner) == self._shape.width else cells, reader.line_num

    def _until_end(self, place: int) -> Iterator[str]:
        for number in range(place, len(self._lines)):
            yield self._lines[number]
        raise _RanOut

    def _cost_at(self, place: int) -> float:
        way = self._ways[place]
        return way.cost if way else float("inf")

    def _offer(self, place: int, way: _Way) -> None:
        if way.cost < self._cost_at(place):
            self._ways[place] = way

    def _back(self, place: int) -> list[Piece]:
        """The pieces of the cheapest way to a line, but for one that goes on behind the lines."""
        found: list[Piece] = []
        while place and (way := self._ways[place]):
            if way.last != UNFINISHED:
                found.append(Piece(place - way.begin, None if way.last == BROKEN else way.cells))
            place = way.begin
        return found[::-1]
