"""Tables as CSV that a spreadsheet opens without running anything in them."""

import csv
import io
from collections.abc import Sequence

FORMULA_STARTS = tuple("=+-@\t\r\n\0＝＋－＠")
"""What a cell begins with that a spreadsheet takes for a formula, full-width forms included (OWASP, CSV injection)."""


def write_row(cells: Sequence[str], *, delimiter: str = ",") -> str:
    """One row (RFC 4180), each cell that looks like a formula led by an apostrophe."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter).writerow([guard_cell(cell) for cell in cells])
    return line.getvalue()


def guard_cell(cell: str) -> str:
    """The cell as text and nothing else."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
