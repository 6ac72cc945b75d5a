"""Text as search and order see it."""

import re
import unicodedata
from functools import lru_cache

ACCENTS = re.compile("[\u0300-\u036f]+")  # the accents of the languages of Europe, apart from their letters
MAX_SHORT = 100


def fold(text: str) -> str:
    """The text without case and accents, for search and order.

    Accents that stand alone go first: putting a long run of them into order takes the square of its length.
    """
    if text.isascii():
        return text.casefold()
    return _fold_short(text) if len(text) <= MAX_SHORT else _fold_long(text)


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


@lru_cache(maxsize=2048)
def _fold_short(text: str) -> str:
    plain = ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return plain.casefold() if plain.isascii() else _fold_long(text)


def _fold_long(text: str) -> str:
    return _without_accents(unicodedata.normalize("NFKD", _without_accents(text))).casefold()


def _without_accents(text: str) -> str:
    accents = {ord(character): None for character in set(text) if unicodedata.combining(character)}
    return text.translate(accents) if accents else text
