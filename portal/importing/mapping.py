"""Where each column goes: as it was recognised, as somebody chose, and as was chosen before for the same header."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from portal import outbox
from portal.importing.columns import FIELDS, NAMES
from portal.importing.encoding import FileProblem, NoName, UnknownName
from portal.importing.order import Order
from portal.importing.words import column_names
from portal.rules.folding import fold
from portal.working_models import ColumnMapping

UNNAMED = ("Coluna", "Column")


def choose(order: Order, columns: Sequence[str | None]) -> Order:
    """The order with these fields. Those that differ from before are somebody's choice."""
    pairs = enumerate(zip(columns, order.columns, strict=True))
    chosen = {str(index): field for index, (field, before) in pairs if field != before}
    return replace(order, columns=tuple(columns), choices={**order.choices, **chosen})


def choose_by_name(order: Order, fields: Sequence[tuple[str, str]], left_out: Sequence[str]) -> Order:
    """The order with fields for some columns, and others left out. Raises FileProblem for what does not exist.

    A field that is given to a column is taken from those that were only recognised.
    """
    if not fields and not left_out:
        return order
    if not order.layout.header:
        raise FileProblem("no_columns")
    given = {field for _, field in fields}
    if unknown := given - set(FIELDS):
        raise UnknownName("no_such_field", min(unknown), FIELDS)
    columns: list[str | None] = [None if field in given else field for field in order.columns]
    asked: list[tuple[str, str | None]] = [*fields, *((name, None) for name in left_out)]
    for name, choice in asked:
        for index in _columns_called(order.layout.header, name):
            columns[index] = choice
    return choose(order, columns)


def require_name(order: Order) -> None:
    """Raises NoName where no column of a table goes to the contact's name."""
    if order.layout.delimiter is None or NAMES & set(order.columns):
        return
    columns = column_names(order.layout.header)
    likely = [name for name, offer in zip(columns, order.offers, strict=True) if offer == "name"]
    raise NoName(columns, likely)


def recall(session: Session, company_id: int, order: Order) -> Order:
    """The order with what was chosen when a file of the same header was last imported."""
    kept = session.get(ColumnMapping, (company_id, _hash(order))) if any(order.layout.header) else None
    if kept is None:
        return order
    columns = list(order.columns)
    for index, field in kept.choices.items():
        columns[int(index)] = field if field in FIELDS else None
    return replace(choose(order, columns), is_remembered=True)


def remember(session: Session, company_id: int, order: Order) -> None:
    """Keep what was chosen, for files of the same header."""
    if order.choices and any(order.layout.header):
        outbox.hold_company(session, company_id)
        session.merge(ColumnMapping(company_id=company_id, header_hash=_hash(order), choices=order.choices))


def _hash(order: Order) -> str:
    return hashlib.sha256(json.dumps(order.layout.header).encode()).hexdigest()


def _columns_called(header: Sequence[str], name: str) -> Sequence[int]:
    wanted = fold(" ".join(name.split()))
    names = [
        [column] if column else [f"{word} {number}" for word in UNNAMED] for number, column in enumerate(header, 1)
    ]
    found = [index for index, each in enumerate(names) if wanted in (fold(" ".join(one.split())) for one in each)]
    if not found:
        raise UnknownName("no_such_column", name, [each[0] for each in names])
    return found
