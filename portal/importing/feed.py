"""Hands the lines of a text to the csv reader, one record after the other, so that they can be read again."""

import io
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from portal.importing.encoding import mend_accents

MAX_LINE = 250_000  # characters of a line; also of a record that goes over several
MAX_RECORD_LINES = 500  # a quoted cell that goes on for longer was never closed
# How much is read between two signs that reading goes on, in characters, and what a line counts for besides its own.
TURN, TURN_OF_LINE = 2_000_000, 200


@dataclass(slots=True)
class Attempt:
    """What came of reading a record: its cells or what is wrong, and the lines that it took."""

    line: int
    lines: list[str]
    cells: Sequence[str] = ()
    problem: str | None = None


class NotOneRecord(Exception):
    """What was read is no record."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Feed:
    """Hands lines to the csv reader and keeps those of the record under way, so that they can be read again."""

    def __init__(self, text: io.TextIOWrapper, skip: int) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._attempt = Attempt(0, [])
        self._size = self._taken = 0
        self.line = 0  # the number of the last line that was handed out
        self.skip(skip)
        self._taken = 0

    def has_turned(self) -> bool:
        """Whether it is long since this was last so."""
        if self._taken < TURN:
            return False
        self._taken = 0
        return True

    def begin(self) -> Attempt:
        """The next line begins a record."""
        self._attempt, self._size = Attempt(self.line + 1, []), 0
        return self._attempt

    def skip(self, count: int) -> None:
        """Pass over the next lines."""
        for _ in range(count):
            self._take()

    def push_back(self, lines: Sequence[str]) -> None:
        """The last lines are to be handed out again."""
        self._again.extendleft(reversed(lines))
        self.line -= len(lines)

    def look_ahead(self, count: int) -> tuple[list[str], bool]:
        """The next lines, which are handed out again, and whether the file, or what can be read of it, ends there."""
        lines: list[str] = []
        size, is_end = 0, False
        while len(lines) < count and size <= MAX_LINE and not is_end:
            line = self._take()
            is_end = not line
            if line and len(line) < MAX_LINE:
                lines.append(line)
                size += len(line)
            elif line:
                self.push_back([line])
                is_end = True
        self.push_back(lines)
        return lines, is_end

    def __iter__(self) -> "Feed":
        return self

    def __next__(self) -> str:
        lines = self._attempt.lines
        if len(lines) == MAX_RECORD_LINES or self._size > MAX_LINE:
            raise NotOneRecord("unclosed_quote")
        line = self._take()
        if not line:
            if lines:
                raise NotOneRecord("unclosed_quote")
            raise StopIteration
        self._size += len(line)
        lines.append(line)
        if len(line) == MAX_LINE:
            raise NotOneRecord("line_too_long" if len(lines) == 1 else "unclosed_quote")
        return line

    def _take(self) -> str:
        """The next line, cut at `MAX_LINE` characters; empty at the end."""
        if self._again:
            line = self._again.popleft()
        else:
            line = mend_accents(self._text.readline(MAX_LINE))
            if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
                skip_line(self._text)
        self.line += bool(line)
        self._taken += TURN_OF_LINE + len(line)
        return line


def skip_line(text: io.TextIOWrapper) -> None:
    """Pass over what is left of a line that was cut."""
    while (rest := text.readline(MAX_LINE)) and not rest.endswith(("\n", "\r")):
        pass
