"""Words of languages, checked against those that others list: CLDR's months and days, and each form of an adjective."""

from datetime import datetime, timedelta, timezone
from itertools import product

import pytest
from babel import Locale
from babel.localedata import locale_identifiers

from portal.importing.cells import read_level
from portal.importing.dates import read_date
from portal.rules.folding import fold

MONTHS_OF, DAYS_OF = ("de", "en", "es", "fr", "it", "pt"), ("en", "es", "pt")
"""The languages of months, and of days of the week."""
FORMS = [(form, width) for form, width in product(("format", "stand-alone"), ("wide", "abbreviated"))]


def names_of(language: str, kind: str) -> set[tuple[int, str]]:
    """Every name that some country of that language has, by its number."""
    locales = [Locale.parse(each) for each in locale_identifiers() if each.partition("_")[0] == language]
    return {
        (number, name)
        for locale, (form, width) in product(locales, FORMS)
        for number, name in getattr(locale, kind)[form][width].items()
        if fold(name).strip(".").isascii() and not any(map(str.isdecimal, name))
    }


@pytest.mark.parametrize("language", MONTHS_OF)
def test_each_month_is_read_by_all_its_names(language: str) -> None:
    unread = {
        (number, name)
        for number, name in names_of(language, "months")
        if read_date(f"12 {name} 2024") != datetime(2024, number, 12)
    }
    assert unread == set()


@pytest.mark.parametrize("language", DAYS_OF)
def test_no_day_of_the_week_hides_a_date(language: str) -> None:
    names = {name for _number, name in names_of(language, "days")} - {"mar"}  # which is a month, too
    assert {name for name in names if read_date(f"{name}, 12/03/2024") != datetime(2024, 3, 12)} == set()


@pytest.mark.parametrize(
    ("zone", "hours"), [("Z", 0), ("UTC", 0), ("GMT", 0), ("BRT", -3), ("-03:00", -3), ("+0530", 5.5), ("UTC+1", 1)]
)
def test_a_zone_behind_a_time_is_the_zone_of_it(zone: str, hours: float) -> None:
    found = read_date(f"12/03/2024 14:30 {zone}")
    assert found == datetime(2024, 3, 12, 14, 30, tzinfo=timezone(timedelta(hours=hours)))


HOURS = {"12 am": 0, "1 am": 1, "11 am": 11, "12 pm": 12, "1 pm": 13, "11 pm": 23}


@pytest.mark.parametrize("said", HOURS)
def test_the_twelfth_hour_begins_each_half_of_the_day(said: str) -> None:
    assert read_date(f"12/03/2024 {said}") == datetime(2024, 3, 12, HOURS[said])


@pytest.mark.parametrize("said", ["0 am", "13 pm"])
def test_no_half_of_the_day_has_such_an_hour(said: str) -> None:
    assert read_date(f"12/03/2024 {said}") is None


ENDINGS = {
    1: ["baixo", "baixa", "bajo", "baja", "low"],
    2: ["médio", "média", "medio", "media", "medium"],
    3: ["alto", "alta", "high"],
}
FRAMES = ["{}", "{level} - {}", "Nível {}", "{} interesse", "Nivel de interés {}", "{level}: {}"]


@pytest.mark.parametrize("level", ENDINGS)
def test_a_level_is_said_by_each_form_of_its_word_in_all_that_stands_around_it(level: int) -> None:
    said = [frame.format(word, level=level) for frame, word in product(FRAMES, ENDINGS[level])]
    assert {text: read_level(text) for text in (*said, *map(str.upper, said))} == dict.fromkeys(
        (*said, *map(str.upper, said)), level
    )


NOTHING = ["0", "nenhum", "nenhuma", "none", "ninguno", "sem nível", "sin nivel", "no", "não", "zero", "nada"]


@pytest.mark.parametrize("said", NOTHING)
def test_no_level_is_said_in_each_language(said: str) -> None:
    assert read_level(said) == 0
