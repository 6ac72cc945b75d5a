"""What one cell says: a text, a phone, a level."""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from portal.rules.folding import fold, word_set
from portal.rules.formulas import unguard
from portal.rules.identity import NO_EMAIL, clean_text, email_address, is_empty

# A cell that says what it says: it begins as nothing begins that stands for nothing, and has no odd space.
USUAL = re.compile(r"[a-mo-tv-zA-MO-TV-Z0-9À-ÖØ-öø-ÿ]\S*(?: \S+)*")
TEXT_MARK = re.compile(r'="(.*)"', re.DOTALL)  # how spreadsheets are told in CSV that a number is a text
HYPERLINK = re.compile(r'=\s*(?:HYPERLINK|HIPERLINK|HIPERVINCULO)\(\s*"([^"]*)"\s*[;,]\s*"([^"]*)"\s*\)', re.IGNORECASE)
# What is calculated from other cells, in place of what came of it: `=A2&" "&B2`.
FORMULA = re.compile(
    r"""=\s*[-+(]*(?:\$?[A-Z]{1,3}\$?\d|[^\W\d][\w.]*\(|(?:'[^']+'|[^\W\d][\w.]*)!|"[^"]*"\s*&)""", re.IGNORECASE
)
# The address behind a text, as programs write what leads to a page of theirs: `Acme (https://…)`.
LINKED = re.compile(r"\(https?://[^\s()]+\)")
MORE_LINKED = re.compile(r"(?:\s*[,;][^(]*\(https?://[^\s()]+\))*\s*")  # nothing behind it, or only more of the kind
QUOTED = re.compile(r'"([^",]*,[^"]*)"')  # a name with a comma among those of a cell that may hold several
# A long number as a spreadsheet shows and saves it: its digits are lost.
ROUNDED = re.compile(r"[+-]?\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
MIN_DIGITS, DIGITS_OF_PHONE = 3, 8  # of what is dialled within a company, and of a phone without its area
AREA = re.compile(r"\(?0?[1-9]{2}\)?")
WITHOUT_AREA = re.compile(r"[2-9](?:[ .-]?\d){7,8}")  # a phone of Brazil whose area code stands in a column of its own
SEVERAL_VALUES = " ::: "  # what stands between several values in a cell of Google's
SEVERAL = re.compile(r":::|[;|\n]| / ")
SITE = re.compile(r"://|\w\.[^\W\d_]")
# What leads to a chat with a phone.
CHAT = re.compile(r"(?:https?://)?(?:wa\.me/|(?:api|web)\.whatsapp\.com/send/?\?phone=)(\+?\d+)\S*", re.IGNORECASE)
# The first of two phones with a comma between them. Fewer digits beside one are a part of a phone: `11,987654321`.
TWO_PHONES = re.compile(r"((?:\D*\d){8,}?\D*?),(?=(?:[^,\d]*\d){8})")
# What web pages write in place of some characters, and exports of programs that live in them.
ENTITY = re.compile(
    r"&(?:amp|quot|apos|lt|gt|nbsp|#x?[0-9a-f]{2,5}|[a-z]{1,2}(?:acute|grave|circ|tilde|cedil|uml));", re.I
)
# A name with its e-mail, as mail programs write them, and reports of some CRMs; and what stands behind it.
MAILBOX = re.compile(r"([^<(@;|]*[^<(@;|\s])\s*[<(]([^<>()\s]+@[^<>()\s]+)[>)](.*)", re.DOTALL)
PEOPLE = re.compile(r"[,;/|]")  # what stands between the names of several people
QUOTES = " \"'`´“”„‘’‚«»"
LEVEL_WORDS = {
    **dict.fromkeys(("1", "baixo", "baixa", "bajo", "baja", "low"), 1),
    **dict.fromkeys(("2", "medio", "media", "medium"), 2),
    **dict.fromkeys(("3", "alto", "alta", "high"), 3),
}
NO_LEVEL_WORDS = word_set("0 nenhum nenhuma none ninguno sem sin no nao not zero nulo unknown nada")
LEVEL_FILLING = word_set("nivel level grau grado interesse interest interes de of n")
AFFIRMING = word_set("x ok sim si yes true")  # what says that something is so, and neither when nor how much
# A level with a spreadsheet's decimals, or with the highest one.
NUMBER_ALONE = re.compile(r"^([0-3])(?:[.,]0+|\s*(?:/|de|of)\s*3)$")
LEVEL_PART = re.compile(r"\d+%?|[a-z]+|[.,+−-]\d")
MAX_LEVEL = 60
# What LinkedIn shows in place of the name of somebody whom it hides.
HIDDEN_NAME = re.compile(
    r"linkedin[ -](?:member|user|mitglied)|(?:membro|usuari[oa]|utilizador|miembro|membre|utilisateur|utente)"
    r"(?: (?:do|de|di))? linkedin"
)


@dataclass(frozen=True, slots=True)
class Note:
    """A cell that was left out or mended: its field, what was wrong, its column if there is one, and what it said."""

    field: str
    problem: str
    column: int | None
    said: str
    other_line: int = 0  # the line of another row that it speaks of


def read_text(cell: str) -> str:
    """A cell on one line, without the marks of programs; empty when it holds what stands for nothing."""
    if "&" in cell and ENTITY.search(cell):
        cell = html.unescape(cell)
    cell = unicodedata.normalize("NFC", cell)
    if USUAL.fullmatch(cell):
        return cell
    text = cell.strip()
    if text.startswith("="):
        if found := TEXT_MARK.fullmatch(text):
            text = found[1].replace('""', '"')
    elif text.startswith("'"):
        text = text[1:-1].strip() if text.endswith("'") else unguard(text)
    elif found := QUOTED.fullmatch(text):
        text = found[1]
    text = text.removeprefix("\ufeff")
    return "" if is_empty(text) else " ".join(text.split())


def read_label(text: str) -> str:
    """What a link shows, or the text itself; of several values the first."""
    if text.startswith("=") and (found := HYPERLINK.fullmatch(text)):
        text = found[2]
    if "(http" in text and (found := LINKED.search(text)) and MORE_LINKED.fullmatch(text, found.end()):
        text = text[: found.start()].rstrip(" ]").removeprefix("[") or text
    return text.split(SEVERAL_VALUES, 1)[0]


def read_link(text: str) -> str:
    """Where a link leads, or the text itself."""
    found = HYPERLINK.fullmatch(text) if text.startswith("=") else None
    return found[1] if found else text.split(SEVERAL_VALUES, 1)[0]


def read_site(text: str) -> str | None:
    """The address of a site; None for any other text, such as a street."""
    link = read_link(text)
    return link if SITE.search(link) else None


def is_formula(text: str) -> bool:
    """Whether a cell holds a formula whose result the file does not say; a link says what it shows."""
    return text.startswith("=") and FORMULA.match(text) is not None and HYPERLINK.fullmatch(text) is None


def read_phone(text: str) -> str | None:
    """The first phone of a cell, as it is written; None when there is none, or only a rounded number."""
    if is_rounded(text):
        return None
    phone = CHAT.sub(r"\1", SEVERAL.split(clean_text(read_label(text)))[0])
    if found := TWO_PHONES.match(phone):
        phone = found[1]
    phone = phone.strip(" '").removeprefix("tel:").removeprefix("p:").removesuffix(".0").strip()
    return phone if sum(character.isdecimal() for character in phone) >= MIN_DIGITS else None


def put_phone_together(areas: Sequence[tuple[int, str]], column: int, phone: str) -> str:
    """A column's phone, behind the area code of the nearest column before it, where it has none itself."""
    before = [text for index, text in areas if index < column]
    area = (before[-1] if before else areas[0][1]).removesuffix(".0").strip("() ")
    return f"({area}) {phone}" if AREA.fullmatch(area) and WITHOUT_AREA.fullmatch(phone) else phone


def split_mailbox(text: str) -> tuple[str, str, str]:
    """The name and the e-mail of `Ana Lima <ana@example.com>`, and what follows; of any other text only itself."""
    found = MAILBOX.match(text) if "@" in text else None
    name = found[1].strip(QUOTES) if found else ""
    return (name, found[2], found[3].strip(" ;,|")) if found and name else (text, "", "")


def split_people(names: str, emails: str) -> tuple[str, str, str]:
    """The first person of a cell, the e-mail behind its name, and the others; `emails` are those of another cell.

    `Ana Lima, Rui Paz` are as many as there are e-mails beside them that begin each otherwise; any other name is one.
    """
    if not ("@" in names or PEOPLE.search(names)):
        return names, "", ""
    name, email, more = split_mailbox(names)
    people = [each.strip() for each in PEOPLE.split(name)]
    begins = [each.strip()[:3].lower() for each in PEOPLE.split(emails) if "@" in each]
    is_one = len(people) == 1 or len(begins) != len(people) or len(set(begins)) < len(begins)
    if email or is_one or not all(" " in each for each in people):
        return name, email, more
    return people[0], "", ", ".join(people[1:])


def has_more_emails(text: str, first: str | None) -> bool:
    """Whether a text holds another e-mail than the first."""
    if first is None or text.count("@") < 2:
        return False
    return not {first, None}.issuperset(map(email_address, NO_EMAIL.split(text)))


def has_more_phones(text: str, first: str | None) -> bool:
    """Whether a text holds another phone than the first, and not only that one written in another way."""
    if first is None or len(text) < len(first) + DIGITS_OF_PHONE:
        return False
    head, *others = SEVERAL.split(text)
    if found := TWO_PHONES.match(head):
        others.append(head[found.end() :])
    known = _digits_of(first)
    told = (_digits_of(each.removesuffix(".0")) for each in others)
    more = [digits for digits in told if len(digits) >= DIGITS_OF_PHONE]
    return not all(known.endswith(digits) or digits.endswith(known) for digits in more)


def _digits_of(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


def is_hidden_name(text: Any) -> bool:
    """Whether a name is what LinkedIn shows in its place: `LinkedIn Member`, `Usuário do LinkedIn`."""
    return (
        isinstance(text, str)
        and "linkedin" in text.lower()
        and HIDDEN_NAME.fullmatch(" ".join(fold(text).split())) is not None
    )


def put_name_together(whole: str, first: str, middle: str, last: str) -> str:
    """The name of a contact from what its columns say of it.

    A whole name without a word of the first and the last one is a title of a lead or a deal.
    """
    if whole and not (first and last):
        return whole
    is_whole = last and " " in first and fold(first).endswith(f" {fold(last)}")
    parts = first if is_whole else " ".join(filter(None, (first, middle, last)))
    return whole if whole and not word_set(fold(whole)).isdisjoint(word_set(fold(parts))) else parts


def is_rounded(text: str) -> bool:
    """Whether a spreadsheet rounded a long number, as in `5,51199E+12`."""
    return ROUNDED.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def read_level(text: str) -> int:
    """The level that a cell says by number, by word or by both; 0 for none. Raises ValueError.

    Takes `2`, `2,0`, `2/3`, `Médio`, `2 - Médio`, `Nível 2`, `Alto interesse`.
    """
    if len(text) > MAX_LEVEL:
        raise ValueError(text)
    folded = NUMBER_ALONE.sub(r"\1", fold(text))
    parts = [part for part in LEVEL_PART.findall(folded) if part not in LEVEL_FILLING]
    if parts and all(part in NO_LEVEL_WORDS for part in parts):
        return 0
    levels = {LEVEL_WORDS.get(part) for part in parts}
    level = levels.pop() if len(levels) == 1 else None
    if level is None:
        raise ValueError(text)
    return level
