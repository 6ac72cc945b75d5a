"""Masking: texts in which nobody is recognised and whose shape still shows what is wrong with them. Pure.

A letter becomes `x` or `X`, one with an accent or of another script `é` or `É`, a digit `0`; signs stay.
"""

import html
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
DATE_KEYS = ("invite_date", "accept_date", "collect_date", "reply_date", "date")
NAME_KEYS = ("name", "sender_name", "linkedin_public_id", "current_company")
"""Of a person: each word alone tells who it is."""
PARTICLES = ("da", "de", "di", "do", "dos", "das", "del", "van", "von", "ltda", "inc")
RUN = 3
"""So many words in a row, of a longer text, are recognised as a part of it."""
SHORTEST = 3
PHONE_END = 8
"""The last digits of a telephone number tell it, whatever stands before them."""

_WORD = re.compile(r"[^\W_]+")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_TAX_NUMBER = re.compile(r"\d{3}\.\d{3}\.\d{3}-\d\d|\d\d\.\d{3}\.\d{3}/\d{4}-\d\d")
_NUMBER = re.compile(r"\d(?:[\s().+-]{0,2}\d){7,}")


def mask(text: str) -> str:
    """The text with every letter and digit made one of a kind."""
    return "".join(map(_mask_character, text))


def mask_body(body: bytes) -> str:
    """A webhook's body, indented, with every text masked; keys, numbers, dates and nulls stay."""
    try:
        value = json.loads(body)
    except ValueError:
        return mask(body.decode(errors="replace"))
    return json.dumps(_mask_value(value), indent=2, ensure_ascii=False)


def mask_query(url: str) -> str:
    """An address without what its query holds: keys of access are often there."""
    path, sign, query = url.partition("?")
    return path + sign + re.sub(r"(?<==)[^&]+", "…", query)


class Masker:
    """Masks, in texts that may repeat a body, whatever of it tells a person."""

    def __init__(self, body: bytes) -> None:
        texts = list(_texts_of(_load(body)))
        forms = {form for _, text in texts if len(text.strip()) >= SHORTEST for form in _forms_of(text.strip())}
        emails = [text for _, text in texts if "@" in text]
        forms |= {domain for email in emails if len(domain := email.rpartition("@")[2]) >= SHORTEST}
        self._whole = _any_of(forms)
        names = [text for is_name, text in texts if is_name] + [email.partition("@")[0] for email in emails]
        self._words = {word for name in names for word in _name_words(name)}
        self._runs = {run for _, text in texts for run in _runs_of([fold(word) for word in _WORD.findall(text)])}
        self._phone_ends = {digits[-PHONE_END:] for _, text in texts if len(digits := _digits(text)) >= PHONE_END}

    def mask(self, text: str) -> str:
        """The text with what repeats the body masked, and e-mail addresses and tax numbers, whoever's they are."""
        for pattern in (self._whole, _EMAIL, _TAX_NUMBER):
            text = pattern.sub(lambda found: mask(found[0]), text)
        text = _NUMBER.sub(lambda found: mask(found[0]) if self._is_phone(found[0]) else found[0], text)
        return self._mask_words(text)

    def _is_phone(self, number: str) -> bool:
        return any(end in _digits(number) for end in self._phone_ends)

    def _mask_words(self, text: str) -> str:
        found = list(_WORD.finditer(text))
        folded = [fold(word[0]) for word in found]
        told = {place for place, word in enumerate(folded) if word in self._words}
        for place, run in enumerate(_runs_of(folded)):
            if run in self._runs:
                told |= set(range(place, place + RUN))
        pieces, end = [], 0
        for place in sorted(told):
            start, stop = found[place].span()
            pieces += [text[end:start], mask(text[start:stop])]
            end = stop
        return "".join(pieces) + text[end:]


def fold(word: str) -> str:
    """Without case and accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))


def _mask_character(character: str) -> str:
    if character.isascii():
        return "0" if character.isdigit() else "X" if character.isupper() else "x" if character.isalpha() else character
    if unicodedata.category(character)[0] in "PZ":
        return character
    return "0" if character.isdecimal() else "É" if character.isupper() else "é"


def _mask_value(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _mask_value(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mask_value(inner) for inner in value]
    if not isinstance(value, str) or (key in DATE_KEYS and DATE.fullmatch(value)):
        return value
    return mask(value)


def _load(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _texts_of(value: Any, key: str = "", *, of_person: bool = True) -> Iterator[tuple[bool, str]]:
    """Every text in the value, dates left out, and whether it names somebody."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts_of(inner, name, of_person=key != "campaign")
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_of(inner, key)
    elif isinstance(value, str) and not DATE.fullmatch(value):
        yield key in NAME_KEYS and of_person, value


def _forms_of(text: str) -> Iterator[str]:
    """The text as receivers write it: in JSON, HTML, addresses, and decoded as what it is not."""
    escaped = json.dumps(text)[1:-1]
    yield from (text, escaped, escaped.replace("/", "\\/"), json.dumps(text, ensure_ascii=False)[1:-1])
    yield from (html.escape(text), html.escape(text, quote=False), quote(text), quote(text, safe=""), quote_plus(text))
    yield from (text.encode().decode("latin-1"), text.encode().decode("cp1252", errors="replace"))
    yield unicodedata.normalize("NFD", text)
    if "://" in text:
        yield text.partition("://")[2].rstrip("/")


def _any_of(forms: set[str]) -> re.Pattern[str]:
    listed = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True) if form)
    return re.compile(rf"(?<![^\W_])(?:{listed or '(?!)'})(?![^\W_])", re.IGNORECASE)


def _name_words(name: str) -> Iterator[str]:
    for form in (name, name.encode().decode("latin-1")):
        for word in map(fold, _WORD.findall(form)):
            if len(word) > 1 and word not in PARTICLES and not word.isdecimal():
                yield word


def _runs_of(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)]


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())
