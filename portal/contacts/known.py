"""The contacts of a batch in memory: whoever an item means stays found as the batch changes it."""

from bisect import insort
from collections.abc import Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any

from portal.contacts import matching
from portal.contacts.alike import Alike
from portal.contacts.body import MATCH_FIELDS, search_name
from portal.contacts.items import ContactItem
from portal.contacts.records import CampaignRecord, ContactRecord, PersonRecord
from portal.contacts.statements import MOST_HOLDERS
from portal.models import User

# What tells a person in all campaigns: a LinkedIn id, an e-mail, or a folded name with an e-mail.
EVERYWHERE = (*MATCH_FIELDS, "holder")
# What tells a person within a campaign: a name and a company, as written, of those of whom nothing surer is known; the
# same folded, of these (`likeness`) and of the others (`surer`).
WITHIN = ("name", "likeness", "surer")


class Known:
    """The people, campaigns and contacts of a company that a batch has to do with; `load_known` reads them."""

    def __init__(self, default_owner: User | PersonRecord | None = None, alike: Alike | None = None) -> None:
        self._alike = alike or Alike()
        self.campaigns: dict[str, CampaignRecord] = {}
        self.people: dict[str, PersonRecord] = {}
        if default_owner is not None:  # whoever only changes what exists needs none
            self.default_owner = PersonRecord(default_owner.id, default_owner.name, default_owner.email)
            self.people[default_owner.email] = self.default_owner
        self.by_id: dict[int, ContactRecord] = {}
        self._joined: set[str] = set()  # the names and companies of people who were merged into another
        self._by_key: dict[str, dict[str, list[ContactRecord]]] = {kind: {} for kind in (*EVERYWHERE, *WITHIN)}

    def find(self, contact_id: Any) -> ContactRecord | None:
        return self.by_id.get(contact_id) if is_key(contact_id) else None

    def match(self, campaign: CampaignRecord | None, given: ContactItem) -> ContactRecord | None:
        """The contact of a campaign, or of any, that an item without an id means.

        By the number in a file of ours, where it is the same person; else by the LinkedIn id; else by the e-mail
        (`_match_holder`); else, where neither has one of these, by name and company: of several, the one in the item's
        place.
        """
        likely = self.find(given.likely_id)
        if likely is not None and likely.campaign is campaign and matching.is_same_person(likely.values, given.facts):
            return likely
        for kind, value in matching.keys_of(given.facts):
            found = self._sharing(campaign, kind, value)
            if found and kind == "email":
                found = self._match_holder(campaign, found, given)
            if kind == "name" and found and _within(found[0].campaign, value) in self._joined:
                found = [record for _, _, record in self._in_places(campaign, value)]
            place = given.ordinal if kind == "name" else 0
            if place < len(found):
                return found[place]
        return None

    def is_former(self, record: ContactRecord, given: ContactItem) -> bool:
        """Whether an item, which means this contact, is of somebody who was merged into it."""
        if not record.values.get("merged"):
            return False
        if not given.is_named_only or given.likely_id == record.values["id"]:
            return matching.names_former(record.values, given.facts)
        ((_, value),) = matching.keys_of(given.facts)
        places = self._in_places(record.campaign, value)
        return places[given.ordinal][1]

    def _in_places(self, campaign: CampaignRecord | None, value: str) -> list[tuple[float, bool, ContactRecord]]:
        """Those who have a name and a company, in the order of their places; one may have several (`places_of`)."""
        found = self._sharing(campaign, "name", value)
        places = [(*place, each) for each in found for place in matching.places_of(each.values, ("name", value))]
        return sorted(places, key=itemgetter(0))

    def _match_holder(
        self, campaign: CampaignRecord | None, holders: Sequence[ContactRecord], given: ContactItem
    ) -> Sequence[ContactRecord]:
        """Whom an item means of those who have its e-mail: at most one, or all who may be, the surest first.

        The one that has its name; else the one with the nearest name, when one name holds all words of the other; else
        the only one. When the list has the e-mail under several names, each is a person, whom no other name means.
        """
        email, name = given.facts["email"], search_name(given.facts.get("name") or "")
        same = self._sharing(campaign, "holder", matching.holder_of(given.facts))
        exact = next((each for each in same if not matching.are_two(each.values, given)), None)
        if exact is not None:
            return [exact]
        if name and len(holders) > MOST_HOLDERS:
            return []
        free = [each for each in holders if not matching.are_two(each.values, given)]
        if not name:
            return free
        free = [each for each in free if not self._alike.is_named(email, each.values["search_name"])]
        apart = [(matching.words_apart(each.values["search_name"], name), each) for each in free]
        near = [(words, each) for words, each in apart if words is not None]
        if near:
            return [min(near, key=itemgetter(0))[1]]
        return free if len(holders) == 1 and not self._alike.is_shared(email) else []

    def find_alike(self, record: ContactRecord, given: ContactItem) -> ContactRecord | None:
        """Another contact of the campaign that may be the same person as this one, which an item has just made.

        Both have one name, and also one e-mail under two LinkedIn ids, or one company when one has no LinkedIn id.
        """
        values, campaign = record.values, record.campaign
        same = self._sharing(campaign, "holder", matching.holder_of(values))
        likeness = matching.likeness_of(values)
        # Those of whom nothing surer is known are told apart by the list itself, and may be thousands.
        kinds = ("surer",) if given.is_named_only else ("surer", "likeness")
        namesakes = chain.from_iterable(self._sharing(campaign, kind, likeness) for kind in kinds if likeness)
        found = chain(same, (each for each in namesakes if not matching.are_two(each.values, given)))
        return next((each for each in found if each is not record), None)

    def add(self, record: ContactRecord) -> None:
        """Let the contact be matched from now on: before those who once held what it holds, and before newer ones."""
        record.places = _places(record)
        for kind, value in record.places:
            if kind == "name" and record.values.get("merged"):
                self._joined.add(value)
            same, rank = self._by_key[kind].setdefault(value, []), partial(_rank, kind, value)
            if same and rank(record) < rank(same[-1]):
                insort(same, record, key=rank)
            else:  # as nearly always
                same.append(record)

    def leave_out(self, record: ContactRecord) -> None:
        """Let the contact be matched no more: what it holds is about to change."""
        for kind, value in record.places:
            self._by_key[kind][value].remove(record)

    def _sharing(self, campaign: CampaignRecord | None, kind: str, value: str) -> Sequence[ContactRecord]:
        if kind in WITHIN:
            return () if campaign is None else self._by_key[kind].get(_within(campaign, value), ())
        found = self._by_key[kind].get(value, ())
        return [each for each in found if each.campaign is campaign] if found and campaign is not None else found


def _places(record: ContactRecord) -> list[tuple[str, str]]:
    """What a contact is found by, each with its kind."""
    values, likeness = record.values, matching.likeness_of(record.values)
    places = [*matching.all_keys(values), *(("holder", value) for value in matching.holders_of(values))]
    if likeness:
        is_surer = any(values[name] for name in MATCH_FIELDS)
        places.append(("surer" if is_surer else "likeness", likeness))
    return [(kind, _within(record.campaign, value) if kind in WITHIN else value) for kind, value in places]


def _within(campaign: CampaignRecord, value: str) -> str:
    return f"{campaign.name}\n{value}"


def _rank(kind: str, value: str, record: ContactRecord) -> tuple[bool, float]:
    """Who holds an e-mail or a LinkedIn id itself comes first, and of these the oldest."""
    held = matching.holder_of(record.values) if kind == "holder" else record.values.get(kind)
    return held != value, record.values["id"] or float("inf")


def is_key(value: Any) -> bool:
    """Whether a value can be the number of a row."""
    return type(value) is int and 0 < value < 2**63
