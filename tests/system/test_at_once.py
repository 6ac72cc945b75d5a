"""Two people who do the same at the same moment: what can be there once is there once, and neither meets an error."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from portal import clock
from portal.company import inspector
from portal.company.chat import get_chat, remove_chat, set_chat
from portal.company.crm_link import set_link
from portal.contacts import campaigns
from portal.contacts.items import InvalidContact
from portal.contacts.notes import write_note
from portal.contacts.saving import save_items
from portal.database.db import db
from portal.importing import mapping
from portal.importing.order import Order
from portal.models import Campaign, Company, Contact, Endpoint, Task, User
from portal.outbox.outages import begin_outage, end_outage
from portal.people import users
from portal.people.passwords import InvalidAccount
from portal.people.users import get_user
from portal.report.mailing import subscribe
from portal.runtime import runtime
from portal.working_models import CauseNote, Chat, ColumnMapping, HeldDelivery
from tests import factories
from tests.conftest import BOTH, URL
from tests.factories import PASSWORD, make_company, make_import, make_user, save
from tests.outbox.test_outbox import answered

pytestmark = BOTH

Act = Callable[[Session], Any]


@dataclass
class World:
    """The numbers of what the acts are about."""

    company_id: int
    user_ids: tuple[int, ...]
    """Invited to two companies, with one e-mail."""
    contact_id: int
    campaign_ids: tuple[int, int]
    task_id: int

    @property
    def actor(self) -> Any:
        return users.Actor(self.company_id, "ana@example.com")


@pytest.fixture
def world(app: Flask) -> World:
    company, other = make_company(url=URL), make_company("Outra Empresa", url=URL)
    make_user(company)
    invited = [
        users.add_user(db.session, each, name="Nova", email="nova@example.com", role="member", password=None)
        for each in (company, other)
    ]
    first, second = (save(company, {"contact": {"name": each}, "campaign": {"name": each}}) for each in ("Um", "Dois"))
    task = make_import(company)
    world = World(
        company_id=company.id,
        user_ids=tuple(each.id for each in invited),
        contact_id=first.id,
        campaign_ids=(first.campaign_id, second.campaign_id),
        task_id=task.id,
    )
    db.session.commit()
    return world


def at_once(app: Flask, *acts: Act) -> list[Exception]:
    """Do the acts one after the other, each before the one before it is committed. Returns how each was refused."""
    refused: list[Exception] = []

    def do(act: Act) -> None:
        with factories.session_of(app) as session:
            try:
                act(session)
                session.commit()
            except (InvalidAccount, InvalidContact) as error:
                refused.append(error)
            except Exception as error:  # what a person would meet as "something went wrong"
                failed.append(error)

    failed: list[Exception] = []
    db.session.commit()
    first, *others = acts
    threads = [threading.Thread(target=do, args=(act,)) for act in others]
    with factories.session_of(app) as session:
        first(session)
        for thread in threads:
            thread.start()
        threads[0].join(0.4)
        session.commit()
    for thread in threads:
        thread.join(60)
    assert failed == []
    return refused


def chat(world: World) -> Act:
    means = runtime()
    return lambda session: set_chat(session, means, world.actor, URL)


def company(_world: World) -> Act:
    vault = runtime().vault
    return lambda session: users.get_or_create_company(session, "Empresa Nova", vault=vault)


def note(world: World) -> Act:
    return lambda session: write_note(session, world.actor, "timeout", "Falei com o suporte.")


def saved(**item: Any) -> Callable[[World], Act]:
    def act_of(world: World) -> Act:
        def act(session: Session) -> None:
            owner = session.scalars(select(User).where(User.company_id == world.company_id)).first()
            save_items(session, world.actor, [item], default_owner=owner)

        return act

    return act_of


def mapped(world: World) -> Act:
    def act(session: Session) -> None:
        order = Order.from_json(session.get_one(Task, world.task_id).arguments)
        mapping.remember(session, world.company_id, mapping.choose(order, ["name", None]))

    return act


def link(world: World) -> Act:
    return lambda session: set_link(session, world.actor, "/id", "https://crm.example/{id}")


def address_of_inspector(world: World) -> Act:
    return lambda session: inspector.open_inspector(session, session.get_one(Company, world.company_id), world.actor)


def subscription(world: World) -> Act:
    return lambda session: subscribe(session.get_one(User, world.user_ids[0]), "week")


ONCE: dict[str, tuple[Callable[[World], Act], Any]] = {
    "a chat": (chat, select(func.count()).select_from(Chat)),
    "a company": (company, select(func.count()).where(Company.name == "Empresa Nova")),
    "an endpoint": (
        company,
        select(func.count()).select_from(Endpoint).join(Company).where(Company.name.like("%Nova")),
    ),
    "a note": (note, select(func.count()).select_from(CauseNote)),
    "a campaign": (
        saved(contact={"name": "Zé"}, campaign={"name": "Nova"}),
        select(func.count()).where(Campaign.name == "Nova"),
    ),
    "a contact": (
        saved(contact={"name": "Zé", "email": "ze@x.test"}),
        select(func.count()).where(Contact.name == "Zé"),
    ),
    "an owner": (
        saved(contact={"name": "Zé"}, contact_owner={"name": "Rui", "email": "rui@x.test"}),
        select(func.count()).where(User.email == "rui@x.test"),
    ),
    "a mapping": (mapped, select(func.count()).select_from(ColumnMapping)),
    "a link": (link, select(func.count()).where(Endpoint.link_pointer == "/id")),
    "an inspector": (address_of_inspector, select(func.count()).where(Company.inspector_token.is_not(None))),
    "a subscription": (subscription, select(func.count()).where(User.report_every == "week")),
}


@pytest.mark.parametrize("name", ONCE)
def test_what_two_make_at_once_is_made_once(app: Flask, world: World, name: str) -> None:
    act_of, counted = ONCE[name]
    assert at_once(app, act_of(world), act_of(world), act_of(world)) == []
    assert db.session.scalar(counted) == 1


def test_of_two_who_invite_the_same_person_one_is_told(app: Flask, world: World) -> None:
    def invite(session: Session) -> None:
        company = session.get_one(Company, world.company_id)
        users.invite(session, company, name="Rui", email="rui@x.test", role="member", actor=world.actor)

    (refused,) = at_once(app, invite, invite)
    assert str(refused) == "email: taken"
    assert db.session.scalar(select(func.count()).where(User.email == "rui@x.test")) == 1


def test_a_person_is_invited_while_a_contact_brings_them_as_its_owner(app: Flask, world: World) -> None:
    def invite(session: Session) -> None:
        company = session.get_one(Company, world.company_id)
        users.invite(session, company, name="Rui", email="rui@x.test", role="member", actor=world.actor)

    brought = ONCE["an owner"][0](world)
    assert at_once(app, brought, invite) == []
    assert db.session.scalars(select(User.role).where(User.email == "rui@x.test")).all() == ["member"]


def test_two_invitations_of_one_address_are_accepted_at_once_by_one(app: Flask, world: World) -> None:
    """An address logs in to one company."""

    def choose(user_id: int) -> Act:
        return lambda session: users.set_password(session.get_one(User, user_id), PASSWORD)

    (refused,) = at_once(app, *map(choose, world.user_ids))
    assert str(refused) == "email: taken"
    assert (
        db.session.scalar(select(func.count()).where(User.email == "nova@example.com", User.password_hash.is_not(None)))
        == 1
    )


def test_two_campaigns_do_not_take_one_name(app: Flask, world: World) -> None:
    def rename(campaign_id: int) -> Act:
        def act(session: Session) -> None:
            campaign = session.get_one(Campaign, campaign_id)
            campaigns.change_campaign(session, world.actor, campaign, name="Feira", description=None)

        return act

    (refused,) = at_once(app, *map(rename, world.campaign_ids))
    assert str(refused).startswith("campaign.name")


def test_two_companies_do_not_take_one_name(app: Flask, world: World) -> None:
    renamed = []

    def rename(company: Company) -> Act:
        company_id = company.id

        def act(session: Session) -> None:
            found = session.get_one(Company, company_id)
            renamed.append(users.change_company(session, world.actor, found, name="Uma", timezone="UTC"))

        return act

    assert at_once(app, *map(rename, db.session.scalars(select(Company)).all())) == []
    assert sorted(renamed) == [False, True]
    assert db.session.scalars(select(Company.timezone).where(Company.name == "Uma")).all() == ["UTC"]
    assert db.session.scalar(select(func.count()).where(Company.timezone == "UTC")) == 1


@pytest.mark.parametrize("acts", [(remove_chat, remove_chat), (remove_chat, None), (None, remove_chat)])
def test_a_chat_is_set_and_removed_at_once(app: Flask, world: World, acts: tuple[Any, Any]) -> None:
    chat(world)(db.session)
    db.session.commit()
    doing = [chat(world) if act is None else lambda session, act=act: act(session, world.actor) for act in acts]
    assert at_once(app, *doing) == []
    is_left = acts[-1] is None
    assert (get_chat(db.session, world.company_id) is not None) is is_left


def test_a_note_is_taken_away_by_two(app: Flask, world: World) -> None:
    note(world)(db.session)
    db.session.commit()
    away: Act = lambda session: write_note(session, world.actor, "timeout", "")  # noqa: E731
    assert at_once(app, away, away) == []
    assert db.session.scalar(select(func.count()).select_from(CauseNote)) == 0


def test_two_admins_do_not_shut_each_other_out(app: Flask, world: World) -> None:
    company = db.session.get_one(Company, world.company_id)
    other_id = make_user(company, email="bia@example.com").id
    first_id = db.session.scalars(select(User.id).where(User.role == "admin", User.id != other_id)).one()
    db.session.commit()

    def shut_out(user_id: int) -> Act:
        return lambda session: users.disable(session, get_user(session, world.company_id, user_id), actor=world.actor)

    (refused,) = at_once(app, shut_out(first_id), shut_out(other_id))
    assert str(refused) == "role: last_admin"


def test_an_outage_ends_while_the_deliveries_that_it_held_are_deleted(app: Flask, world: World) -> None:
    contact = db.session.get_one(Contact, world.contact_id)
    gone, kept = factories.make_delivery(contact, 1).id, factories.make_delivery(contact, 2).id
    began_at = clock.utcnow() - timedelta(hours=1)
    with factories.session_of(app) as session:
        begin_outage(session.connection(), world.company_id, answered("timeout"), began_at=began_at)
        session.commit()

    def delete(session: Session) -> None:
        session.execute(text("DELETE FROM delivery WHERE id = :id"), {"id": gone})

    def end(session: Session) -> None:
        end_outage(session.connection(), world.company_id, now=clock.utcnow(), arrived=[gone, kept])

    db.session.commit()
    assert at_once(app, delete, end) == []
    assert db.session.scalars(select(HeldDelivery.delivery_id)).all() == [kept]
