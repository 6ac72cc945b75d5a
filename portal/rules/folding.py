"""Text as search and order see it."""

import unicodedata


def fold(text: str) -> str:
    """The text without case and accents, for search and order."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()


def word_set(words: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(words.split())
