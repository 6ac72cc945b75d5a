"""Rows below the header that explain the columns, and are no contacts: what is required, kinds, technical names."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portal.importing.naming import known_names, words_of
from portal.importing.vocabulary import EXPLAINING, FILLING, NAMING

WITHIN_LINES = 12  # how far below the header such a row may stand
NAMES = ("name", "first_name", "middle_name", "last_name")
# How the name begins in a row of a template that shows how to fill it in. `Ex.mo Sr.` and `Ex. Sra.` are titles.
EXAMPLE = re.compile(
    r"\(?(?:(?:por )?(?:exemplo|example|ejemplo)(?: ?:|\.|\)|$)|(?:p\. ?)?ex\.? ?:|p\. ?ex\.|(?-i:[Ee]\.g\.)"
    r"|(?<=\()ex\.?\))",
    re.IGNORECASE,
)
EXAMPLE_EMAIL = re.compile(r"(?:exemplo|example|ejemplo|sample|nome|name|seu[._-]?e?-?mail|your[._-]?e?-?mail)@")

Cells = Mapping[str, Sequence[tuple[int, str]]]  # the filled cells of each field, with their columns
# A fact, the field of its columns, what reads a cell, and the problem of one that cannot be read.
Reader = tuple[str, str, Callable[..., Any], str]


def explains_columns(cells: Sequence[str]) -> bool:
    """Whether most cells are names of columns, or words that say of which kind a column is."""
    filled = list(filter(None, map(str.strip, cells)))
    return len(filled) > 1 and sum(map(_is_label, filled)) * 2 > len(filled)


def is_example(fields: Cells) -> bool:
    """Whether a row says in place of a name that it is an example: `Ex.: Maria Silva`. A last name alone may be one."""
    first = next((cells[0][1] for field in NAMES if (cells := fields.get(field))), "")
    return EXAMPLE.match(first) is not None


def is_example_email(address: str | None) -> bool:
    """Whether an address is one that templates show: `exemplo@empresa.com`."""
    return address is not None and EXAMPLE_EMAIL.match(address) is not None


def is_explanation(fields: Cells, readers: Sequence[Reader]) -> bool:
    """Whether a row holds nobody: its name is the name of a column, and half of the rest says nothing of a person.

    A row with an e-mail, a profile, a phone, a date or a level is always somebody's.
    """
    names = [text for field in NAMES for _, text in fields.get(field, ())]
    rest = [(field, text) for field, cells in fields.items() if field not in NAMES for _, text in cells]
    if not rest:  # the rest of a name that goes on below it: `(opcional)`
        return all(_is_of_kind(words_of(text)) for text in names)
    if not names or not all(map(_is_name_label, names)):
        return False
    readable = {field: read for _, field, read, _ in readers}
    odd = 0
    for field, text in rest:
        is_odd = _is_label(text)
        if field in readable and not is_odd:
            if is_read(field, readable[field], text):
                return False
            is_odd = True
        odd += is_odd
    return odd * 2 >= len(rest)


def is_read(field: str, read: Callable[..., Any], text: str) -> bool:
    """Whether a cell is of its column's kind, and not a sentence that shows how one looks, or a word for an id."""
    mark = {"linkedin": "/", "email": "@"}.get(field, "")
    try:
        return mark in text.split()[0] and read(text) is not None
    except ValueError:
        return False


def _is_label(text: str) -> bool:
    return known_names([text]) > 0 or _is_of_kind(words_of(text))


def _is_name_label(text: str) -> bool:
    words = words_of(text)
    return not NAMING.isdisjoint(words) if known_names([text]) else _is_of_kind(words)


def _is_of_kind(words: Sequence[str]) -> bool:
    return bool(words) and EXPLAINING.issuperset(set(words) - FILLING) and not FILLING.issuperset(words)
