"""Formulas that stand in a file without what came of them, as programs write them that do not calculate."""

from portal.contacts.items import InvalidContact
from portal.importing.cells import Note, is_formula
from portal.importing.headings import NAMES, Cells


def without_formulas(said_of: Cells) -> tuple[Cells, list[Note]]:
    """The cells that say something, and notes of formulas. Raises InvalidContact when the name is only a formula."""
    likely = [(field, cell) for field, cells in said_of.items() for cell in cells if cell[1][0] == "="]
    lost = [(field, cell) for field, cell in likely if is_formula(cell[1])]
    if not lost:
        return said_of, []
    kept = {field: [cell for cell in cells if not is_formula(cell[1])] for field, cells in said_of.items()}
    said_of = {field: cells for field, cells in kept.items() if cells}
    if not said_of.keys() & set(NAMES) and any(field in NAMES for field, _ in lost):
        raise InvalidContact("contact.name", "formula")
    return said_of, [Note(f"contact.{field}", "formula", *cell) for field, cell in lost]
