"""What `portal import` is told about a file: its encoding, and where a column goes."""

from typing import Any

import click

from portal.importing.columns import FIELDS
from portal.importing.encoding import ENCODINGS, find_encoding


class Encoding(click.ParamType[str]):
    """The name of an encoding that a file may have."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = find_encoding(str(value))
        if found is None:
            self.fail(f"{value} is none of {', '.join(ENCODINGS)}.", param, ctx)
        return found


class Mapping(click.ParamType[tuple[str, str]]):
    """A column and the field that it goes to."""

    name = "column=field"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        column, is_given, field = str(value).rpartition("=")
        if not is_given:
            self.fail(f"{value!r} has no =. Write COLUMN=FIELD; fields are {', '.join(FIELDS)}.", param, ctx)
        return column.strip(), field.strip()
