"""Which language and which time zone the reader has. Message ids are Brazilian Portuguese; English is a catalogue."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from flask import Flask, g, has_app_context, has_request_context, request
from flask_babel import Babel, format_number, get_translations

LANGUAGES = {"pt_BR": "Português", "en": "English"}
DEFAULT_LANGUAGE = "pt_BR"
DEFAULT_TIMEZONE = "America/Sao_Paulo"
LANGUAGE_COOKIE = "language"

babel = Babel()


def select_language() -> str:
    """The reader's language: the one chosen, else the first known one that the browser asks for, else Portuguese.

    Views set `g.language` for a signed-in person who chose one, `speaking` for whoever gets an e-mail.
    """
    if not has_request_context():
        return str(g.get("language") or DEFAULT_LANGUAGE) if has_app_context() else DEFAULT_LANGUAGE
    chosen = g.get("language") or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return str(chosen)
    asked = request.accept_languages.best_match(["pt-BR", "pt", "en"], default="pt-BR")
    return "en" if asked == "en" else "pt_BR"


def select_timezone() -> str:
    """The reader's time zone: views set `g.timezone` for a signed-in person, `speaking` for an e-mail."""
    return str(g.get("timezone") or DEFAULT_TIMEZONE) if has_app_context() else DEFAULT_TIMEZONE


def reader_zone() -> ZoneInfo:
    """The zone that pages show times in, and that the days of a filter are days of."""
    return ZoneInfo(select_timezone())


@cache
def timezones() -> tuple[str, ...]:
    """The time zones to choose from, as `Area/City`; what has another form is an old name for one of them."""
    areas = ("Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/")
    return ("UTC", *sorted(name for name in available_timezones() if name.startswith((*areas, "Pacific/"))))


def number(count: int) -> str:
    """A count as the reader writes it. Below a thousand all write the same, which is quick."""
    return str(count) if 0 <= count < 1000 else str(format_number(count))


def ngettext(one: str, many: str, count: int, **facts: object) -> str:
    """A sentence for so many, in the reader's language, with their `num` as the reader writes it."""
    words: str = get_translations().ungettext(one, many, count)
    return words % {"num": number(count), **facts}


@contextmanager
def speaking(app: Flask, language: str, timezone: str) -> Iterator[None]:
    """Inside, without a request, texts are in this language and times in this zone."""
    with app.app_context():
        g.language, g.timezone = language, timezone
        yield
