"""What the forms share: kinds of fields, and what every field asks for."""

from collections import Counter
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.core import get_global
from babel.dates import get_timezone_location
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import EmailField, PasswordField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length
from wtforms.widgets import TextInput

from portal.i18n import timezones
from portal.people.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from portal.rules.folding import fold

required = DataRequired(_l("Preencha este campo."))
any_text = InputRequired(_l("Preencha este campo."))  # passwords use it: spaces count


def strip(value: str | None) -> str | None:
    """Without outer spaces; nothing at all is None."""
    return (value or "").strip() or None


def one_line_end(value: str | None) -> str | None:
    """The text with the line ends that it is stored with, whatever the browser sends."""
    return value and value.replace("\r\n", "\n")


def text_of(field: StringField) -> str:
    """What a valid field that must be filled holds."""
    return field.data or ""


def said(form: FlaskForm) -> dict[str, Any]:
    """What a valid form says, by the names of its fields; in those that must be filled there are texts."""
    return {name: value for name, value in form.data.items() if name not in ("csrf_token", "opened")}


def at_most(length: int) -> Length:
    return Length(max=length, message=_l("São no máximo %(max)d caracteres."))


def line_field(label: Any, length: int, *, description: Any = "", **render_kw: str) -> StringField:
    """A line that has to be filled."""
    return StringField(
        label, [required, at_most(length)], filters=[strip], description=description, render_kw=render_kw
    )


def text_area(label: Any, length: int) -> TextAreaField:
    """Some lines, which may be empty."""
    return TextAreaField(label, [at_most(length)], filters=[strip, one_line_end])


def email_field(label: Any, autocomplete: str, **keys: Any) -> EmailField:
    """An e-mail address that has to be given."""
    keys |= {"autocomplete": autocomplete}
    return EmailField(label, [required, at_most(254)], filters=[strip], render_kw=keys)


def url_field(label: Any, length: int, *, description: Any) -> StringField:
    """A web address that has to be given."""
    keys = {"inputmode": "url", "autocomplete": "off", "spellcheck": "false", "placeholder": "https://"}
    return line_field(label, length, description=description, **keys)


def new_password_field(label: Any) -> PasswordField:
    return PasswordField(
        label,
        [any_text, Length(MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH, _l("Use de %(min)d a %(max)d caracteres."))],
        description=_l("De 8 a 128 caracteres. Uma frase comprida é melhor do que símbolos difíceis de lembrar."),
        render_kw={"autocomplete": "new-password", "minlength": MIN_PASSWORD_LENGTH, "maxlength": MAX_PASSWORD_LENGTH},
    )


@cache
def timezone_words(language: str) -> tuple[tuple[str, str], ...]:
    """The time zones with the names of their cities in that language, in alphabetical order."""
    zones = map(ZoneInfo, timezones()[1:])  # given a name, Babel would load each zone, and keep it for good
    cities = [(zone.key, get_timezone_location(zone, locale=language, return_city=True)) for zone in zones]
    words = [(name, f"{city} ({name.replace('_', ' ')})") for name, city in cities]
    return (("UTC", "UTC"), *sorted(words, key=lambda each: fold(each[1])))


@cache
def timezones_by_words(language: str) -> dict[str, str]:
    """The zones by what people may type: their words, their name, or their city where no other has that name."""
    words, former = timezone_words(language), get_global("zone_aliases")
    of_today = [(name, each) for name, each in words if name not in former]
    cities = Counter(fold(each.partition(" (")[0]) for _name, each in of_today)
    by_city = {fold(each.partition(" (")[0]): name for name, each in of_today}
    found = {city: name for city, name in by_city.items() if cities[city] == 1}
    return found | {fold(key): name for name, each in words for key in (name, name.replace("_", " "), each)}


class TimezoneInput(TextInput):
    """A line that offers the zones that fit what is typed, without any script."""

    def __call__(self, field: Any, **kwargs: Any) -> Markup:
        listed = f"{field.id}-list"
        options = Markup("").join(
            Markup('<option value="{}"></option>').format(words) for _name, words in timezone_words(str(get_locale()))
        )
        line = super().__call__(field, list=listed, **kwargs)
        return line + Markup('<datalist id="{}">{}</datalist>').format(listed, options)


class TimezoneField(StringField):
    """A time zone that is found by typing its city. Its value is the zone's name; nothing typed is ""."""

    widget = TimezoneInput()

    def process_formdata(self, valuelist: list[Any]) -> None:
        typed = str(valuelist[0]).strip() if valuelist else ""
        self.raw_data = [typed]
        self.data = timezones_by_words(str(get_locale())).get(fold(typed)) if typed else ""
        if self.data is None:
            raise ValueError(_("Não conhecemos esta cidade. Escolha uma da lista."))

    def _value(self) -> str:
        if self.errors and self.raw_data:
            return str(self.raw_data[0])
        return dict(timezone_words(str(get_locale()))).get(self.data or "", self.data or "")
