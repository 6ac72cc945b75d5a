"""What a file's columns hold: by their names as far as these are sure, else by what stands in their cells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from portal.importing.evidence import Evidence
from portal.importing.naming import (
    MAYBE_NAMES,
    SURE_NAMES,
    by_name,
    is_of_another,
    is_of_another_scale,
    is_of_both,
    words_of,
)
from portal.importing.own import KIND as OWN_KIND
from portal.importing.own import is_own, own_columns
from portal.importing.vocabulary import (
    FILLING,
    GUESTS,
    KINDS,
    OF_DEALS,
    OTHERS,
    PERSONS,
    RATED,
    SURE,
    SURELY_PERSONS,
    WHOLE_OR_FIRST,
    WHOLE_OR_LAST,
)

FIELDS = tuple(SURE)
NAMES = frozenset(("name", "first_name", "last_name"))  # fields of which one is enough to import
# Fields that say something of a message, and nothing without one.
OF_MESSAGES = frozenset(("message_date", "message_sender"))
# What somebody is told that a column which is left out might hold.
OFFERED = frozenset(("interest_level", "role", "current_company"))
# Names that LinkedIn's file of connections has, by its language.
OF_CONNECTIONS = (
    {"first name", "last name", "connected on"},
    {"nome", "sobrenome", "conectado em"},
    {"nombre", "apellidos", "conectado el"},
)
# How the names begin of which an export of these tools has more than one.
OF_TOOLS = {
    "hubspot": (
        "record id",
        "lifecycle stage",
        "lead status",
        "associated ",
        "marketing contact status",
        "id do registro",
        "fase do ciclo de vida",
        "status de contato de marketing",
        "id de registro",
        "etapa del ciclo de vida",
    ),
    "piperun": ("oportunidade ",),
    "pipedrive": ("person ", "pessoa "),
    "rdstation": ("estagio no funil", "lead scoring ", "data da primeira conversao", "evento da ", "url publica"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, the field that it is imported to, and the one that it is only offered for."""

    name: str
    field: str | None = None
    offer: str | None = None


def recognise(header: Sequence[str], evidence: Sequence[Evidence] | None = None) -> tuple[Column, ...]:
    """What each column holds. Without a look at the cells only sure names are taken, and those for a name."""
    if own := own_columns(header):
        return tuple(Column(*each) for each in zip(header, own, strict=True))
    seen = evidence or [Evidence() for _ in header]
    sure = [None if is_of_another(name) else by_name(name, SURE_NAMES) for name in header]
    maybe = [by_name(name, MAYBE_NAMES) for name in header]
    _leave_out_guests(header, sure, maybe)
    is_named = any(field == "linkedin" and each.are("profiles") for field, each in zip(sure, seen, strict=True))
    fields = [_by_cells(*each, is_named) for each in zip(header, sure, maybe, seen, strict=True)]
    _take_probable(fields, maybe, seen)
    _settle_name(fields, header, maybe, seen)
    _take_companies(fields, maybe, seen)
    _take_by_cells_alone(fields, header, maybe, seen)
    if not any(header):
        _take_name_by_cells(fields, seen)
    if "last_name" in fields and "first_name" not in fields:
        _rename_first(fields, header, seen)
    if "first_name" in fields and "last_name" not in fields:
        _rename_last(fields, header)
    _leave_out_progress(fields, header, seen)
    _settle_level(fields, maybe, header, seen)
    if "message" not in fields:
        fields = [None if field in OF_MESSAGES else field for field in fields]
    if again := repeated_names(header):
        names = [" ".join(name.split()) for name in header]
        is_again = [name in again and name in names[:index] for index, name in enumerate(names)]
        fields = [None if left_out else field for field, left_out in zip(fields, is_again, strict=True)]
    if not NAMES & set(fields):
        fields = [None if is_of_both(name) else field for name, field in zip(header, fields, strict=True)]
    offers = [_offer(*each, fields) for each in zip(header, fields, maybe, seen, strict=True)]
    return tuple(Column(*each) for each in zip(header, fields, offers, strict=True))


def _offer(name: str, field: str | None, maybe: str | None, seen: Evidence, fields: Sequence[str | None]) -> str | None:
    """What a column might hold, where its name and its cells are not enough to take it for that.

    Whoever is responsible is the contact where no other column has names; a name beside the contact's is a company's.
    """
    if not NAMES & set(fields):
        is_of_people = seen.are("names") or is_of_both(name) or (field == "owner_name" and seen.are("words"))
        return "name" if is_of_people and field in (None, "owner_name") else None
    probable = "current_company" if field is None and maybe == "name" else maybe
    return probable if probable in OFFERED and probable not in fields else None


