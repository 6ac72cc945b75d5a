"""What a person types to find a contact."""

import re
from functools import reduce
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, func, or_

from portal.models import Contact
from portal.rules.folding import fold

MOST_WORDS = 12
WRITTEN_BETWEEN = " ()-.+/"
"""What people write between the digits of a phone number."""
FEW_DIGITS = 4
"""With fewer, hardly anybody means a phone."""

_dialled: ColumnElement[Any] = reduce(
    lambda text, mark: func.replace(text, mark, ""), WRITTEN_BETWEEN, cast(ColumnElement[Any], Contact.phone)
)


def is_found_by(search: str) -> ColumnElement[bool]:
    """Every word stands in the contact's name, e-mail, LinkedIn id or company, in any order; or it is of its phone."""
    words = [Contact.search_text.contains(word, autoescape=True) for word in fold(search).split()[:MOST_WORDS]]
    digits = re.sub(f"[{re.escape(WRITTEN_BETWEEN)}]", "", search)
    is_named = and_(*words) if words else Contact.search_text.contains(fold(search), autoescape=True)
    if len(digits) < FEW_DIGITS or not (digits.isascii() and digits.isdecimal()):
        return is_named
    return or_(is_named, _dialled.contains(digits))
