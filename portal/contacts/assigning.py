"""Giving many contacts another owner or campaign, as a task. No webhook fires: the CRM then has their old data.

Who stands in the target campaign already, as another contact, is not moved: one person would be there twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from portal import outbox
from portal.audit import Actor
from portal.company.refusals import Refusal
from portal.contacts import classifying
from portal.contacts.body import MATCH_FIELDS, values_of
from portal.contacts.campaigns import get_campaign
from portal.contacts.candidates import load_known
from portal.contacts.filtering import ContactFilter, campaign_id_of, owner_id_of
from portal.contacts.items import ContactItem, OwnerItem
from portal.contacts.listing import contacts_of
from portal.contacts.saving import save_batch
from portal.database.db import reading_apart
from portal.models import Task
from portal.people.users import get_user
from portal.tasks.slices import cut_numbers, pack_numbers, queue_numbers
from portal.tasks.store import Done, TaskClaim, TaskError

KIND = "assign"
CHUNK = 200
PRESENT = "present"  # the list of those who were not moved, and their count
IDENTITY = ("name", "current_company", *MATCH_FIELDS)


@dataclass(frozen=True)
class Target:
    """Whom contacts are given to, by number; None stays as it is."""

    owner_id: int | None = None
    campaign_id: int | None = None


class NoTarget(Refusal):
    """Neither an owner nor a campaign is named."""

    code = "no_target"
    words = _l("Escolha um responsável ou uma campanha.")


class OwnerGone(Refusal):
    """The person to whom contacts would go was shut out."""

    code = "owner_gone"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.words = _l("%(name)s não entra mais no portal: escolha outra pessoa.", name=name)


def read_target(session: Session, company_id: int, owner: str | None, campaign: str | None) -> Target:
    """The target that an edge was asked for: an owner by e-mail or number, a campaign by name or number.

    Raises LookupError, with `owner` or `campaign`, for one that the company does not have.
    """
    found = []
    for name, number_of, text in (("owner", owner_id_of, owner), ("campaign", campaign_id_of, campaign)):
        try:
            found.append(number_of(session, company_id, text) if text else None)
        except ValueError as error:
            raise LookupError(name) from error
    return Target(*found)


def start(
    session: Session, actor: Actor, wanted: ContactFilter, target: Target, *, newest_id: int | None = None
) -> Task:
    """A task that gives the target what matches and was there to be counted. Raises NoTarget and OwnerGone.

    It ends the caller's transaction; the caller commits the task.
    """
    with reading_apart(session):
        contact_ids = classifying.choose(session, actor.company_id, wanted, newest_id=newest_id)
    return prepare(session, actor, contact_ids, target)


def prepare(session: Session, actor: Actor, contact_ids: Sequence[int], target: Target) -> Task:
    """A task that gives the target these contacts, as `start`. Raises LookupError for a target of nobody's, too."""
    if target == Target():
        raise NoTarget
    item = _item_of(session, actor.company_id, target)
    owner = get_user(session, actor.company_id, target.owner_id) if target.owner_id is not None else None
    if owner is not None and owner.disabled_at:
        raise OwnerGone(owner.name)
    to = " ".join(filter(None, (item.owner.email if item.owner else None, item.campaign)))
    given = f"{len(contact_ids)} -> {to}"
    return queue_numbers(
        session, actor, KIND, contact_ids, action="contacts.assigned", subject=given, arguments=asdict(target)
    )


def hand_over(session: Session, actor: Actor, owner_id: int, heir_id: int) -> Task:
    """A task that gives all contacts of one person to another. As `start`."""
    return start(session, actor, ContactFilter(owner_id=owner_id), Target(owner_id=heir_id))


def _assign_part(session: Session, claim: TaskClaim, contact_ids: Sequence[int]) -> Done:
    """Counts those that are `assigned`, were there already (`unchanged`), or are `present` as another contact."""
    outbox.hold_company(session, claim.company_id)
    try:
        item = _item_of(session, claim.company_id, Target(**claim.arguments))
    except LookupError as error:
        raise TaskError("gone") from error
    present = _find_present(session, claim.company_id, contact_ids, item.campaign) if item.campaign else set()
    given = [number for number in contact_ids if number not in present]
    items = [ContactItem(number, owner=item.owner, campaign=item.campaign) for number in given]
    results = [result for result in save_batch(session, claim.actor, items) if result.error is None]
    assigned = sum(result.changed for result in results)
    counts = Counter(assigned=assigned, unchanged=len(results) - assigned, present=len(present))
    kept = {PRESENT: pack_numbers(sorted(present))} if present else {}
    return Done(moved=len(contact_ids), counts=+counts, kept=kept)


work = partial(cut_numbers, size=CHUNK, part=_assign_part)


def _find_present(session: Session, company_id: int, contact_ids: Sequence[int], campaign_name: str) -> set[int]:
    """Those of the contacts who are in the campaign as another contact, or will be once those before them are."""
    items = {
        # what tells the contact from others, as somebody new to the campaign
        contact.id: ContactItem(None, facts=values_of(contact, IDENTITY), campaign=campaign_name)
        for contact in contacts_of(session, company_id, contact_ids)
    }
    if not items:
        return set()
    wanted = [*items.values(), *(ContactItem(number) for number in items)]
    known = load_known(session.connection(), company_id, wanted)
    campaign = known.campaigns[campaign_name]
    present = set()
    for number in contact_ids:
        record = known.find(number)
        if record is None or record.campaign is campaign:
            continue
        if known.match(campaign, items[number]):
            present.add(number)
        else:
            known.leave_out(record)
            record.campaign = campaign
            known.add(record)
    return present


def _item_of(session: Session, company_id: int, target: Target) -> ContactItem:
    """What is set on each contact. Raises LookupError when the company has no such person or campaign."""
    owner = get_user(session, company_id, target.owner_id) if target.owner_id is not None else None
    campaign = get_campaign(session, company_id, target.campaign_id) if target.campaign_id is not None else None
    if (owner is None) != (target.owner_id is None) or (campaign is None) != (target.campaign_id is None):
        raise LookupError(target)
    given = OwnerItem(owner.email, owner.name) if owner else None
    return ContactItem(None, owner=given, campaign=campaign.name if campaign else None)
