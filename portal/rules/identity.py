"""Who somebody is: a LinkedIn id, an e-mail or a name, from whatever somebody typed, copied or exported.

Everything here is idempotent and linear: what is longer than any real value is not looked at.
"""

import re
import unicodedata
from urllib.parse import unquote_to_bytes

from portal.rules.folding import fold, word_set

MAX_ID = 200
MAX_EMAIL = 254
MAX_LOOKED_AT = 4000  # characters of a text in which an address is looked for

HOST = re.compile(r"linkedin\.[a-z]{2,3}(?:\.[a-z]{2})?(?::\d+)?/+([^\s\"'<>]+)", re.IGNORECASE)
# An id ends at a sign that it never has; what goes on after a dot is none, and not a part of it.
ID = re.compile(r"[^\s/\\?#&\"'<>(),;:|=@.!*\[\]{}]++(?!\.\w)")
PROFILES = ("in", "pub")
# What may stand before `in` or `pub` in the address of a profile.
DETOURS = frozenset(("comm", "mwlite", "mobile", "m", "profile", "public-profile"))
# The key of a member, which opens the profile like an id; its letters' case counts.
MEMBER_KEY = re.compile(r"AC[ow]A[A-Za-z0-9_-]{20,}")
OLD_PART = re.compile(r"[0-9a-z]{1,3}", re.IGNORECASE)

# An id, or the address of a profile, as most files write it.
USUAL_ID = re.compile(r"(https?://(?:[a-z]{2,3}\.)?linkedin\.com/in/)?([a-z0-9-]{3,100})(?(1)/?)")

EMAIL = re.compile(r"[^@]{1,64}@[\w-]+(?:\.[\w-]+)+")
USUAL_EMAIL = re.compile(r"[a-z0-9_+-][a-z0-9._+-]{0,63}@[a-z0-9-]+(?:\.[a-z0-9-]+)+")
NO_EMAIL = re.compile(r"[\s,;:|<>()\[\]{}\"“”„«»?/\\]+")  # what stands between addresses, around them and before them

# What programs write into a cell that holds nothing.
EMPTY = word_set(
    "n/a n/d n.a. n.d. null undefined (null) (blank) (vazio) <null> [null] #n/a #n/d #null! #ref! #value! "
    "#valor! #div/0! #name? #nome? #num! #getting_data"
)
EMPTY_STARTS = frozenset("nNuU(<[#")
# What people write where they have no identifier.
NOBODY = word_set(
    """na nd nan nil none nenhum nenhuma nada ninguem sem vazio empty blank missing unknown desconhecido desconocido
    ninguno ninguna tbd pendente 0 false true sim nao no yes si ok x xx xxx teste test me"""
)
# What a link to a profile shows, and is left of it in a file that keeps no links.
LINK_WORDS = word_set("linkedin perfil profile ver link url")
NOBODY_OR_BLANK = NOBODY | LINK_WORDS | {""}
NO_ID = re.compile(r"(?:nao|sem|no|not|sin|without) \S.*")  # `não tem`, `sem LinkedIn`, `no email`, `not available`

HIDDEN = "\u00ad\u061c\u200b\u200e\u200f\u2060\ufeff"
FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs that are drawn as nothing
USUAL = re.compile(r"[ -~À-ÖØ-öø-ÿ–—’ºª]*")  # texts without any mark or letter that needs a look


def linkedin_id(text: str) -> str | None:
    """The id of the public profile that a text names, folded for comparison; None when it names none.

    Takes addresses of every form, formulas and texts that hold one, and the bare id. `/pub/name/a/b/c` is `name-cba`,
    where LinkedIn redirects.
    """
    if len(text) > MAX_LOOKED_AT:
        return None
    if usual := USUAL_ID.fullmatch(text):
        return None if usual[2] in EMPTY or usual[2].strip("-") in NOBODY_OR_BLANK else usual[2]
    text = _unquote(clean_text(text))
    paths = _paths(text)
    found = next(filter(None, map(_from_path, paths)), None) if paths else _bare(text)
    if found is None or len(found) > MAX_ID or says_nothing(found) or not _is_telling(found):
        return None
    return found if MEMBER_KEY.fullmatch(found) else _settle(found)


