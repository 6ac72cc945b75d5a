"""The statements that read what the items of a batch may match or belong to."""

from sqlalchemy import ColumnElement, String, Table, func, or_, select

from portal.contacts.body import MATCH_FIELDS
from portal.database.driver import Statement
from portal.database.rows import given, rows_of, within
from portal.database.tables import Key
from portal.models import Campaign, Contact, Message, User
from portal.working_models import FormerKey

contact_table: Table = Contact.__table__  # type: ignore[assignment]
message_table: Table = Message.__table__  # type: ignore[assignment]
campaign_table: Table = Campaign.__table__  # type: ignore[assignment]
person_table: Table = User.__table__  # type: ignore[assignment]


def _contacts(company: ColumnElement[int], *wanted: ColumnElement[bool]) -> tuple[Statement, Statement]:
    """Reads contacts of a company, and the same with a lock. Their order is computed, or SQLite would use its index."""
    in_order = func.coalesce(contact_table.c.id, 0)
    query = select(contact_table).where(company == given("of_company", Key), *wanted).order_by(in_order)
    return Statement(query, plans_anew=True), Statement(query.with_for_update(), plans_anew=True)


_company = contact_table.c.company_id
# For what is found by another index: SQLite would read all of the company, PostgreSQL all of a new campaign.
_company_unindexed, _campaign_unindexed = func.coalesce(_company, 0), func.coalesce(contact_table.c.campaign_id, 0)
_wanted, _wanted_ids = rows_of("wanted", value=String()), rows_of("wanted", value=Key)
_names = rows_of("names", value=String())
_in_campaigns = within(_campaign_unindexed, select(rows_of("campaigns", id=Key).c.id))
_nothing_surer = [contact_table.c[name].is_(None) for name in MATCH_FIELDS]
BY_ID = _contacts(_company_unindexed, within(contact_table.c.id, select(_wanted_ids.c.value)))
HOLD = BY_ID[1]  # in the order in which all others do
BY_LINKEDIN = _contacts(
    _company_unindexed, _in_campaigns, within(contact_table.c.linkedin_public_id, select(_wanted.c.value))
)
_holder = contact_table.alias()
_holders = (
    select(_holder.c.id)
    .where(
        within(_holder.c.campaign_id, select(rows_of("campaigns", id=Key).c.id)),
        within(_holder.c.email, select(_wanted.c.value)),
    )
    .limit(given("most", Key))
)
# At most so many: thousands may share an e-mail.
BY_EMAIL = _contacts(_company_unindexed, within(contact_table.c.id, _holders))
BY_NAME = _contacts(
    _company, _in_campaigns, within(contact_table.c.search_name, select(_wanted.c.value)), *_nothing_surer
)
_former: Table = FormerKey.__table__  # type: ignore[assignment]
# Contacts that others were merged into, by what those were matched by.
MERGED = Statement(
    select(contact_table.c.id, contact_table.c.campaign_id, _former.c.field, _former.c.value)
    .join_from(_former, contact_table, _former.c.contact_id == contact_table.c.id)
    .where(within(_former.c.value, select(_wanted.c.value)), _company_unindexed == given("of_company", Key)),
    plans_anew=True,
)

_campaigns = select(*(campaign_table.c[name] for name in ("id", "name", "description"))).where(
    campaign_table.c.company_id == given("of_company", Key)
)
ALL_CAMPAIGNS = Statement(_campaigns)
CAMPAIGNS = Statement(
    _campaigns.where(
        or_(
            within(campaign_table.c.name, select(rows_of("names", value=String()).c.value)),
            within(campaign_table.c.id, select(rows_of("ids", id=Key).c.id)),
        )
    )
)
_people = select(*(person_table.c[name] for name in ("id", "name", "email"))).where(
    person_table.c.company_id == given("of_company", Key)
)
PEOPLE_BY_EMAIL = Statement(_people.where(within(person_table.c.email, select(_wanted.c.value))))
PEOPLE_BY_ID = Statement(_people.where(within(person_table.c.id, select(_wanted_ids.c.value))))


def _namesakes(fact: ColumnElement[str]) -> Statement:
    """Reads of those of one name and one fact in a campaign the oldest, with a LinkedIn id and without.

    They are found by the name; whether it stands with the fact among what is wanted is asked of each ("is true" keeps
    PostgreSQL from making a join of it, which it would run again for each row).
    """
    both = contact_table.c.search_name + "\n" + fact
    query = (
        select(func.min(contact_table.c.id).label("id"))
        .where(_company == given("of_company", Key), within(contact_table.c.search_name, select(_names.c.value)))
        .where(both.in_(select(_wanted.c.value)).is_(True))
        .group_by(
            contact_table.c.campaign_id, contact_table.c.search_name, fact, contact_table.c.linkedin_public_id.is_(None)
        )
    )
    return Statement(query, plans_anew=True)


NAMESAKES = {
    "current_company": _namesakes(func.coalesce(contact_table.c.current_company, "")),
    "email": _namesakes(contact_table.c.email),
}
# Those who have one e-mail in a campaign: where they are more, only the whole name tells whom an item means.
MOST_HOLDERS = 50
HOLDERS = Statement(_holders, plans_anew=True)  # some of those who have an e-mail
MESSAGES = Statement(
    select(message_table)
    .where(within(message_table.c.contact_id, select(_wanted_ids.c.value)))
    .order_by(message_table.c.id),
    plans_anew=True,
)
