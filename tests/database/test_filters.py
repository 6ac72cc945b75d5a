"""A filter reads what an edge was asked for, and narrows a list; what does not exist matches nothing."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.database import filters
from portal.database.db import db
from portal.database.filters import Filter, by, choices_of, names_of, narrow, one_of, own_number, read_filter
from portal.models import Contact, User
from tests.factories import NOON, make_company, make_contact, make_user


@dataclass(frozen=True, kw_only=True)
class Wanted(Filter):
    owner_id: int | None = field(
        default=None, metadata=by(partial(own_number, User), lambda value: Contact.id == value)
    )
    level: int | None = field(
        default=None, metadata=by(one_of((0, 1, 2)), lambda value: Contact.interest_level == value)
    )
    name: str | None = field(default=None, metadata=by(filters.text, lambda value: Contact.name == value))
    since: datetime | None = field(default=None, metadata=by(filters.moment))
    number_id: int | None = field(
        default=None, metadata=by(partial(own_number, Contact), lambda value: Contact.id == value)
    )


def test_fields_are_named_once_without_their_id_each_with_the_values_that_it_knows() -> None:
    assert names_of(Wanted) == ("owner", "level", "name", "since", "number")
    assert choices_of(Wanted) == {"owner": None, "level": (0, 1, 2), "name": None, "since": None, "number": None}


def test_what_is_asked_for_is_read_by_either_name_and_what_is_empty_does_not_count(app: Flask) -> None:
    company, other = make_company(), make_company("Outra")
    own, foreign, contact_id = make_user(company).id, make_user(other).id, make_contact(company).id

    def read(**asked: Any) -> Wanted:
        return read_filter(Wanted, db.session, company.id, asked)

    assert read() == read(owner=None, level="", name="", strange=1) == Wanted()
    assert read(owner=own) == read(owner_id=f"{own}") == Wanted(owner_id=own)
    assert read(level=0, name="  Ana  ", since=NOON) == Wanted(level=0, name="Ana", since=NOON)
    assert read(number=f"{contact_id}") == Wanted(number_id=contact_id)
    unknown = read(owner=foreign, level=3, name="Ana", since="yesterday", number="x")
    assert unknown == Wanted(name="Ana", unknown=("owner", "level", "since", "number"))
    assert (read(number=10**18).unknown, read(owner="9" * 30).unknown) == (("number",), ("owner",))


def test_a_row_has_to_meet_every_field_that_counts(app: Flask) -> None:
    company = make_company()
    names = {make_contact(company, name=name).id: name for name in ("Ana", "Bia")}

    def found(**wanted: Any) -> set[str]:
        return set(db.session.scalars(narrow(select(Contact.name), Wanted(**wanted))))

    first = min(names)
    assert found() == found(since=NOON) == found(name="") == {"Ana", "Bia"}
    assert found(name="Ana") == found(name="Ana", number_id=first) == {"Ana"}
    assert found(name="Bia", number_id=first) == found(level=0) == set()
    assert found(name="Ana", unknown=("owner",)) == set()


@pytest.mark.parametrize("asked", ["yesterday", 7, None])
def test_only_a_moment_is_one(asked: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        filters.moment(db.session, 1, asked)
