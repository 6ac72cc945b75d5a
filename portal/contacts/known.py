"""The contacts of a batch in memory: what may be matched is read once, and stays found as the batch changes it."""

from bisect import insort
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from portal.contacts import matching, statements
from portal.contacts.alike import Alike
from portal.contacts.body import DEFAULT_CAMPAIGN, MATCH_FIELDS, search_name
from portal.contacts.checking import SAME, ContactItem
from portal.contacts.records import CampaignRecord, ContactRecord, PersonRecord
from portal.database.driver import Statement
from portal.models import User


class Known:
    """The people, campaigns and contacts of a company that a batch has to do with."""

    def __init__(
        self,
        connection: Connection,
        company_id: int,
        default_owner: User | PersonRecord | None,
        alike: Alike | None = None,
    ) -> None:
        self.connection = connection
        self._alike = alike or Alike()
        self._company_id = company_id
        self._is_locking = True
        self.campaigns: dict[str, CampaignRecord] = {}
        self.people: dict[str, PersonRecord] = {}
        if default_owner is not None:  # whoever only changes what exists needs none
            self.default_owner = PersonRecord(default_owner.id, default_owner.name, default_owner.email)
            self.people[default_owner.email] = self.default_owner
        self.by_id: dict[int, ContactRecord] = {}
        self._by_key: dict[tuple[CampaignRecord | None, str, str], list[ContactRecord]] = {}
        """Those of a campaign that share a LinkedIn id, an e-mail, or a name and a company and nothing surer.

        Under None stand those of all campaigns that share one of the first two. Who has an e-mail stands also under
        `holder`, by folded name and e-mail.
        """

    def load(self, given: Sequence[ContactItem], *, everywhere: bool = False, for_update: bool = True) -> None:
        """Read all that the items may match or belong to, in their campaigns or in all.

        Contacts are locked, as classification locks them, for whoever is going to change them.
        """
        self._is_locking = for_update
        emails = {item.owner.email for item in given if item.owner} - self.people.keys()
        if emails:
            self._load_people(statements.PEOPLE_BY_EMAIL, emails)
        ids = {each for item in given for each in (item.contact_id, item.likely_id) if _is_key(each)}
        rows = self._read(statements.BY_ID, ids) if ids else []
        names = {item.campaign or DEFAULT_CAMPAIGN for item in given}
        self._load_campaigns(None if everywhere else names, {row["campaign_id"] for row in rows})
        rows += self._select_candidates(given, with_namesakes=everywhere)
        if owners := {row["owner_id"] for row in rows} - {person.id for person in self.people.values()}:
            self._load_people(statements.PEOPLE_BY_ID, owners)
        self._remember(rows)
        if self.by_id and any(item.level is not SAME or item.messages is not None for item in given):
            self._load_messages()

    def find(self, contact_id: Any) -> ContactRecord | None:
        """The contact of that id."""
        return self.by_id.get(contact_id) if _is_key(contact_id) else None

    def match(self, campaign: CampaignRecord | None, given: ContactItem) -> ContactRecord | None:
        """The contact of a campaign, or of any, that an item without an id means.

        By the number of a file of ours, where it is the same person; else by the LinkedIn id; else by the e-mail,
        as `_match_holder` says; else, where neither has one of both, by name and company, of several the one in the
        item's place.
        """
        likely = self.find(given.likely_id)
        if likely is not None and likely.campaign is campaign and matching.is_same_person(likely.values, given.facts):
            return likely
        for key in matching.keys_of(given.facts):
            found: Sequence[ContactRecord] = self._by_key.get((campaign, *key), [])
            if found and key[0] == "email":
                found = self._match_holder(campaign, found, given)
            place = given.ordinal if key[0] == "name" else 0
            if place < len(found):
                return found[place]
        return None

    def _match_holder(
        self, campaign: CampaignRecord | None, holders: Sequence[ContactRecord], given: ContactItem
    ) -> Sequence[ContactRecord]:
        """Whom an item means of those who have its e-mail, at most one; the surest first where it says no name.

        Who has its name; else who has the nearest, of which one holds all words of the other; else the only one. Of a
        list that has several names under the e-mail each is a person, whom no other of its names means.
        """
        email, name = given.facts["email"], search_name(given.facts.get("name") or "")
        same = self._by_key.get((campaign, "holder", matching.holder_of(given.facts)), [])
        exact = next((each for each in same if not matching.are_two(each.values, given)), None)
        if exact is not None:
            return [exact]
        if name and len(holders) > statements.MOST_HOLDERS:
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
        """The contact that an item, which made a new one, may mean after all, in the same campaign.

        Both have one name, and one e-mail under two LinkedIn ids; or one company too, and one of them no LinkedIn id.
        """
        values, campaign = record.values, record.campaign
        same = self._by_key.get((campaign, "holder", matching.holder_of(values)), [])
        likeness = matching.likeness_of(values)
        namesakes = self._by_key.get((campaign, "likeness", likeness), []) if likeness else []
        found = chain(same, (each for each in namesakes if matching.may_be_one(each.values, given)))
        return next((each for each in found if each is not record), None)

    def add(self, record: ContactRecord) -> None:
        """Let the contact be matched from now on, by what it holds: before who held it once, and who is newer."""
        for place in _places(record):
            insort(self._by_key.setdefault(place, []), record, key=partial(_rank, place[1:]))

    def leave_out(self, record: ContactRecord) -> None:
        """The contact is about to hold something else."""
        for key in _places(record):
            same = self._by_key.get(key, [])
            if record in same:
                same.remove(record)

    def _read(self, contacts: tuple[Statement, Statement], wanted: Iterable[Any], **more: Any) -> list[dict[str, Any]]:
        values = [(value,) for value in sorted(wanted)]
        rows = contacts[self._is_locking].all(self.connection, of_company=self._company_id, wanted=values, **more)
        return [row._asdict() for row in rows]

    def _select_candidates(self, given: Sequence[ContactItem], *, with_namesakes: bool) -> list[dict[str, Any]]:
        known = [(campaign.id,) for campaign in self.campaigns.values() if campaign.id is not None]
        ids = {each.name: each.id for each in self.campaigns.values()}
        rows: list[dict[str, Any]] = []
        unmatched = given
        for name, read in zip(MATCH_FIELDS, (self._select_by_linkedin, self._select_holders), strict=True):
            if known and any(item.facts.get(name) for item in unmatched):
                rows += read(unmatched, known)
                unmatched = matching.without_found(
                    unmatched, name, {(row["campaign_id"], row[name]) for row in rows}, ids
                )
        rows += self._select_merged(given)
        names = {search_name(item.facts["name"]) for item in given if item.is_named_only and item.facts.get("name")}
        if names and known:
            rows += self._read(statements.BY_NAME, names, campaigns=known)
        if with_namesakes and known:
            likenesses = map(matching.likeness_of, (item.facts for item in unmatched))
            found = self._find_namesakes("current_company", {each for each in likenesses if each})
            rows += self._read(statements.BY_ID, found) if found else []
        return rows

    def _select_by_linkedin(self, given: Sequence[ContactItem], campaigns: Sequence[Any]) -> list[dict[str, Any]]:
        ids = {each for item in given if (each := item.facts.get("linkedin_public_id"))}
        return self._read(statements.BY_LINKEDIN, ids, campaigns=campaigns)

    def _select_holders(self, given: Sequence[ContactItem], campaigns: Sequence[Any]) -> list[dict[str, Any]]:
        """Those who have the items' e-mails; where they are too many some of each, and who has also an item's name."""
        emails = {each for item in given if (each := item.facts.get("email"))}
        most = statements.MOST_HOLDERS + 2 * len(emails)
        rows = self._read(statements.BY_EMAIL, emails, campaigns=campaigns, most=most)
        if len(rows) < most:
            return rows
        named = {matching.holder_of(item.facts) for item in given if item.facts.get("email") and item.facts.get("name")}
        found = self._find_namesakes("email", named).union(*(self._find_holders(each, campaigns) for each in emails))
        return self._read(statements.BY_ID, found)

    def _find_holders(self, email: str, campaigns: Sequence[Any]) -> set[int]:
        """Those who have the e-mail; of each campaign only some, where they are too many."""
        most = statements.MOST_HOLDERS + 1
        rows = statements.HOLDERS.all(self.connection, wanted=[(email,)], campaigns=campaigns, most=most)
        if len(rows) < most or len(campaigns) == 1:
            return {row.id for row in rows}
        return set().union(*(self._find_holders(email, [campaign]) for campaign in campaigns))

    def _find_namesakes(self, fact: str, pairs: Collection[str]) -> set[int]:
        """The oldest who have a folded name and that fact, which each stand on two lines."""
        if not pairs:
            return set()
        wanted, names = [(pair,) for pair in sorted(pairs)], sorted({pair.partition("\n")[0] for pair in pairs})
        found = statements.NAMESAKES[fact].all(
            self.connection, of_company=self._company_id, wanted=wanted, names=[(name,) for name in names]
        )
        return {row.id for row in found}

    def _select_merged(self, given: Sequence[ContactItem]) -> list[dict[str, Any]]:
        """Those that took somebody in whom an item names."""
        named = {key for item in given for key in matching.keys_of(item.facts) if key[0] in MATCH_FIELDS}
        wanted = [(value,) for value in sorted({value for _, value in named})]
        found = statements.MERGED.all(self.connection, of_company=self._company_id, wanted=wanted) if wanted else []
        here = {campaign.id for campaign in self.campaigns.values()}
        ids = {row.id for row in found if row.campaign_id in here and (row.field, row.value) in named}
        return self._read(statements.BY_ID, ids) if ids else []

    def _load_people(self, people: Statement, wanted: Iterable[Any]) -> None:
        values = [(value,) for value in sorted(wanted)]
        for row in people.all(self.connection, of_company=self._company_id, wanted=values):
            self.people.setdefault(row.email, PersonRecord(row.id, row.name, row.email))

    def _load_campaigns(self, names: Collection[str] | None, ids: Collection[int]) -> None:
        """Those of the names and ids; all of the company without names."""
        meant = {"names": [(name,) for name in names or ()], "ids": [(number,) for number in ids]}
        campaigns = statements.ALL_CAMPAIGNS if names is None else statements.CAMPAIGNS
        for row in campaigns.all(self.connection, of_company=self._company_id, **meant):
            self.campaigns[row.name] = CampaignRecord(row.id, row.name, row.description)

    def _remember(self, rows: Iterable[dict[str, Any]]) -> None:
        campaigns = {campaign.id: campaign for campaign in self.campaigns.values()}
        people = {person.id: person for person in self.people.values()}
        for values in sorted(rows, key=lambda row: int(row["id"])):
            if values["id"] not in self.by_id:
                record = ContactRecord(values, campaigns[values["campaign_id"]], people[values["owner_id"]])
                self.by_id[values["id"]] = record
                self.add(record)

    def _load_messages(self) -> None:
        for row in statements.MESSAGES.all(self.connection, wanted=[(number,) for number in self.by_id]):
            message = {name: getattr(row, name) for name in ("sender_name", "message", "date", "pending")}
            self.by_id[row.contact_id].messages.append(message)


def _places(record: ContactRecord) -> list[tuple[CampaignRecord | None, str, str]]:
    """Where a contact is found: in its campaign, and in none by what tells a person in all of them."""
    keys, likeness = matching.all_keys(record.values), matching.likeness_of(record.values)
    alike = [(record.campaign, "likeness", likeness)] if likeness else []
    keys += [("holder", f"{record.values['search_name']}\n{value}") for name, value in keys if name == "email"]
    return [*alike, *((record.campaign, *key) for key in keys), *((None, *key) for key in keys if key[0] != "name")]


def _rank(key: matching.MatchKey, record: ContactRecord) -> tuple[bool, float]:
    """Who holds an e-mail or a LinkedIn id itself comes first, and of these the oldest."""
    held = matching.holder_of(record.values) if key[0] == "holder" else record.values.get(key[0])
    return held != key[1], record.values["id"] or float("inf")


def _is_key(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**63
