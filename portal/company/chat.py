"""The chat that a company's notices go to besides the mail: its address is set, removed, and read to be used."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.company.asking import take_turn
from portal.company.endpoint import lock_endpoint
from portal.company.means import Means
from portal.egress import parse_address
from portal.vault import Vault
from portal.working_models import Chat


def get_chat(session: Session, company_id: int) -> Chat | None:
    """The company's chat, if it has one."""
    return session.scalars(select(Chat).where(Chat.company_id == company_id)).one_or_none()


def read_address(chat: Chat, vault: Vault) -> str:
    """The address to post to. Raises WrongKey or DamagedSecret."""
    return vault.open(chat.address_secret, purpose="chat_address", company_id=chat.company_id)


def set_chat(session: Session, means: Means, actor: Actor, url: str) -> None:
    """Send notices to this address too. Ends the caller's transaction. Raises AddressError and TooManyTests."""
    host = parse_address(url, means.egress.policy).host
    take_turn(session, actor, host)
    url = means.egress.check(url).address.url
    lock_endpoint(session, actor.company_id)  # two who set it, or who set and remove it, do so one after the other
    chat = get_chat(session, actor.company_id) or Chat(company_id=actor.company_id, notified_state="active")
    chat.address_secret = means.vault.seal(url, purpose="chat_address", company_id=actor.company_id)
    chat.host, chat.notice_error = host, None
    session.add(chat)
    audit.record(session, actor, "chat.set", subject=host)


def take_trial(session: Session, actor: Actor) -> Chat | None:
    """The chat, to be tried out. Ends the caller's transaction. Raises TooManyTests."""
    chat = get_chat(session, actor.company_id)
    if chat is not None:
        take_turn(session, actor, chat.host)
        chat = get_chat(session, actor.company_id)
    if chat is not None:
        session.expunge(chat)  # read whole: nothing of it asks the database while the network is asked
        session.rollback()
    return chat


def remove_chat(session: Session, actor: Actor) -> None:
    """Send notices to no chat any more, and forget the address."""
    lock_endpoint(session, actor.company_id)
    chat = get_chat(session, actor.company_id)
    if chat is not None:
        session.delete(chat)
        audit.record(session, actor, "chat.removed", subject=chat.host)