def repeated_names(header: Sequence[str]) -> tuple[str, ...]:
    """The names that a header says again, where another table of people seems to stand beside the first."""
    times = Counter(" ".join(name.split()) for name in header)
    again = tuple(name for name, number in times.items() if name and number > 1)
    is_of_people = len(again) > 1 and any(NAMES & {column.field for column in recognise([name])} for name in again)
    return again if is_of_people else ()


def recognise_kind(header: Sequence[str]) -> str:
    """Whose export this is, as far as the names of its columns tell: a word for the reader, which decides nothing."""
    names = {" ".join(words_of(name)) for name in header}
    if any(each <= names for each in OF_CONNECTIONS):
        return "linkedin"
    if is_own(header):
        return OWN_KIND
    for kind, beginnings in OF_TOOLS.items():
        if sum(name.startswith(beginnings) for name in names) > 1:
            return kind
    return "generic"


def _leave_out_guests(header: Sequence[str], *found: list[str | None]) -> None:
    """A guest's columns say nothing of a contact whose name stands in a column of its own; their level never does."""
    words = [set(words_of(name)) for name in header]
    is_plain = any(not GUESTS & said and not NAMES.isdisjoint(each) for said, *each in zip(words, *found, strict=True))
    for fields in found:
        for index, said in enumerate(words):
            is_level = fields[index] == "interest_level" and said & (PERSONS - RATED)
            if is_level or (is_plain and said & GUESTS):
                fields[index] = None


def _by_cells(name: str, sure: str | None, maybe: str | None, seen: Evidence, is_named: bool) -> str | None:
    """The field of a column for itself, where what its cells hold may overrule its name.

    `is_named` says that another column holds the profiles by its name.
    """
    if sure == "owner_name" and seen.are("emails"):
        return "owner_email"
    if sure == "phone" and seen.are("areas"):
        return "area_code"
    if sure == "current_company_link" and seen.filled and not seen.has_sites:
        return None  # a street
    is_of_contact = not OTHERS & set(words_of(name))
    is_theirs = maybe == "linkedin" or (not is_named and seen.tells_apart)
    if _are_names(maybe, seen):
        return sure
    if seen.are("profiles") and (sure == "current_company_link" or (is_of_contact and sure is None and is_theirs)):
        return "linkedin"
    if maybe not in (None, "linkedin") and is_of_contact and seen.are("emails") and seen.tells_apart:
        return "email"
    return sure


def _are_names(maybe: str | None, seen: Evidence) -> bool:
    """Whether the cells are names that lead to a profile or stand before an e-mail."""
    return maybe == "name" and (seen.are("links") or seen.are("mailboxes"))


def _take_probable(fields: list[str | None], maybe: Sequence[str | None], seen: Sequence[Evidence]) -> None:
    """Fields that no sure column holds, from the columns that probably do."""
    taken = set(fields)
    if "first_name" not in taken:
        taken.add("last_name")  # `apelido` is a surname in Portugal, and a nickname in Brazil
    if "city" in taken:
        taken.add("location")  # the address is the street's
    for index, field in enumerate(maybe):
        if fields[index] is None and field is not None and field not in taken and seen[index].allows(field):
            fields[index] = field


def _settle_name(
    fields: list[str | None], header: Sequence[str], maybe: Sequence[str | None], seen: Sequence[Evidence]
) -> None:
    """Of several columns that probably hold the name only the likeliest, where it is filled as often as the others.

    Beside `Contato principal` or names of `Contatos` a `Nome` is a deal's or a company's; beside `Nome` a `Cliente` is
    whom they work for, and beside `Contato` a `Lead` too.
    """
    probable = [index for index, field in enumerate(fields) if field == "name" == maybe[index]]
    if len(probable) < 2:
        return
    words = {index: set(words_of(header[index])) - FILLING for index in probable}
    best = min(
        probable,
        key=lambda index: (
            seen[index].are("companies"),
            words[index].isdisjoint(KINDS) and not (seen[index].are("names") and words[index] & OF_DEALS),
            not words[index] <= WHOLE_OR_FIRST,
            words[index].isdisjoint(SURELY_PERSONS),
        ),
    )
    if all(seen[best].filled * (1 + seen[index].are("companies")) >= seen[index].filled for index in probable):
        for index in probable:
            fields[index] = "name" if index == best else None


