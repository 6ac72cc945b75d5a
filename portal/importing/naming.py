"""What the name of a column says, however its words are put together."""

import re
from collections.abc import Iterator, Mapping, Sequence

from portal.importing.vocabulary import FILLING, KINDS, MAYBE, NAMING, OF_SEVERAL, PERSONS, SURE
from portal.rules.folding import fold, word_set

HUMP = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
WORD = re.compile(r"[^\W_]+")
CUSTOM = "__c"  # how Salesforce ends the names of the fields that a company made
OF_COMPANY = word_set("empresa company organizacao organization")
JOINED = (("e mail", "email"), ("linked in", "linkedin"), ("whats app", "whatsapp"), ("hub spot", "hubspot"))
# What a name does not say any more without `linkedin`; of the others it only says where they were found.
OF_PROFILE_ITSELF = frozenset(("linkedin", "owner_name", "owner_email"))
SCALE = re.compile(r"\b[01] ?(?:a|ate|to|[-–—/]|\.\.+) ?(\d{1,3})\b")  # from which level to which
# What stands between what two things are called; a dash stands behind what a field is of, too: `Pessoa - Empresa`.
BETWEEN = re.compile(r"[/|&+]| (?:e|y|and) ", re.IGNORECASE)
DASH = re.compile(r"[-–—] ")
# A second person of a row, which is about the first.
ANOTHER = re.compile(r"\b(?:contact|contato|contacto|person|pessoa|persona|lead|socio) ?[2-9]\b")
MAX_NAME = 300
MAX_WORDS = 12  # a longer text is no name of a column
ASKING = word_set("is has was tem possui")  # how a name begins that asks whether something is so: `is_organisation`
HIGHEST_LEVEL = 3
BOTH = {"name", "current_company"}


def known_names(header: Sequence[str]) -> int:
    """How many of these cells are names of columns."""
    return sum(any(by_name(cell, names) for names in (SURE_NAMES, MAYBE_NAMES)) for cell in header)


def words_of(name: str) -> list[str]:
    """The words of a column's name: folded, however they were put together, without numbers and remarks in brackets."""
    name = name[:MAX_NAME].removesuffix(CUSTOM)
    plain = BRACKETS.sub(_without_remark, name)
    folded = " ".join(WORD.findall(fold(HUMP.sub(" ", plain if WORD.search(plain) else name))))
    for apart, joined in JOINED:
        folded = folded.replace(apart, joined)
    words = [word for word in folded.split() if not word.isdecimal()]
    return [each for word in words for each in GLUED.get(word, (word,))]


def _without_remark(found: re.Match[str]) -> str:
    """Nothing of what stands in brackets, unless that says whose it is: `Telefone (empresa)`."""
    return found[0] if fold(found[0][1:-1]) in OF_COMPANY else " "


def _key(words: Sequence[str]) -> frozenset[str]:
    return frozenset(word[:-1] if len(word) > 4 and word.endswith("s") else word for word in words)


def _names(vocabulary: Mapping[str, str]) -> dict[frozenset[str], str]:
    return {_key(name.split()): field for field, names in vocabulary.items() for name in names.split(",")}


SURE_NAMES, MAYBE_NAMES = _names(SURE), _names(MAYBE)
_words = word_set(" ".join(SURE.values()).replace(",", " "))
_glued = {"".join(name.split()): name.split() for names in SURE.values() for name in names.split(",")}
# Names whose words a program wrote as one: `jobtitle`.
GLUED = {glued: words for glued, words in _glued.items() if glued not in _words} | {"dt": ["data"]}


def by_name(name: str, names: Mapping[frozenset[str], str]) -> str | None:
    """The field of this name: as it is, then without the words that say only whose it is or which one of several."""
    words = words_of(name)
    if not words or len(words) > MAX_WORDS or words[0] in ASKING:
        return None
    for key in _shorter(words):
        if found := names.get(key):
            return found
    if "linkedin" in words:
        found = by_name(" ".join(word for word in words if word != "linkedin"), names)
        if found is not None and found not in OF_PROFILE_ITSELF:
            return found
    rest = [word for word in words if word not in FILLING | PERSONS]
    found = names.get(_key([word for word in rest if word not in KINDS]))
    if found in OF_SEVERAL:
        return found
    alone = {names.get(_key([word])) for word in rest}
    return alone.pop() if len(alone) == 1 else None


def is_of_another(name: str) -> bool:
    return ANOTHER.search(fold(name[:MAX_NAME])) is not None


def is_of_linkedin(name: str) -> bool:
    """Whether a name says that the handles below it are those of LinkedIn, and not of another network."""
    return by_name(name, SURE_NAMES) == "linkedin"


def is_of_both(name: str) -> bool:
    """Whether the cells below hold a person's name and a company's: `Nome / Empresa`, `Nome - Empresa`."""
    name = name[:MAX_NAME]
    parts = BETWEEN.split(name)
    if len(parts) < 2 and NAMING.issuperset(words_of(DASH.split(name)[0])):
        parts = DASH.split(name)
    return len(parts) == 2 and {by_name(each, SURE_NAMES) or by_name(each, MAYBE_NAMES) for each in parts} == BOTH


def is_of_another_scale(name: str) -> bool:
    """Whether a name says that its levels go to more than 3: `Nível de interesse (1 a 5)`."""
    return any(int(highest) > HIGHEST_LEVEL for highest in SCALE.findall(fold(name[:MAX_NAME])))


def _shorter(words: Sequence[str]) -> Iterator[frozenset[str]]:
    plain = [word for word in words if word not in FILLING]
    yield from (_key(words), _key(plain), _key([word for word in plain if word not in PERSONS]))
