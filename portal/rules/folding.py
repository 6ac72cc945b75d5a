"""Text as search and order see it."""

import unicodedata


def fold(text: str) -> str:
    """The text without case and accents, for search and order.

    Accents that stand alone go first: putting a long run of them into order takes the square of its length.
    """
    if text.isascii():
        return text.casefold()
    return _without_accents(unicodedata.normalize("NFKD", _without_accents(text))).casefold()


def word_set(words: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(words.split())


def _without_accents(text: str) -> str:
    accents = {ord(character): None for character in set(text) if unicodedata.combining(character)}
    return text.translate(accents) if accents else text
