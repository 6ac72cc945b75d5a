"""What the forms share: kinds of fields, and what every field asks for."""

from functools import cache
from typing import Any

from babel.dates import get_timezone_location
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import DataRequired, InputRequired, Length

from portal.i18n import timezones
from portal.people.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from portal.rules.folding import fold

required = DataRequired(_l("Preencha este campo."))
any_text = InputRequired(_l("Preencha este campo."))
"""For passwords: spaces count."""


def strip(value: str | None) -> str | None:
    """Without outer spaces; nothing at all is None."""
    return (value or "").strip() or None


def text_of(field: StringField) -> str:
    """What a valid field that must be filled holds."""
    return field.data or ""


def at_most(length: int) -> Length:
    return Length(max=length, message=_l("São no máximo %(max)d caracteres."))


def new_password_field(label: Any) -> PasswordField:
    return PasswordField(
        label,
        [any_text, Length(MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH, _l("Use de %(min)d a %(max)d caracteres."))],
        description=_l("De 8 a 128 caracteres. Uma frase comprida é melhor do que símbolos difíceis de lembrar."),
        render_kw={"autocomplete": "new-password", "minlength": MIN_PASSWORD_LENGTH, "maxlength": MAX_PASSWORD_LENGTH},
    )


@cache
def timezone_words(language: str) -> tuple[tuple[str, str], ...]:
    """The time zones with the names of their cities in that language, in the order of these."""
    cities = [(name, get_timezone_location(name, locale=language, return_city=True)) for name in timezones()[1:]]
    words = [(name, f"{city} ({name.replace('_', ' ')})") for name, city in cities]
    return (("UTC", "UTC"), *sorted(words, key=lambda each: fold(each[1])))


def timezone_choices() -> list[SelectChoice]:
    """By city, in the reader's language: typing its name into the open list finds it."""
    return [SelectChoice(name, words) for name, words in timezone_words(str(get_locale()))]
