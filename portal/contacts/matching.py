"""What a contact is matched by: what it holds itself, and what those held that were merged into it."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any

from portal.contacts.body import DEFAULT_CAMPAIGN, MATCH_FIELDS, search_name
from portal.contacts.items import ContactItem

WORD = re.compile(r"\w+")
MAX_KEPT = 254
MatchKey = tuple[str, str]  # a field of `MATCH_FIELDS`, or `name`, and what it holds


def keys_of(facts: Mapping[str, Any]) -> list[MatchKey]:
    """What a contact with these facts is matched by, the surest first."""
    keys = [(name, value) for name in MATCH_FIELDS if (value := facts.get(name))]
    if not keys and facts.get("name"):
        keys.append(("name", "\n".join((facts["name"], facts.get("current_company") or ""))))
    return keys


def former_keys(merged: Iterable[Mapping[str, Any]] | None) -> set[MatchKey]:
    """What the people merged into a contact were matched by.

    The name of one from another campaign does not count: their company was not kept.
    """
    keys = ((key, former) for former in merged or () for key in keys_of(former))
    return {key for key, former in keys if key[0] != "name" or "current_company" in former}


def kept_value(value: str) -> str:
    """What is kept of a key's value to find contacts by: of a long name and company only the beginning."""
    return value[:MAX_KEPT]


def places_of(values: Mapping[str, Any], key: MatchKey) -> list[tuple[float, bool]]:
    """The places of a contact among those of one name and company: its number, and those of people merged into it.

    Each with whether it stands for such a person. Where the contact has the name itself, the first place is its own.
    """
    formers = [former["id"] for former in values.get("merged") or () if key in former_keys([former])]
    is_own = key in keys_of(values)
    numbers = sorted([*formers, values["id"] or inf] if is_own else formers)
    return [(number, place >= is_own) for place, number in enumerate(numbers)]


def all_keys(values: Mapping[str, Any]) -> list[MatchKey]:
    """What a contact is matched by, its own first."""
    own, merged = keys_of(values), values.get("merged")
    return list(dict.fromkeys((*own, *former_keys(merged)))) if merged else own


def without_found(
    given: Sequence[ContactItem], name: str, found: Collection[tuple[int, str]], campaigns: Mapping[str, int | None]
) -> Sequence[ContactItem]:
    """The items for which this field found no contact: only these are looked for by what is less sure.

    `found` are ids of campaigns, with the values that contacts have there. When any item says a number, the contact of
    that number may be given another value: then every item is still looked for.
    """
    if any(item.contact_id is not None or item.likely_id is not None for item in given):
        return given
    return [
        item for item in given if (campaigns.get(item.campaign or DEFAULT_CAMPAIGN), item.facts.get(name)) not in found
    ]


def names_former(values: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether these facts are of somebody who was merged into the contact, and not of the contact itself.

    The surest fact that one of both has decides; where that is an e-mail of both, the name does.
    """
    if not (merged := values.get("merged")):
        return False
    own, known = set(keys_of(values)), set(all_keys(values))
    surest = next((key for key in keys_of(facts) if key in known), None)
    if surest in own and surest[0] == "email":
        return holder_of(facts) in former_holders(merged) - {holder_of(values)}
    return surest is not None and surest not in own


def is_same_person(values: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether facts and a contact have an identifier or the name in common."""
    return any(facts.get(name) and values[name] == facts[name] for name in (*MATCH_FIELDS, "name"))


def words_apart(name: str, other: str) -> int | None:
    """By how many words two folded names differ when one holds all words of the other; else None."""
    words, others = set(WORD.findall(name)), set(WORD.findall(other))
    is_near = words and others and (words <= others or others <= words)
    return len(words ^ others) if is_near else None


def holder_of(facts: Mapping[str, Any]) -> str:
    """What tells apart those who share an e-mail: folded name and e-mail, on two lines."""
    return f"{facts.get('search_name') or search_name(facts.get('name') or '')}\n{facts.get('email')}"


def former_holders(merged: Iterable[Mapping[str, Any]] | None) -> set[str]:
    """The `holder_of` each person who was merged into a contact."""
    return {holder_of(former) for former in merged or () if former.get("email") and former.get("name")}


def holders_of(values: Mapping[str, Any]) -> list[str]:
    """What tells a contact apart from others of its e-mail: its name, and the names of people merged into it."""
    if not (merged := values.get("merged")):
        return [holder_of(values)] if values["email"] else []
    own = [f"{values['search_name']}\n{value}" for field, value in all_keys(values) if field == "email"]
    return list(dict.fromkeys((*own, *sorted(former_holders(merged)))))


def likeness_of(facts: Mapping[str, Any]) -> str | None:
    """What makes people look alike: name and company, on two lines. A name of one word alone tells nothing."""
    name = facts.get("search_name") or search_name(facts.get("name") or "")
    company = facts.get("current_company") or ""
    return f"{name}\n{company}" if company or " " in name else None


def are_two(values: Mapping[str, Any], given: ContactItem) -> bool:
    """Whether a contact and an item, which do not share a LinkedIn id, both have one: these are two people."""
    return bool(values["linkedin_public_id"] and given.facts.get("linkedin_public_id"))
