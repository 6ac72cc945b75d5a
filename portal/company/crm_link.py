"""Opening a contact in the company's CRM: where its answers say the record's id, and how an address is made of that."""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.company.endpoint import lock_endpoint
from portal.company.refusals import Refusal
from portal.rules.crm_link import MAX_POINTER, SLOT, InvalidTemplate, check_template


class LinkRefused(Refusal):
    """The place or the address cannot be used."""

    code = "invalid_link"
    words = _l(
        "O endereço precisa começar com https:// e ter {id} depois do nome do site. "
        "Se a resposta já traz o link inteiro, deixe em branco."
    )


def set_link(session: Session, actor: Actor, pointer: str, template: str) -> None:
    """Every contact that was delivered has a link from now on. The caller commits. Raises LinkRefused."""
    if len(pointer) > MAX_POINTER or (pointer and not pointer.startswith("/")):
        raise LinkRefused
    try:
        template = check_template(template or SLOT)
    except InvalidTemplate as error:
        raise LinkRefused from error
    endpoint = lock_endpoint(session, actor.company_id)
    if (endpoint.link_pointer, endpoint.link_template) != (pointer, template):
        endpoint.link_pointer, endpoint.link_template = pointer, template
        audit.record(session, actor, "webhook.link_set", subject=template)


def remove_link(session: Session, actor: Actor) -> None:
    """No contact has a link any more. The caller commits."""
    endpoint = lock_endpoint(session, actor.company_id)
    if endpoint.link_template is not None:
        endpoint.link_pointer = endpoint.link_template = None
        audit.record(session, actor, "webhook.link_removed")
