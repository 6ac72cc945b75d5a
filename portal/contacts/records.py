"""The contacts of a batch in memory: what may be matched is read once, and stays found as the batch changes it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from portal.contacts import matching, statements
from portal.contacts.body import DEFAULT_CAMPAIGN, MATCH_FIELDS, search_name
from portal.contacts.checking import SAME, ContactItem
from portal.database.driver import Statement
from portal.models import User

UNTOLD = frozenset({"collect_date"})
"""Facts of a contact that are no news to the CRM when they change alone (so are its level and its messages)."""
NEXT_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CompanyRecord:
    """The company of a batch; `is_configured` says whether there is an address to tell its CRM at."""

    id: int
    timezone: str
    is_configured: bool


@dataclass(slots=True, eq=False)
class CampaignRecord:
    id: int | None
    name: str
    description: str | None = None
    is_changed: bool = False


@dataclass(slots=True, eq=False)
class PersonRecord:
    id: int | None
    name: str
    email: str


@dataclass(slots=True, eq=False)
class ContactRecord:
    """A contact in memory: its columns, and what hangs on it. Its `id` is None until it is written."""

    values: dict[str, Any]
    campaign: CampaignRecord
    owner: PersonRecord
    messages: list[dict[str, Any]] = field(default_factory=list)
    is_changed: bool = False
    has_new_messages: bool = False
    is_frozen: bool = False
    """Whether its body was frozen in this batch."""

    def mark_changed(self, now: datetime) -> None:
        """A field of its body that is told changes: after what this batch froze, though the moment is the same."""
        self.values["data_changed_at"] = now + NEXT_MOMENT if self.is_frozen else now
        self.is_changed = True

    def freeze(self, now: datetime) -> "ContactRecord":
        """A copy of the contact as it is at this moment: nothing of it changed later, whatever the clock said then."""
        changed_at = self.values["data_changed_at"]
        if changed_at is not None and changed_at > now:
            self.values["data_changed_at"] = now
        self.is_frozen = True
        return ContactRecord(dict(self.values), self.campaign, self.owner, self.messages)


@dataclass(slots=True)
class Change:
    """A classification, with the contact as it was at that moment when the CRM is to be told."""

    record: ContactRecord
    old: int | None
    new: int | None
    frozen: ContactRecord | None
    description: str | None
    """The campaign's, at that moment."""
    delivery_id: str | None = None
    """The public id of the delivery that tells the CRM, once it is written."""


class Known:
    """The people, campaigns and contacts of a company that a batch has to do with."""

    def __init__(self, connection: Connection, company_id: int, default_owner: User | PersonRecord | None) -> None:
        self.connection = connection
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

        Under None stand those of all campaigns that share one of the first two."""

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
        as `holders_meant` says; else, where neither has one of both, by name and company, of several the one in the
        item's place.
        """
        likely = self.find(given.likely_id)
        if likely is not None and likely.campaign is campaign and matching.is_same_person(likely.values, given.facts):
            return likely
        for key in matching.keys_of(given.facts):
            found = self._by_key.get((campaign, *key), [])
            if found and key[0] == "email":
                found = [found[place] for place in matching.holders_meant([each.values for each in found], given)]
            place = given.ordinal if key[0] == "name" else 0
            if place < len(found):
                return found[place]
        return None

    def find_alike(self, record: ContactRecord, given: ContactItem) -> ContactRecord | None:
        """The contact that an item, which made a new one, may mean after all, in the same campaign.

        Both have one name, and one e-mail under two LinkedIn ids; or one company too, and one of them no LinkedIn id.
        """
        values, campaign = record.values, record.campaign
        holders = self._by_key.get((campaign, "email", values["email"]), []) if values["email"] else []
        found = [each for each in holders if each.values["search_name"] == values["search_name"]]
        likeness = matching.likeness_of(values)
        namesakes = self._by_key.get((campaign, "likeness", likeness), []) if likeness else []
        found += [each for each in namesakes if matching.may_be_one(each.values, given)]
        return next((each for each in found if each is not record), None)

    def add(self, record: ContactRecord) -> None:
        """Let the contact be matched from now on, by what it holds."""
        for place in _places(record):
            same = self._by_key.setdefault(place, [])
            same.append(record)
            if len(same) > 1:  # who holds it itself is the one that is matched, and of these the oldest
                held = place[1:]
                same.sort(
                    key=lambda each: (held not in matching.keys_of(each.values), each.values["id"] or float("inf"))
                )

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
        for name in MATCH_FIELDS:
            values = {item.facts[name] for item in unmatched if item.facts.get(name)}
            if values and known:
                rows += self._read(statements.BY_FIELD[name], values, campaigns=known)
                unmatched = matching.without_found(
                    unmatched, name, {(row["campaign_id"], row[name]) for row in rows}, ids
                )
        rows += self._select_merged(given)
        names = {search_name(item.facts["name"]) for item in given if item.is_named_only and item.facts.get("name")}
        if names and known:
            rows += self._read(statements.BY_NAME, names, campaigns=known)
        if with_namesakes and known:
            likenesses = map(matching.likeness_of, (item.facts for item in unmatched))
            rows += self._select_namesakes({each.partition("\n")[0] for each in likenesses if each})
        return rows

    def _select_namesakes(self, names: Collection[str]) -> list[dict[str, Any]]:
        wanted = [(name,) for name in sorted(names)]
        found = statements.NAMESAKES.all(self.connection, of_company=self._company_id, wanted=wanted) if wanted else []
        return self._read(statements.BY_ID, {row.id for row in found}) if found else []

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
    return [*alike, *((record.campaign, *key) for key in keys), *((None, *key) for key in keys if key[0] != "name")]


def _is_key(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**63
