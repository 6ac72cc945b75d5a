"""What tells a person in texts that nobody took apart, such as files. Finding it takes time linear in the text."""

import re
from collections import deque
from collections.abc import Iterable, Sequence

from portal.models import Contact
from portal.rules.escapes import decode_escapes
from portal.rules.folding import fold

# Characters of a piece of text that are looked at again with the next: nothing that tells a person is longer.
OVERLAP = 4000
# Signs that may stand between two words of one text: those that end a cell and begin the next, and a space.
WIDEST_GAP = 5
TELLING = ("name", "email", "linkedin_public_id", "phone")
_WORD = re.compile(r"\w+")


class Traces:
    """A person's name, e-mail, LinkedIn id and telephone, as words in a row; of a merged contact also what it had been.

    They are found in any case, with accents or without, behind the escapes of JSON and addresses, and spread over two
    cells; never within a longer word or name of an account. A text without letters and digits tells nobody.
    """

    def __init__(self, contact: Contact) -> None:
        people = [{name: getattr(contact, name) for name in TELLING}, *(contact.merged or [])]
        texts = {fold(text) for person in people for text in map(person.get, TELLING) if text}
        self._runs = [_Run(text, words) for text in sorted(texts) if (words := _WORD.findall(text))]

    def are_in(self, text: str) -> bool:
        """Whether the text holds a trace."""
        readings = {fold(text), fold(decode_escapes(text).text)}
        return any(run.is_in(reading) for run in self._runs for reading in readings)

    def are_in_any(self, pieces: Iterable[str]) -> bool:
        """Whether the text in these pieces holds a trace, also where two of them meet."""
        end = ""
        for piece in pieces:
            text = end + piece
            if self.are_in(text):
                return True
            end = text[-OVERLAP:]
            if len(text) > OVERLAP and (cut := _WORD.match(end)):
                end = end[cut.end() :]  # the rest of a word is no word
        return False


class _Run:
    """Words that follow one another, found by the algorithm of Knuth, Morris and Pratt: no word is looked at twice."""

    def __init__(self, text: str, words: Sequence[str]) -> None:
        self._words = words
        self._is_bare = text.startswith(words[0])
        self._fallbacks = _fallbacks_of(words)

    def is_in(self, text: str) -> bool:
        if not all(word in text for word in self._words):
            return False
        starts: deque[int] = deque(maxlen=len(self._words))
        matched = end = 0
        for found in _WORD.finditer(text):
            if found.start() - end > WIDEST_GAP:
                matched = 0
            starts.append(found.start())
            end = found.end()
            while matched and self._words[matched] != found[0]:
                matched = self._fallbacks[matched - 1]
            matched += self._words[matched] == found[0]
            if matched == len(self._words):
                before, after = text[max(starts[0] - 1, 0) : starts[0]], text[end : end + 1]
                # `ana@example.com` is no part of `maria.ana@example.com`, and `ana-lima` none of `ana-lima-7`.
                if not (self._is_bare and before in (".", "+", "-")) and after != "-":
                    return True
                matched = self._fallbacks[matched - 1]
        return False


def _fallbacks_of(words: Sequence[str]) -> list[int]:
    """For each word, how many of the first words also end there: as many stay matched when the next one differs."""
    fallbacks, matched = [0], 0
    for word in words[1:]:
        while matched and words[matched] != word:
            matched = fallbacks[matched - 1]
        matched += words[matched] == word
        fallbacks.append(matched)
    return fallbacks
