"""The number of a row, as the path or the query of an address, or a form, holds it."""

import re

from werkzeug.routing import IntegerConverter, Map

DIGITS = 18
"""The most that a row's number can have: the databases refuse to compare with what 64 bits do not hold."""


class RowNumber(IntegerConverter):
    """A row's number in a path; one that no row can have is no address, whatever the method."""

    regex = f"[0-9]{{1,{DIGITS}}}"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=10**DIGITS - 1)


def row_number(text: str) -> int:
    """A row's number in a query or a form. Raises ValueError for one that no row can have."""
    if not re.fullmatch(RowNumber.regex, text):
        raise ValueError(f"{text[:40]!r} is no row's number")
    return int(text)
