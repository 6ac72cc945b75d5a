"""Marshmallow fields whose errors are stable codes, and which take no value for another type's; filters and pages."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from marshmallow import RAISE, Schema, fields
from marshmallow.validate import Length, OneOf, Range, Regexp

from portal.models import LEVELS
from portal.rules.payload import UnencodableText, check_text, is_storable

MAX_KEY = 2**63 - 1
MAX_LIMIT, DEFAULT_LIMIT = 200, 50
NO_NUL = Regexp(r"^[^\u0000]*$", error="nul")
KEY_TEXT = Regexp(r"^[!-~]+$", error="not_a_key")
EMAIL = Regexp(r"^[^\s@\u0000]+@[^\s@.\u0000]+(?:\.[^\s@.\u0000]+)+$", error="not_an_email")
DATE = re.compile(
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"
)
TIME = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$")

CODES: dict[str, str | list[Any] | dict[Any, Any]] = {"required": "required", "null": "null"}


class StrictSchema(Schema):
    """An object of which every field is known."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "unknown_field", "type": "not_an_object"}  # noqa: RUF012 - marshmallow's own form


class AnswerSchema(StrictSchema):
    """An object of an answer: it has every field."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = True


def about(text: str) -> dict[str, str]:
    """What the OpenAPI document says of a field."""
    return {"description": text}


class Quick(fields.Field[Any]):
    """A field that takes right values at a glance. Marshmallow says what is wrong with all others."""

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        is_right = self.allow_none if value is None else self.is_right(value)
        return value if is_right else super().deserialize(value, attr, data, **kwargs)

    def is_right(self, value: Any) -> bool:
        """Whether the value is certainly taken, and stays as it is."""
        return False


class Ignored(Quick, fields.Raw):
    """A value that nobody looks at."""

    def is_right(self, value: Any) -> bool:
        return True


class Text(Quick, fields.String):
    """A text of at most `length` characters that can be stored and sent."""

    default_error_messages = CODES | {"invalid": "not_a_text", "surrogate": "surrogate"}

    def __init__(self, length: int, *, form: Regexp = NO_NUL, **kwargs: Any) -> None:
        self._most, self._form = length, None if form is NO_NUL else form.regex
        self._length = Length(max=length, error=f"too_long:{length}")
        super().__init__(validate=[self._length, form], **kwargs)

    def is_right(self, value: Any) -> bool:
        is_text = type(value) is str and len(value) <= self._most and is_storable(value)
        return is_text and (self._form is None or self._form.match(value) is not None)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        self._length(value)
        try:
            return check_text(value, attr or "")
        except UnencodableText as error:
            if error.problem == "nul":
                return value  # `form` says so: the OpenAPI document knows the rule from it
            raise self.make_error("surrogate") from error


class DateText(Quick, fields.String):
    """A date as the body has it, `YYYY-MM-DD HH:MM:SS` in the company's time zone; RFC 3339 is understood too."""

    default_error_messages = CODES | {"invalid": "not_a_date"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=Regexp(DATE, error="not_a_date"), allow_none=True, **kwargs)

    def is_right(self, value: Any) -> bool:
        return type(value) is str and DATE.match(value) is not None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return value


class WholeNumber(Quick, fields.Integer):
    """A JSON integer: no text, no `true`, no fraction. `among` are those that are taken; of others `error` is said."""

    default_error_messages = CODES | {"invalid": "not_an_integer"}

    def __init__(self, among: range | tuple[int, ...], *, error: str, **kwargs: Any) -> None:
        self._among = among
        is_range = isinstance(among, range)
        rule = Range(among[0], among[-1], error=error) if is_range else OneOf(among, error=error)
        super().__init__(validate=rule, **kwargs)

    def is_right(self, value: Any) -> bool:
        return type(value) is int and value in self._among

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        return value


class Flag(fields.Boolean):
    """JSON's `true` or `false`, and nothing that looks like one."""

    default_error_messages = CODES | {"invalid": "not_a_boolean"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class NumberParameter(fields.Integer):
    """An integer of a query, in ASCII digits."""

    default_error_messages = CODES | {"invalid": "not_an_integer"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not re.fullmatch(r"-?[0-9]{1,19}", value):
            raise self.make_error("invalid")
        return int(value)


class TimeParameter(fields.AwareDateTime):
    """A moment, RFC 3339 with its zone."""

    default_error_messages = CODES | {"invalid": "not_a_time"}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not TIME.match(value):
            raise self.make_error("invalid")
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self.make_error("invalid") from error


class Moment(fields.DateTime):
    """A time in an answer: RFC 3339 in UTC, `2026-01-31T12:00:00.000Z`."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ItemList(Quick, fields.List[Any]):
    """A list, of at most `length` items."""

    default_error_messages = CODES | {"invalid": "not_a_list"}

    def __init__(self, inner: fields.Field[Any], *, length: int, **kwargs: Any) -> None:
        self._most, self._fits = length, Length(max=length, error=f"too_many:{length}")
        super().__init__(inner, validate=self._fits, **kwargs)

    def is_right(self, value: Any) -> bool:
        inner, is_short = self.inner, type(value) is list and len(value) <= self._most
        return is_short and isinstance(inner, Quick) and all(map(inner.is_right, value))

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if isinstance(value, list):
            self._fits(value)  # before any item is looked at
        return super()._deserialize(value, attr, data, **kwargs)


class Object(Quick, fields.Nested):
    default_error_messages = CODES | {"type": "not_an_object"}

    @cached_property
    def _known(self) -> dict[str, tuple[bool, Callable[[Any], bool]]]:
        """Of each member that may be right at a glance: whether null is, and what sees it of other values."""
        known = self.schema.load_fields.items()
        return {
            name: (each.allow_none, each.is_right)
            for name, each in known
            if isinstance(each, Quick) and {each.data_key, each.attribute} <= {None, name}
        }

    @cached_property
    def _needed(self) -> set[str]:
        return {each.data_key or name for name, each in self.schema.load_fields.items() if each.required}

    def is_right(self, value: Any) -> bool:
        """Member by member, which takes a part of a schema's time."""
        known = self._known
        if type(value) is not dict or not self._needed <= value.keys() <= known.keys():
            return False
        for name, given in value.items():
            may_be_null, is_right = known[name]
            if not (may_be_null if given is None else is_right(given)):
                return False
        return True


def key(**kwargs: Any) -> WholeNumber:
    """A row's number."""
    return WholeNumber(range(MAX_KEY + 1), error=f"out_of_range:0:{MAX_KEY}", **kwargs)


def level(**kwargs: Any) -> WholeNumber:
    """An interest level, or null."""
    return WholeNumber(LEVELS, error="unknown_level", allow_none=True, **kwargs)


def choice(values: tuple[str, ...], **kwargs: Any) -> fields.String:
    """One of these words."""
    messages = CODES | {"invalid": "not_a_text"}
    return fields.String(validate=OneOf(values, error="unknown_value"), error_messages=messages, **kwargs)


PAGE_NOTE = about("null on the last page.")


class FilterSchema(StrictSchema):
    campaign = Text(200, metadata=about("A campaign's name, or its number."))
    owner = Text(254, metadata=about("An owner's e-mail, or their number."))


class ListQuerySchema(StrictSchema):
    limit = NumberParameter(
        load_default=DEFAULT_LIMIT, validate=Range(1, MAX_LIMIT, error=f"out_of_range:1:{MAX_LIMIT}")
    )
    cursor = Text(200, metadata=about("`next_cursor` of the page before."))