def _take_companies(fields: list[str | None], maybe: Sequence[str | None], seen: Sequence[Evidence]) -> None:
    """What is called as a contact may be, and holds companies' names, is their company, if no filled one says it."""
    if any(field == "current_company" and each.filled for field, each in zip(fields, seen, strict=True)):
        return
    for index, field in enumerate(fields):
        if field is None and maybe[index] == "name" and seen[index].are("companies"):
            fields[index] = "current_company"
            return


def _take_by_cells_alone(
    fields: list[str | None], header: Sequence[str], maybe: Sequence[str | None], seen: Sequence[Evidence]
) -> None:
    """The e-mail and the phone, from a column of a name that says neither, where no column that is filled says it."""
    for field, kind in (("email", "emails"), ("phone", "phones")):
        if any(each == field and seen[index].filled for index, each in enumerate(fields)):
            continue
        for index, name in enumerate(header):
            is_of_contact = not (OTHERS & set(words_of(name)) or is_of_another(name))
            is_free = is_of_contact and fields[index] in (None, maybe[index])
            is_of_each = kind == "phones" or (seen[index].tells_apart and not _are_names(maybe[index], seen[index]))
            is_mobile = kind == "phones" and seen[index].are("mobiles") and (not name or maybe[index] == "name")
            if is_free and (seen[index].are(kind) or is_mobile) and is_of_each:
                fields[index] = field
                break


def _take_name_by_cells(fields: list[str | None], seen: Sequence[Evidence]) -> None:
    """The name, where no column says what it is: the first one of names, or a first and a last name side by side."""
    free = [index for index, field in enumerate(fields) if field is None]
    whole = next((index for index in free if seen[index].are("names")), None)
    words = [index for index in free if seen[index].are("words")]
    if words and (whole is None or words[0] < whole) and words[0] + 1 in words:
        fields[words[0]], fields[words[0] + 1] = "first_name", "last_name"
    elif whole is not None or words:
        fields[whole if whole is not None else words[0]] = "name"


def _leave_out_progress(fields: list[str | None], header: Sequence[str], seen: Sequence[Evidence]) -> None:
    """The state is none of a country where it stands alone, or says `connected`: it is how far a contact has come.

    `Estado` is where it says so of a deal: `Em andamento`.
    """
    is_alone = not {"city", "country"} & set(fields)
    for index, name in enumerate(header):
        is_of_lead = words_of(name)[-1:] == ["lead"]  # `Lead - Estado` is where they are
        is_progress = is_of_lead or (words_of(name) == ["state"] and (is_alone or seen[index].are("codes")))
        if fields[index] == "state" and (is_progress or seen[index].are("stages")):
            fields[index] = None


def _settle_level(
    fields: list[str | None], maybe: list[str | None], header: Sequence[str], seen: Sequence[Evidence]
) -> None:
    """One column alone has the levels that go to the CRM: that of the plainest name. Those of a longer scale do not."""
    for index, name in enumerate(header):
        if fields[index] == "interest_level" and is_of_another_scale(name):
            fields[index], maybe[index] = None, "interest_level"
    found = [index for index, field in enumerate(fields) if field == "interest_level"]
    for index in sorted(found, key=lambda index: (not seen[index].filled, len(header[index])))[1:]:
        fields[index] = None


def _rename_first(fields: list[str | None], header: Sequence[str], seen: Sequence[Evidence]) -> None:
    """The first name is what a name of single words is beside a last name; else what `Nome` says."""
    is_first = [field == "name" and each.are("words") for field, each in zip(fields, seen, strict=True)]
    for index, name in enumerate(header):
        is_plain = WHOLE_OR_FIRST >= set(words_of(name)) - FILLING - PERSONS != set()
        if is_first[index] or (not any(is_first) and fields[index] in ("name", None) and is_plain):
            fields[index] = "first_name"
            return


def _rename_last(fields: list[str | None], header: Sequence[str]) -> None:
    words = [" ".join(words_of(name)) for name in header]
    for index, name in enumerate(words):
        if fields[index] in ("name", None) and WHOLE_OR_LAST.get(name) in words:
            fields[index] = "last_name"
            return
