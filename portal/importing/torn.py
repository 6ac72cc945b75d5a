"""Lines of a cell whose first quote was lost: they look like short rows, until its other quote comes."""

import re
from collections.abc import Iterator

from portal.importing.reading import MAX_LINES_OF_BROKEN_ROW, Record

ENDING = re.compile(r'[^"]*" *(?:[,;\t|\r\n]|$)')
"""A line whose first quote ends a cell."""


def refuse_torn(records: Iterator[Record], width: int) -> Iterator[Record]:
    """The records of a table; short rows are bad where a quote that ends a cell follows them.

    In a table that has had such rows they are rows, whatever follows.
    """
    held: list[Record] = []
    is_usual = width < 3
    for record in records:
        if not is_usual and record.problem is None and len(record.cells) < width:
            held.append(record)
            is_usual = len(held) > MAX_LINES_OF_BROKEN_ROW
        elif held:
            is_torn = record.problem == "unclosed_quote" and ENDING.match(record.cells[0]) is not None
            yield from (each._replace(problem="unclosed_quote") for each in held) if is_torn else held
            is_usual = is_usual or not is_torn
            held = []
        if not held:
            yield record
    yield from held
