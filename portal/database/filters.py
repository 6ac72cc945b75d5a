"""What a list is narrowed to: a dataclass that names each of its fields once, with how it is read and what it means.

Pages, API and commands turn their words into values and hand them to `read_filter`. What does not exist is said by
`unknown`, and nothing matches then: no edge can mistake a filter that it did not understand for none.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, false, select, true
from sqlalchemy.orm import Session

from portal.database.paging import row_number
from portal.database.tables import Numbered

# Turns what was asked of a company into a field's value. Raises ValueError for what does not exist.
Reader = Callable[[Session, int, Any], Any]
Condition = Callable[[Any], ColumnElement[bool]]  # the SQL that a row has to meet, from a field's value


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a row has to match; a field that is None or empty does not count."""

    # The names of the fields that were asked for what does not exist: with one of them nothing matches.
    unknown: tuple[str, ...] = ()


F = TypeVar("F", bound=Filter)
N = TypeVar("N", bound=Numbered)


def by(read: Reader, meaning: Condition | None = None) -> Mapping[str, Any]:
    """Says of a field how it is read and what it means. Without a meaning, the list applies it by itself."""
    return {"read": read, "meaning": meaning}


def names_of(kind: type[Filter]) -> tuple[str, ...]:
    """The filter's fields as people write them, without the `_id`: a campaign can be asked for by its name."""
    return tuple(choices_of(kind))


def choices_of(kind: type[Filter]) -> dict[str, Collection[Any] | None]:
    """The filter's fields as people write them, each with the values that it knows; None where there are no such."""
    readers = {_short(each.name): each.metadata["read"] for each in fields(kind) if "read" in each.metadata}
    return {name: getattr(read, "values", None) for name, read in readers.items()}


def read_filter(kind: type[F], session: Session, company_id: int, asked: Mapping[str, Any]) -> F:
    """The filter that an edge was asked for, by its fields' names, with or without `_id`; None and "" do not count."""
    found, unknown = dict[str, Any](), []
    for each in fields(kind):
        value = asked.get(each.name, asked.get(_short(each.name)))
        if "read" not in each.metadata or value in (None, ""):
            continue
        try:
            found[each.name] = each.metadata["read"](session, company_id, value)
        except ValueError:
            unknown.append(_short(each.name))
    return kind(**found, unknown=tuple(unknown))


def conditions_of(wanted: Filter) -> dict[str, ColumnElement[bool]]:
    """What a row has to meet, by the name of the field that asks for it."""
    given = ((each.name, getattr(wanted, each.name), each.metadata.get("meaning")) for each in fields(wanted))
    return {name: meaning(value) for name, value, meaning in given if meaning is not None and value not in (None, "")}


def narrow(query: Select[Any], wanted: Filter, *, by_index: str | None = None) -> Select[Any]:
    """The query for those of its rows that match: by the index of the field `by_index`, where one is named."""
    for name, condition in conditions_of(wanted).items():
        query = query.where(condition if by_index in (None, name) else condition.is_(true()))  # by no index of its own
    return query.where(false()) if wanted.unknown else query


@dataclass(frozen=True)
class one_of:
    """Reads one of these values."""

    values: Collection[Any]

    def __call__(self, _session: Session, _company_id: int, asked: Any) -> Any:
        if asked not in self.values:
            raise ValueError(asked)
        return asked


def own_number(kind: type[Numbered], session: Session, company_id: int, asked: int | str) -> int:
    """Reads the number of a row of that kind. Raises ValueError when the company has none of it."""
    row_id = row_number(str(asked))
    if get_own(kind, session, company_id, row_id) is None:
        raise ValueError(f"the company has no {kind.__name__} {row_id}")
    return row_id


def get_own(kind: type[N], session: Session, company_id: int, row_id: int) -> N | None:
    """The company's row of that number, or None."""
    return session.scalars(select(kind).filter_by(company_id=company_id, id=row_id)).one_or_none()


def moment(_session: Session, _company_id: int, asked: Any) -> datetime:
    """Reads a moment that the edge has found already."""
    if not isinstance(asked, datetime):
        raise ValueError(asked)
    return asked


def text(_session: Session, _company_id: int, asked: str) -> str:
    """Reads what a person types to search."""
    return asked.strip()


def _short(name: str) -> str:
    return name.removesuffix("_id")
