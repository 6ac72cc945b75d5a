"""What a row says beyond what a contact takes of it: told in notes, since nothing of a file is lost without a word."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portal.importing.cells import SEVERAL_VALUES, Note, has_more_emails, has_more_phones, read_label, split_mailbox
from portal.importing.headings import NAMES, Cells
from portal.importing.reading import MAX_CELL
from portal.rules.folding import fold
from portal.rules.identity import says_nothing

# Facts of which a row may hold several, in a cell or in columns, what sees that, and what is said of it.
MORE_THAN_ONE = (("email", has_more_emails, "first_email"), ("phone", has_more_phones, "first_phone"))
# The fields of which a cell's first value alone is not all that is looked at.
READ_WHOLE = frozenset(("email", "phone", "message"))
# Facts that enter as they are written, but for an e-mail behind them.
TEXTS = ("current_company", "role", "location")
# The fields of whose columns the first that is filled in a row is the one that enters, as it is written.
FIRST = frozenset((*NAMES[:-1], *TEXTS, "city", "state", "country", "campaign", "campaign_description", "owner_name"))
# The fields that may be as long as a cell is read.
LONG = frozenset(("message", "campaign_description"))


def note_others(said_of: Cells, facts: Mapping[str, Any], beside_name: str) -> Iterator[Note]:
    """Notes of further e-mails and phones; `beside_name` is the e-mail that stands with the name, or empty."""
    for name, has_more, problem in MORE_THAN_ONE:
        texts = [text for _, text in said_of.get(name, ())]
        text = " / ".join([*texts, beside_name] if name == "email" and beside_name else texts)
        if has_more(text, facts.get(name)):
            yield Note(f"contact.{name}", problem, None, text)


def note_other_columns(said_of: Cells) -> Iterator[Note]:
    """Notes of further columns of a field that have words which the first one lacks."""
    for field, (first, *others) in said_of.items():
        if others and field in FIRST:
            known = _words_of(first[1])
            for column, text in others:
                if not (_words_of(text) <= known or says_nothing(text)):
                    yield Note(f"contact.{field}", "first_value", column, text)


def _words_of(text: str) -> set[str]:
    return set(fold(read_label(text)).split())


def note_cut_short(said_of: Cells, written: Sequence[str]) -> Iterator[Note]:
    """Notes of cells with several values, and of those that are cut; `written` are the cells as they were read."""
    for field, cells in said_of.items():
        for column, text in cells:
            is_mailbox = field in TEXTS and split_mailbox(text)[1]
            if is_mailbox or (SEVERAL_VALUES in text and field not in READ_WHOLE):
                yield Note(f"contact.{field}", "first_value", column, text)
            if field in LONG and len(written[column]) >= MAX_CELL:
                yield Note(f"contact.{field}", "too_long", column, text)
