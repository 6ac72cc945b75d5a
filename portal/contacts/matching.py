"""What a contact is matched by: what it holds itself, and what those held that were merged into it."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from portal.contacts.body import DEFAULT_CAMPAIGN, MATCH_FIELDS, search_name
from portal.contacts.checking import ContactItem
from portal.rules.folding import fold

WORD = re.compile(r"\w+")
MatchKey = tuple[str, str]
"""A field of `MATCH_FIELDS`, or `name`, and what it holds."""


def keys_of(facts: Mapping[str, Any]) -> list[MatchKey]:
    """What a contact with these facts is matched by, the surest first."""
    keys = [(name, facts[name]) for name in MATCH_FIELDS if facts.get(name)]
    if not keys and facts.get("name"):
        keys.append(("name", "\n".join((facts["name"], facts.get("current_company") or ""))))
    return keys


def former_keys(merged: Iterable[Mapping[str, Any]] | None) -> set[MatchKey]:
    """What those were matched by that were merged into a contact."""
    return {(name, former[name]) for former in merged or () for name in MATCH_FIELDS if former.get(name)}


def all_keys(values: Mapping[str, Any]) -> list[MatchKey]:
    """What a contact is matched by, its own first."""
    own, merged = keys_of(values), values.get("merged")
    return list(dict.fromkeys((*own, *former_keys(merged)))) if merged else own


def without_found(
    given: Sequence[ContactItem], name: str, found: Collection[tuple[int, str]], campaigns: Mapping[str, int | None]
) -> Sequence[ContactItem]:
    """The items whose contact is not found yet by this field: for the others what is less sure tells nothing.

    `found` are the campaigns' ids and values that contacts have. Where an item says a number, the contact of that
    number may be given another value, and every item is still looked for.
    """
    if any(item.contact_id is not None or item.likely_id is not None for item in given):
        return given
    return [
        item for item in given if (campaigns.get(item.campaign or DEFAULT_CAMPAIGN), item.facts.get(name)) not in found
    ]


def names_former(values: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether these facts are of somebody who was merged into the contact, and not of the contact itself.

    The surest of them says so that either has: two of one e-mail are told apart by their LinkedIn ids.
    """
    if not values.get("merged"):
        return False
    own, known = set(keys_of(values)), set(all_keys(values))
    surest = next((key for key in keys_of(facts) if key in known), None)
    return surest is not None and surest not in own


def is_same_person(values: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether facts and a contact have an identifier or the name in common."""
    return any(facts.get(name) and values[name] == facts[name] for name in (*MATCH_FIELDS, "name"))


def holders_meant(holders: Sequence[Mapping[str, Any]], given: ContactItem) -> Sequence[int]:
    """The places of those who have the item's e-mail and whom it may mean.

    Two LinkedIn ids are two people. Of the others the one with the nearest name is meant, of which one holds all words
    of the other; where there is no such name the first, unless the list names several under this e-mail.
    """
    linkedin, words = given.facts.get("linkedin_public_id"), _words_of(given.facts.get("name") or "")
    places = [place for place, each in enumerate(holders) if not linkedin or not each["linkedin_public_id"]]
    names = {place: _words_of(holders[place]["name"]) for place in places}
    near = [place for place in places if names[place] <= words or words <= names[place]]
    return sorted(near, key=lambda place: len(names[place] ^ words)) or ([] if given.shares_email else places)


def likeness_of(facts: Mapping[str, Any]) -> str | None:
    """By what a person looks like another: name and company, on two lines; a name of one word alone tells nothing."""
    name = facts.get("search_name") or search_name(facts.get("name") or "")
    company = facts.get("current_company") or ""
    return f"{name}\n{company}" if company or " " in name else None


def may_be_one(values: Mapping[str, Any], given: ContactItem) -> bool:
    """Whether a contact may be the person of its name and company whom an item would make anew.

    Two LinkedIn ids are two people; those of whom nothing surer is known are told apart by the list itself.
    """
    if values["linkedin_public_id"] and given.facts.get("linkedin_public_id"):
        return False
    return not given.is_named_only or any(values[name] for name in MATCH_FIELDS)


def _words_of(name: str) -> set[str]:
    return set(WORD.findall(fold(name)))
