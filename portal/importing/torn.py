"""Rows in several lines: of a cell that has no quotes, or whose first quote was lost.

They look like short rows, until the rest of the row or the other quote comes.
"""

from collections.abc import Iterator

from portal.importing.broken import ENDING
from portal.importing.reading import MAX_LINES_OF_BROKEN_ROW, Record
from portal.importing.shape import Shape


def join_broken(records: Iterator[Record | None], shape: Shape) -> Iterator[Record | None]:
    """The records of a table; two short ones that are one row in two lines, for lack of quotes, as one."""
    held: Record | None = None
    for record in records:
        if record is None:
            yield None
            continue
        whole = _joined(held, record, shape) if held else None
        if held and whole is None:
            yield held
        record, held = whole or record, None
        if record.problem is None and 1 < len(record.cells) < shape.width:
            held = record
        else:
            yield record
    if held:
        yield held


def _joined(above: Record, below: Record, shape: Shape) -> Record | None:
    """The row that both are, with the broken cell in one; None unless what is below fits nothing by itself."""
    if below.problem or len(above.cells) + len(below.cells) != shape.width + 1:
        return None
    *before, first = above.cells
    last, *after = below.cells
    cells = (*before, f"{first} {last}".strip(), *after)
    fitting, filled = shape.fitting(cells)
    if shape.fitting(below.cells)[0] or not fitting == filled > shape.fitting(above.cells)[1]:
        return None
    return above._replace(cells=cells, goes_on=below.line)


def refuse_torn(records: Iterator[Record | None], width: int) -> Iterator[Record | None]:
    """The records of a table; short rows are bad where a quote that ends a cell follows them, as is a short one of it.

    In a table that has had such rows they are rows, whatever follows.
    """
    held: list[Record] = []
    is_usual = width < 3
    for record in records:
        if record is None:
            yield None
            continue
        is_short = record.problem is None and len(record.cells) < width
        if held and record.problem in (None, "unclosed_quote") and ENDING.match(record.cells[0]):
            yield from map(_torn, held)
            record, held = _torn(record) if is_short else record, []
        elif not is_usual and is_short:
            held.append(record)
            is_usual = len(held) > MAX_LINES_OF_BROKEN_ROW
        elif held:
            yield from held
            is_usual, held = True, []
        if not held:
            yield record
    yield from held


def _torn(record: Record) -> Record:
    return record._replace(problem="unclosed_quote")
