"""Dates as people and programs write them, in Portuguese, English, Spanish; months in French, German, Italian too."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from portal.rules.folding import fold, word_set

MAX_LENGTH = 80
MONTHS = tuple(
    word_set(names)
    for names in (
        "january janeiro enero janvier januar janner gennaio",
        "february fevereiro febrero fevrier februar febbraio",
        "march marco marzo mars marz",
        "april abril avril aprile",
        "may maio mayo mai maggio",
        "june junho junio juin juni giugno",
        "july julho julio juillet juli luglio",
        "august agosto aout",
        "september setembro septiembre setiembre septembre settembre",
        "october outubro octubre octobre oktober ottobre",
        "november novembro noviembre novembre",
        "december dezembro diciembre decembre dezember dicembre",
    )
)
DAYS = word_set(
    """monday tuesday wednesday thursday friday saturday sunday segunda terca quarta quinta sexta sabado domingo feira
    lunes martes miercoles jueves viernes"""
)
FILLING = word_set("de del do da of the at as a las los el on o t st nd rd th th dia em um hs hrs h")
ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[t ]\d|$)", re.IGNORECASE)
SERIAL = re.compile(r"\d{5}(?:[.,]\d+)?")
EPOCH = datetime(1899, 12, 30)  # the day 0 of a spreadsheet, as it counts since March 1900
SERIALS = range(20_000, 80_000)  # from 1954 to 2119
SECONDS = range(10**9, 4 * 10**9)  # from 2001 to 2096
TIME = re.compile(
    r"(?<![\d:/.-])(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?|h(?P<minutes>\d{2})?\b)"
    r"\s?(?P<half>[ap]\.?\s?m\b\.?)?"
    r"\s?(?P<zone>z\b|(?:utc|gmt)?\s?[+-]\d{1,2}(?::?\d{2})?(?!\d)|(?:utc|gmt|brt)\b)?"
)
HALF_DAY = re.compile(r"(?<![\d:/.-])(?P<hour>\d{1,2})\s?(?P<half>[ap]\.?\s?m\b\.?)")
ZONE = re.compile(r"([+-])(\d{1,2}):?(\d{2})?")
REMARK = re.compile(r"\([^()]*\)")
NUMERIC = re.compile(r"\s*(\d{1,2})[/.-](\d{1,2})[/.-](?:\d{4}|\d{2})(?!\d)")
PART = re.compile(r"\d+|[a-z]+")
# Those of the months that nobody is called: March without its cedilla is Marco.
MONTHS_ALONE = word_set(
    """january janeiro enero february fevereiro febrero maio junho julho agosto september setembro septiembre october
    outubro octubre november novembro noviembre december dezembro diciembre"""
)
SPAN = "semana|week|quinzena|quincena|mes|month|bimestre|trimestre|quarter|semestre|ano|year|dia|day|sprint"
# A week, a month, a quarter or a year by its number; folded.
PERIOD = re.compile(rf"(?:{SPAN}|q|t)\W*\d.*|\d+\W*[oa]?\W*(?:{SPAN})\b.*|(?:19|20)\d\d|\d{{1,2}}[/.-](?:19|20)\d\d")
MONTH_OF_YEAR = re.compile(r"([a-z]{3,})\W+(?:(?:de|of)\W+)?(?:20)?\d\d")
BETWEEN = re.compile(r"[\s,./\-–'ºª°]*")


@lru_cache(maxsize=4096)
def read_date(text: str, *, month_first: bool = False) -> datetime | None:
    """The moment that a text says, naive unless it names a zone; None when it says none.

    `month_first` decides what `03/04/2024` is; a date that has only one reading is read so.
    """
    text = fold(text.strip())
    if not text or len(text) > MAX_LENGTH:
        return None
    try:
        if ISO.match(text):
            return datetime.fromisoformat(text.upper().replace(" UTC", "Z"))
    except ValueError:
        pass
    if SERIAL.fullmatch(text):
        days = float(text.replace(",", "."))
        return EPOCH + timedelta(seconds=round(days * 86400)) if int(days) in SERIALS else None
    if text.isdecimal():
        return _read_digits(text)
    try:
        return _read_parts(REMARK.sub("", text), month_first)
    except ValueError:
        return None


def is_period(text: str) -> bool:
    """Whether a text is a day, a week, a month or the like: `Novembro de 2026`, `Semana 2`, `1º trimestre`, `Q4`."""
    folded = fold(text.strip())
    if folded in MONTHS_ALONE or PERIOD.fullmatch(folded) or (read_date(text) and not folded.isdecimal()):
        return True
    found = MONTH_OF_YEAR.fullmatch(folded)
    return found is not None and _month(found[1]) is not None


def _read_digits(text: str) -> datetime | None:
    """A day as `20240305`, or the seconds or milliseconds since 1970 that programs count."""
    try:
        if len(text) == 8:
            return datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return None
    seconds = int(text) // {10: 1, 13: 1000}.get(len(text), 10**9)
    return datetime.fromtimestamp(seconds, UTC) if seconds in SECONDS else None


def first_numbers(text: str) -> tuple[int, int] | None:
    """The two numbers of a date whose order of day and month is not told by itself."""
    found = NUMERIC.match(text)
    return (int(found[1]), int(found[2])) if found else None


def _read_parts(text: str, month_first: bool) -> datetime:
    found = TIME.search(text) or HALF_DAY.search(text)
    hour = minute = second = 0
    zone = None
    if found:
        text = text[: found.start()] + " " + text[found.end() :]
        hour, minute, second, zone = _time(found.groupdict())
    year, month, day = _day(text, month_first)
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)


def _time(parts: dict[str, str | None]) -> tuple[int, int, int, timezone | None]:
    hour = int(parts["hour"] or 0)
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError(parts["hour"])
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    minute = int(parts.get("minute") or parts.get("minutes") or 0)
    return hour, minute, int(parts.get("second") or 0), _zone(parts.get("zone"))


def _zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text == "brt":
        return timezone(timedelta(hours=-3))
    found = ZONE.search(text)
    if found is None:
        return UTC
    offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return timezone(-offset if found[1] == "-" else offset)


def _day(text: str, month_first: bool) -> tuple[int, int, int]:
    """Year, month and day, from two numbers and a month's name, or three numbers. Raises ValueError."""
    if BETWEEN.fullmatch(PART.sub("", text)) is None:
        raise ValueError(text)
    parts = PART.findall(text)
    numbers = [part for part in parts if part.isdecimal()]
    months = _months([part for part in parts if not part.isdecimal()])
    if len(months) == 1 and len(numbers) == 2:
        year, day = numbers if len(numbers[0]) == 4 else reversed(numbers)
        return _year(year), months.pop(), int(day)
    if months or len(numbers) != 3:
        raise ValueError(text)
    if len(numbers[0]) == 4:
        return _year(numbers[0]), int(numbers[1]), int(numbers[2])
    first, other = int(numbers[0]), int(numbers[1])
    day, month = (other, first) if (month_first and first <= 12) or other > 12 else (first, other)
    return _year(numbers[2]), month, day


def _months(words: list[str]) -> set[int]:
    """The months that the words name, beside days of the week and words that join. Raises ValueError for others."""
    found = [number for word in words if (number := _month(word))]
    if len(found) == 2 and words[0] == "mar":
        del found[0]  # martes
    if not all(_month(word) or word in FILLING or _begins(word, DAYS) for word in words):
        raise ValueError(words)
    return set(found)


def _month(word: str) -> int | None:
    return next((number for number, names in enumerate(MONTHS, 1) if _begins(word, names)), None)


def _begins(word: str, names: frozenset[str]) -> bool:
    return len(word) > 2 and any(name.startswith(word) for name in names)


def _year(text: str) -> int:
    if len(text) == 2:
        return int(text) + (2000 if int(text) < 70 else 1900)
    if len(text) != 4:
        raise ValueError(text)
    return int(text)
