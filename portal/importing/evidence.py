"""What the cells of a column are, looked at while a file is examined: its first rows wholly, then what counts.

Whether every cell is a level, and whether a column writes the month first, is decided by all of its cells.
"""

import re
from collections import Counter
from collections.abc import Sequence

from portal.importing.cells import AREA, SITE, is_formula, read_level, read_text, split_mailbox
from portal.importing.dates import first_numbers, read_date
from portal.rules.folding import word_set
from portal.rules.identity import email_address, linkedin_id

SAMPLE_ROWS = 500
PHONE = re.compile(r"\+?\(?\d[\d\s().-]{8,22}(?:[/;,|]\s*\+?\(?\d[\d\s().-]{8,22})*")  # a phone, or several
# A number with its thousands apart, such as a tax-payer's, a postal code, a number alone, a date.
NO_PHONE = re.compile(r"\d{1,3}(?:\.\d{3})+(?:-?\d{1,2})?|\d{5}-\d{3}|\d+|\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}.*")
# A mobile number of Brazil in digits alone, as one would write a tax-payer's too.
MOBILE = re.compile(r"(?:55)?[1-9]{2}9\d{8}")
WORD = r"[^\W\d_][^\W\d_'’.-]*"
NAME = re.compile(rf"{WORD}(?P<more>(?: {WORD})*)")
MAX_WORDS_OF_NAME = 6
# How the registered names of companies end.
COMPANY = re.compile(r"\b(?:(?i:ltda|limitada|eireli|s\.a|s/a|inc|llc|ltd|corp|gmbh)|SA|ME|EPP|MEI)\.?$")
SALUTATIONS = word_set("sr sra srta sr(a) dr dra prof profa mr mrs ms miss mx dona don dna senhor senhora")
FLAGS = word_set("true false yes no sim nao si verdadeiro falso sent enviada enviado ok x")
STAGES = word_set("andamento aberto aberta ganho ganha perdido perdida vendido vendida pausado pausada open won lost")
MAX_LOOKED_AT = 300
MOST_KNOWN = 2000  # cells of a column that are kept, so that one that is repeated below the sample is looked at once


class Evidence:
    """What a column was seen to hold."""

    def __init__(self) -> None:
        self.filled = 0
        self.counts: Counter[str] = Counter()
        self._people: set[str] = set()
        self._known: set[str] = set()
        self.day_first = self.month_first = self.ambiguous = 0
        self.has_dates = self.has_sites = False
        self.levels = 0
        self.is_all_levels = True

    def add(self, cell: str) -> bool:
        """Look at one more cell. Returns whether more of them could still tell something."""
        if not cell or cell in self._known or not (text := read_text(cell[:MAX_LOOKED_AT])) or is_formula(text):
            return True
        if self.filled == SAMPLE_ROWS and len(self._known) < MOST_KNOWN:
            self._known.add(cell)
        if self.filled < SAMPLE_ROWS:
            self._sample(text)
        if self.is_all_levels:
            self._add_level(text)
        if self.has_dates:
            self._add_date(text)
        return self.filled < SAMPLE_ROWS or self.is_all_levels or self.has_dates

    def are(self, kind: str) -> bool:
        """Whether at least half of the filled cells are of that kind.

        The kinds are `profiles`, `links`, `emails`, `mailboxes` (an e-mail behind a name), `phones`, `mobiles` (digits
        alone), `areas` (of phones), `dates`, `flags`, `codes` (of a program, in lower case), `stages` (of a deal),
        `salutations`, `words`, `names` of several words, and `companies`.
        """
        return self.counts[kind] * 2 >= self.filled > 0

    @property
    def tells_apart(self) -> bool:
        """Whether its profiles and e-mails are as many people's as there are rows, and not a few senders'."""
        return len(self._people) * 2 > self.counts["profiles"] + self.counts["emails"]

    def allows(self, field: str) -> bool:
        """Whether the cells are such that a name which is not sure of the field may be believed."""
        if field == "interest_level":
            return self.is_all_levels and self.levels > 0
        if field.endswith("_date"):
            return self.are("dates")
        if field == "linkedin":
            return self.are("profiles")
        if field == "name":
            return not (self.are("phones") or self.are("mobiles"))
        if field == "message":
            return not (self.are("dates") or self.are("flags"))
        return not (field == "role" and self.are("salutations"))

    @property
    def writes_month_first(self) -> bool:
        return self.month_first > self.day_first

    @property
    def is_order_open(self) -> bool:
        """Whether the order of day and month matters and no cell tells it."""
        return self.ambiguous > 0 and self.day_first == self.month_first

    def _sample(self, text: str) -> None:
        self.filled += 1
        if "@" in text:
            self.counts["mailboxes"] += split_mailbox(text)[1] != ""
            self._add_person("emails", email_address(text))
        elif ("/" in text and " " not in text.strip()) or text.startswith("="):
            self._add_person("profiles", linkedin_id(text) if "/" in text else None)
            self.counts["links"] += text.startswith("=")
        elif text[-1].isdecimal() and PHONE.fullmatch(text) and not NO_PHONE.fullmatch(text):
            self.counts["phones"] += 1
        elif MOBILE.fullmatch(text):
            self.counts["mobiles"] += 1
        elif (found := NAME.fullmatch(text)) and text.count(" ") < MAX_WORDS_OF_NAME and not text.islower():
            self.counts["names" if found["more"] else "words"] += 1
        word = text.lower().rstrip(".")
        self.counts["areas"] += AREA.fullmatch(text) is not None
        self.has_sites = self.has_sites or SITE.search(text) is not None
        self.counts["companies"] += COMPANY.search(text) is not None
        self.counts["codes"] += len(text) > 3 and text.islower() and " " not in text
        self.counts["stages"] += word.removeprefix("em ") in STAGES
        self.counts["salutations"] += word in SALUTATIONS
        self.counts["flags"] += word in FLAGS or word.isdecimal()
        if any(character.isdecimal() for character in text[:20]) and read_date(text):
            self.counts["dates"] += 1
            self.has_dates = True

    def _add_person(self, kind: str, found: str | None) -> None:
        if found is not None:
            self.counts[kind] += 1
            self._people.add(found)

    def _add_level(self, text: str) -> None:
        try:
            self.levels += read_level(text) > 0
        except ValueError:
            self.is_all_levels = False

    def _add_date(self, text: str) -> None:
        if numbers := first_numbers(text):
            self.day_first += numbers[0] > 12 >= numbers[1]
            self.month_first += numbers[1] > 12 >= numbers[0]
            self.ambiguous += numbers[0] <= 12 and numbers[1] <= 12 and numbers[0] != numbers[1]


def look_at(evidence: Sequence[Evidence], still: list[int], cells: Sequence[str]) -> list[int]:
    """Look at one more row of a table. Returns the columns that are worth looking at in the next one."""
    return [index for index in still if index >= len(cells) or evidence[index].add(cells[index])]