def email_address(text: str) -> str | None:
    """The first e-mail address in a text, in lower case; None when there is none."""
    if len(text) > MAX_LOOKED_AT:
        return None
    if USUAL_EMAIL.fullmatch(text) and len(text) <= MAX_EMAIL:
        return text
    for part in NO_EMAIL.split(clean_text(text)):
        part = part.strip(".'")
        if len(part) <= MAX_EMAIL and EMAIL.fullmatch(part):
            address = unicodedata.normalize("NFC", part.lower())
            return address if len(address) <= MAX_EMAIL else None
    return None


def clean_text(text: str) -> str:
    """A text on one line, without control, bidirectional and invisible marks; empty when nothing of it can be seen."""
    if USUAL.fullmatch(text):
        return " ".join(text.split())
    kept = "".join(character for character in text if not _is_mark(character))
    return " ".join(kept.split()) if any(_is_seen(character) for character in kept) else ""


def has_marks(text: str) -> bool:
    """Whether `clean_text` would take more from it than space."""
    return not text.isprintable() and any(_is_mark(character) for character in text)


def is_empty(text: str) -> bool:
    """Whether a cell holds nothing, or only what programs write in place of nothing: `-`, `#N/A`, `undefined`."""
    if not text[:1].isalnum() and not any(map(_says_something, text)):
        return True
    start = text.lstrip()[0]
    return start in EMPTY_STARTS and len(text) < 40 and all(word in EMPTY for word in text.lower().split())


def public_id(text: str) -> str | None:
    """The id of a profile that its member shows, and not a key, which some tools write beside it."""
    found = linkedin_id(text)
    return None if found is None or MEMBER_KEY.fullmatch(found) else found


def says_nothing(text: str) -> bool:
    """Whether a text given as somebody's id or e-mail names nobody: `-`, `n/a`, `não tem`."""
    if is_empty(text):
        return True
    if len(text) > MAX_LOOKED_AT:
        return False
    folded = _bare_words(text)
    is_nobody = folded in NOBODY_OR_BLANK or NO_ID.fullmatch(folded) is not None
    return len(folded) < 40 and "@" not in folded and is_nobody


def shows_link(text: str) -> bool:
    """Whether a text is what a link to a profile shows, without where it leads: `Perfil`, `LinkedIn`."""
    return len(text) < 40 and _bare_words(text) in LINK_WORDS


def _bare_words(text: str) -> str:
    return fold(clean_text(text)).strip("()[]<>.!?- ")


def _paths(text: str) -> list[str]:
    """The paths of the LinkedIn addresses in the text, or of the one that came without its host."""
    start = text.lstrip("/").split("/", 2)
    is_path = len(start) > 1 and (start[0].lower() in PROFILES or start[0].lower() in DETOURS)
    return [text] if is_path else HOST.findall(text)


def _from_path(path: str) -> str | None:
    parts = [part for part in re.split(r"[?#]", path, maxsplit=1)[0].split("/") if part]
    while parts and parts[0].lower() in DETOURS:
        del parts[0]
    if len(parts) < 2 or parts[0].lower() not in PROFILES:
        return None
    found = ID.match(parts[1])
    if found is None or (parts[0].lower() == "pub" and found[0].lower() == "dir"):
        return None
    old = [OLD_PART.match(part) for part in parts[2:5]] if parts[0].lower() == "pub" else []
    if len(old) == 3 and all(old):
        return "-".join((found[0], "".join(part[0] for part in reversed(old) if part)))
    return found[0]


def _bare(text: str) -> str | None:
    text = text.removeprefix("@")
    return text if ID.fullmatch(text) else None


def _is_telling(text: str) -> bool:
    """Whether an id is more than a number of some row."""
    return len(text) > 2 or any(character.isalpha() for character in text)


def _settle(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _unquote(text: str) -> str:
    """The text without percent-encoding, which redirects apply to it more than once; of Latin-1 too."""
    for _ in range(3):
        if "%" not in text:
            return text
        raw = unquote_to_bytes(text)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    return clean_text(text)


def _says_something(character: str) -> bool:
    """Whether it is a letter, a digit or a picture, such as a star."""
    return character not in FILLERS and (character.isalnum() or unicodedata.category(character) == "So")


def _is_mark(character: str) -> bool:
    if character < "\x7f":
        return character < " " and not character.isspace()
    if character in HIDDEN or "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069":
        return True
    return unicodedata.category(character) == "Cc" and not character.isspace()


def _is_seen(character: str) -> bool:
    if character in FILLERS or character.isspace():
        return False
    return unicodedata.category(character) not in ("Cf", "Cs", "Mn", "Me")
