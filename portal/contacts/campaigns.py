"""Campaigns: listed with how many contacts they have, renamed and described. Contacts bring the names of new ones."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from portal import audit, outbox
from portal.audit import Actor
from portal.contacts.checking import check_item
from portal.contacts.filtering import find_campaign
from portal.contacts.items import InvalidContact
from portal.database.filters import get_own
from portal.models import Campaign, Contact


@dataclass(frozen=True)
class CampaignCount:
    """A campaign, with how many contacts it has, and how many of these have a level."""

    campaign: Campaign
    contacts: int
    classified: int


def campaigns_of(session: Session, company_id: int) -> Sequence[Campaign]:
    """The company's campaigns, by name."""
    return session.scalars(select(Campaign).where(Campaign.company_id == company_id).order_by(Campaign.name)).all()


def newest_campaign(session: Session, company_id: int) -> int | None:
    """The campaign of the contact that came last."""
    of_company = select(Contact.campaign_id).where(Contact.company_id == company_id)
    return session.scalar(of_company.order_by(Contact.id.desc()).limit(1))


def count_campaigns(session: Session, company_id: int) -> Sequence[CampaignCount]:
    """The company's campaigns by name, counted: all contacts in an index, and those without a level in another."""
    campaigns = campaigns_of(session, company_id)
    counted = select(Contact.campaign_id, func.count()).group_by(Contact.campaign_id)
    contacts = _counts(session, counted.where(Contact.campaign_id.in_([each.id for each in campaigns])))
    # Every name meets the last condition, by which SQLite takes the index of these instead of that of all contacts.
    is_without = Contact.company_id == company_id, Contact.interest_level.is_(None), Contact.search_name >= ""
    without = _counts(session, counted.where(*is_without))
    return [CampaignCount(each, contacts[each.id], contacts[each.id] - without[each.id]) for each in campaigns]


def _counts(session: Session, query: Select[int, int]) -> Counter[int]:
    return Counter(dict(session.execute(query).all()))


get_campaign = partial(get_own, Campaign)


def change_campaign(session: Session, actor: Actor, campaign: Campaign, *, name: str, description: str | None) -> bool:
    """Rename and describe a campaign: the CRM then has its contacts' old data. The caller commits.

    Returns False, and changes nothing, when it is so already. Raises InvalidContact, also for another campaign's name.
    """
    item = check_item({"campaign": {"name": name, "description": description or None}}, ZoneInfo("UTC"))
    if item.campaign is None:
        raise InvalidContact("campaign.name", "required")
    outbox.hold_company(session, actor.company_id)
    session.refresh(campaign)
    new = (item.campaign, item.campaign_facts["description"])
    if new == (campaign.name, campaign.description):
        return False
    if (named := find_campaign(session, actor.company_id, item.campaign)) and named is not campaign:
        raise InvalidContact("campaign.name", "taken")
    outbox.mark_changed(session, actor.company_id, Contact.campaign_id == campaign.id)
    audit.record(session, actor, "campaign.changed", subject=item.campaign)
    campaign.name, campaign.description = new
    session.flush()
    return True
