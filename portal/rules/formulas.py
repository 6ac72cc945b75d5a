"""Cells that a spreadsheet would take for formulas: an apostrophe leads them on the way out, and goes on the way in."""

# What a cell begins with that a spreadsheet takes for a formula, full-width forms included (OWASP, CSV injection).
FORMULA_STARTS = tuple("=+-@\t\r\n\0＝＋－＠")


def guard(cell: str) -> str:
    """The cell as text and nothing else."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA_STARTS) else cell


def unguard(cell: str) -> str:
    """The reverse of `guard`, whatever the cell holds."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA_STARTS) else cell
