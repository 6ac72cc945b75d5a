"""Masking: texts in which nobody is recognised and whose shape still shows what is wrong with them. Pure, and linear.

A letter becomes `x` or `X`, one with an accent or of another script `é` or `É`, a digit `0`; signs stay. Words are
looked up: nothing that somebody typed becomes a pattern.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from portal.rules.escapes import decode_escapes
from portal.rules.folding import fold
from portal.rules.payload import DATES

DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
DATE_KEYS = (*DATES, "date")
# Of a person: each word alone tells who it is.
NAME_KEYS = ("name", "sender_name", "linkedin_public_id", "current_company")
PARTICLES = ("da", "de", "di", "do", "dos", "das", "del", "van", "von", "ltda", "inc")
RUN = 3  # so many words in a row, of a longer text, are recognised as a part of it
SHORTEST = 3  # letters of a text that is recognised by itself
PHONE_END = 8  # the last digits of a telephone number tell it, whatever stands before them
# A body with more of them, 1 MB or so, is not taken apart: what repeats any of it is masked as a whole.
MOST_WORDS = 200_000

_WORD = re.compile(r"[^\W_]+")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_TAX_NUMBER = re.compile(r"\d{3}\.\d{3}\.\d{3}-\d\d|\d\d\.\d{3}\.\d{3}/\d{4}-\d\d")
_NUMBER = re.compile(r"\d(?:[\s().+-]{0,2}\d){7,}")


def mask(text: str) -> str:
    """The text with every letter and digit made one of a kind."""
    return text.translate({ord(character): _mask_character(character) for character in set(text)})


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
        # Of words in a row: one or two that are a whole text, or a word of a name, and any `RUN` of a longer one.
        self._runs: set[int] = set()
        self._phone_ends: set[str] = set()
        self._words_left = MOST_WORDS
        for is_name, text in _texts_of(_load(body)):
            self._learn(text, is_name=is_name)
            if self._words_left < 0:
                break

    def mask(self, text: str) -> str:
        """The text with what repeats the body masked, and e-mail addresses and tax numbers, whoever's they are."""
        if self._words_left < 0:
            return mask(text)
        for pattern in (_EMAIL, _TAX_NUMBER):
            text = pattern.sub(lambda found: mask(found[0]), text)
        text = _NUMBER.sub(lambda found: mask(found[0]) if self._is_phone(found[0]) else found[0], text)
        spans, decoded = set(self._find(text)), decode_escapes(text)
        if decoded.text != text:
            spans |= {(decoded.places[start], decoded.places[end]) for start, end in self._find(decoded.text)}
        return _mask_parts(text, sorted(spans))

    def _learn(self, text: str, *, is_name: bool) -> None:
        local, at, domain = text.rpartition("@")
        parts = [text, text.partition("://")[2], domain if at else ""]
        for form in {form for part in parts if part for form in _encodings_of(part)}:
            words = [fold(found[0]) for found in islice(_WORD.finditer(form), max(self._words_left + 1, 0))]
            self._words_left -= len(words)
            if 0 < len(words) < RUN and len("".join(words)) >= SHORTEST:
                self._runs.add(hash(tuple(words)))
            self._runs.update(map(hash, _runs_of(words, RUN)))
        for name in ([text] if is_name else []) + ([local] if at else []):
            self._runs.update(hash((word,)) for word in _name_words(name))
        digits = _digits(text)
        if len(digits) >= PHONE_END:
            self._phone_ends.add(digits[-PHONE_END:])

    def _is_phone(self, number: str) -> bool:
        digits = _digits(number)
        return any(digits[at : at + PHONE_END] in self._phone_ends for at in range(len(digits) - PHONE_END + 1))

    def _find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the words stand that tell a person."""
        spans = [found.span() for found in _WORD.finditer(text)]
        words = [fold(text[start:end]) for start, end in spans]
        for length in range(1, RUN + 1):
            for place, run in enumerate(_runs_of(words, length)):
                if hash(run) in self._runs:
                    yield from spans[place : place + length]


def _mask_parts(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with these parts of it masked; they come in order, and may overlap."""
    pieces, end = [], 0
    for start, stop in spans:
        if stop > end:
            start = max(start, end)
            pieces += [text[end:start], mask(text[start:stop])]
            end = stop
    return "".join(pieces) + text[end:]


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


def _encodings_of(text: str) -> set[str]:
    """The text, and how receivers show its bytes who take them for another encoding."""
    data = text.encode(errors="replace")
    return {text, data.decode("latin-1"), data.decode("cp1252", errors="replace")}


def _name_words(name: str) -> Iterator[str]:
    for form in _encodings_of(name):
        for word in map(fold, _WORD.findall(form)):
            if len(word) > 1 and word not in PARTICLES and not word.isdecimal():
                yield word


def _runs_of(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(length)), strict=False)


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))
