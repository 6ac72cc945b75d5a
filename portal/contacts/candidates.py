"""Reading what the items of a batch may match or belong to, all at once and no more than that."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from portal.contacts import matching, statements
from portal.contacts.alike import Alike
from portal.contacts.body import DEFAULT_CAMPAIGN, MATCH_FIELDS, search_name
from portal.contacts.items import SAME, ContactItem
from portal.contacts.known import Known, is_key
from portal.contacts.records import CampaignRecord, ContactRecord, PersonRecord
from portal.database.driver import Statement
from portal.models import User

DEADLOCK = "40P01"  # PostgreSQL's name for it

_Rows = list[dict[str, Any]]


def load_known(
    connection: Connection,
    company_id: int,
    given: Sequence[ContactItem],
    *,
    default_owner: User | PersonRecord | None = None,
    alike: Alike | None = None,
    everywhere: bool = False,
    for_update: bool = True,
) -> Known:
    """Read all that the items may match or belong to, in their campaigns or in all of the company.

    With `for_update` contacts are locked, those of several items in several steps. When others lock the same ones in
    another order, PostgreSQL ends one of both (a deadlock): then all are locked by their numbers first, and read again.
    """

    def load(*, for_update: bool) -> Known:
        known = Known(default_owner, alike)
        _Reading(connection, company_id, known, for_update=for_update).load(given, everywhere=everywhere)
        return known

    if not for_update or len(given) == 1 or connection.dialect.name == "sqlite":
        return load(for_update=for_update)
    try:
        with connection.begin_nested():
            return load(for_update=True)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != DEADLOCK:
            raise
    met = sorted(load(for_update=False).by_id)
    statements.HOLD.run(connection, of_company=company_id, wanted=[(number,) for number in met])
    return load(for_update=True)


class _Reading:
    """Reads for one batch, into what is known to it."""

    def __init__(self, connection: Connection, company_id: int, known: Known, *, for_update: bool) -> None:
        self._connection = connection
        self._company_id = company_id
        self._known = known
        self._is_locking = for_update

    def load(self, given: Sequence[ContactItem], *, everywhere: bool) -> None:
        known = self._known
        emails = {item.owner.email for item in given if item.owner} - known.people.keys()
        if emails:
            self._load_people(statements.PEOPLE_BY_EMAIL, emails)
        ids = {each for item in given for each in (item.contact_id, item.likely_id) if is_key(each)}
        rows = self._read(statements.BY_ID, ids) if ids else []
        names = {item.campaign or DEFAULT_CAMPAIGN for item in given}
        self._load_campaigns(None if everywhere else names, {row["campaign_id"] for row in rows})
        rows += self._select_candidates(given, with_namesakes=everywhere)
        if owners := {row["owner_id"] for row in rows} - {person.id for person in known.people.values()}:
            self._load_people(statements.PEOPLE_BY_ID, owners)
        self._remember(rows)
        if known.by_id and any(item.level is not SAME or item.messages is not None for item in given):
            self._load_messages()

    def _read(self, contacts: tuple[Statement, Statement], wanted: Iterable[Any], **more: Any) -> _Rows:
        values = [(value,) for value in sorted(wanted)]
        rows = contacts[self._is_locking].all(self._connection, of_company=self._company_id, wanted=values, **more)
        return [row._asdict() for row in rows]

    def _select_candidates(self, given: Sequence[ContactItem], *, with_namesakes: bool) -> _Rows:
        """By LinkedIn id; by e-mail only for items that this did not find; by name for those that have neither."""
        ids = {each.name: each.id for each in self._known.campaigns.values()}
        campaigns = [(number,) for number in ids.values() if number is not None]
        if not campaigns:
            return []  # contacts are in campaigns
        rows: _Rows = []
        unmatched = given
        for name in MATCH_FIELDS:
            if wanted := _values_of(unmatched, name):
                if name == "email":
                    rows += self._select_holders(unmatched, wanted, campaigns)
                else:
                    rows += self._read(statements.BY_LINKEDIN, wanted, campaigns=campaigns)
                keys = {(row["campaign_id"], row[name]) for row in rows}
                unmatched = matching.without_found(unmatched, name, keys, ids)
        rows += self._select_merged(given)
        names = {search_name(item.facts["name"]) for item in given if item.is_named_only and item.facts.get("name")}
        if names:
            rows += self._read(statements.BY_NAME, names, campaigns=campaigns)
        if with_namesakes:
            likenesses = map(matching.likeness_of, (item.facts for item in unmatched))
            found = self._find_namesakes("current_company", set(filter(None, likenesses)))
            rows += self._read(statements.BY_ID, found) if found else []
        return rows

    def _select_holders(self, given: Sequence[ContactItem], emails: Collection[str], campaigns: Sequence[Any]) -> _Rows:
        """Those who have the e-mails. Where they are too many: some of each, and those who have an item's name too."""
        most = statements.MOST_HOLDERS + 2 * len(emails)
        rows = self._read(statements.BY_EMAIL, emails, campaigns=campaigns, most=most)
        if len(rows) < most:
            return rows
        named = {matching.holder_of(item.facts) for item in given if item.facts.get("email") and item.facts.get("name")}
        found = self._find_namesakes("email", named).union(*(self._find_holders(each, campaigns) for each in emails))
        return self._read(statements.BY_ID, found)

    def _find_holders(self, email: str, campaigns: Sequence[Any]) -> set[int]:
        """Those who have the e-mail; where they are too many, only some of each campaign."""
        most = statements.MOST_HOLDERS + 1
        rows = statements.HOLDERS.all(self._connection, wanted=[(email,)], campaigns=campaigns, most=most)
        if len(rows) < most or len(campaigns) == 1:
            return {row.id for row in rows}
        return set().union(*(self._find_holders(email, [campaign]) for campaign in campaigns))

    def _find_namesakes(self, fact: str, pairs: Collection[str]) -> set[int]:
        """The oldest of those who have both parts of a pair: a folded name and this fact, on two lines."""
        if not pairs:
            return set()
        wanted, names = [(pair,) for pair in sorted(pairs)], sorted({pair.partition("\n")[0] for pair in pairs})
        found = statements.NAMESAKES[fact].all(
            self._connection, of_company=self._company_id, wanted=wanted, names=[(name,) for name in names]
        )
        return {row.id for row in found}

    def _select_merged(self, given: Sequence[ContactItem]) -> _Rows:
        """The contacts into which somebody was merged whom an item names."""
        named = {name: _values_of(given, name) for name in MATCH_FIELDS}
        of_names = (key for item in given if item.is_named_only for key in matching.keys_of(item.facts))
        named["name"] = {matching.kept_value(value) for _, value in of_names}
        wanted = [(value,) for value in sorted(set().union(*named.values()))]
        if not wanted:
            return []
        found = statements.MERGED.all(self._connection, of_company=self._company_id, wanted=wanted)
        here = {campaign.id for campaign in self._known.campaigns.values()}
        ids = {row.id for row in found if row.campaign_id in here and row.value in named[row.field]}
        return self._read(statements.BY_ID, ids) if ids else []

    def _load_people(self, people: Statement, wanted: Iterable[Any]) -> None:
        values = [(value,) for value in sorted(wanted)]
        for row in people.all(self._connection, of_company=self._company_id, wanted=values):
            self._known.people.setdefault(row.email, PersonRecord(row.id, row.name, row.email))

    def _load_campaigns(self, names: Collection[str] | None, ids: Collection[int]) -> None:
        """Those of the names and ids; all of the company without names."""
        meant = {"names": [(name,) for name in names or ()], "ids": [(number,) for number in ids]}
        campaigns = statements.ALL_CAMPAIGNS if names is None else statements.CAMPAIGNS
        for row in campaigns.all(self._connection, of_company=self._company_id, **meant):
            self._known.campaigns[row.name] = CampaignRecord(row.id, row.name, row.description)

    def _remember(self, rows: Iterable[dict[str, Any]]) -> None:
        campaigns = {campaign.id: campaign for campaign in self._known.campaigns.values()}
        people = {person.id: person for person in self._known.people.values()}
        for values in sorted(rows, key=lambda row: int(row["id"])):
            if values["id"] not in self._known.by_id:
                record = ContactRecord(values, campaigns[values["campaign_id"]], people[values["owner_id"]])
                self._known.by_id[values["id"]] = record
                self._known.add(record)

    def _load_messages(self) -> None:
        for row in statements.MESSAGES.all(self._connection, wanted=[(number,) for number in self._known.by_id]):
            message = {name: getattr(row, name) for name in ("sender_name", "message", "date", "pending")}
            self._known.by_id[row.contact_id].messages.append(message)


def _values_of(given: Sequence[ContactItem], name: str) -> set[str]:
    return {value for item in given if (value := item.facts.get(name))}
