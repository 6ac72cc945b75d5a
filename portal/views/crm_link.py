"""*Abrir no CRM*: an admin shows where the id stands in a real answer of the CRM, and says how its address is made."""

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.company import crm_link
from portal.company.crm_link import LinkRefused
from portal.database.db import db
from portal.deliveries.opening import find_example
from portal.rules.crm_link import MAX_TEMPLATE, build_address
from portal.web import access
from portal.web.presentation import company_endpoint
from portal.web.redirects import done

bp = access.Pages("crm_link", __name__, url_prefix="/webhook/link")


@bp.get("", access="admin")
def index() -> ResponseReturnValue:
    endpoint = company_endpoint()
    return page(endpoint.link_pointer if endpoint.link_template else None, endpoint.link_template or "")


def page(chosen: str | None, template: str) -> str:
    """The last answer with what was chosen in it."""
    example = find_example(db.session, access.current_actor())
    endpoint = company_endpoint()
    value = example.places.get(endpoint.link_pointer or "") if example and endpoint.link_template else None
    return render_template(
        "crm_link/index.html",
        endpoint=endpoint,
        example=example,
        address=build_address(endpoint.link_template, value) if endpoint.link_template and value else None,
        chosen=chosen,
        template=template,
        template_length=MAX_TEMPLATE,
    )


@bp.post("", access="admin")
def save() -> ResponseReturnValue:
    """Save what was chosen, or remove it. The form keeps what was sent when it is refused."""
    actor, pointer, template = access.current_actor(), request.form.get("pointer"), request.form.get("template", "")
    if "remove" in request.form:
        crm_link.remove_link(db.session, actor)
        return done(_("Os contatos não têm mais um link para o CRM."), url_for(".index"))
    if pointer is None:
        flash(_("Escolha na resposta onde está o id ou o link."), "warning")
        return page(None, template), 422
    try:
        crm_link.set_link(db.session, actor, pointer, template)
    except LinkRefused as refusal:
        db.session.rollback()
        flash(refusal.sentence, "error")
        return page(pointer, template), 422
    return done(_("Salvo: cada contato cuja resposta ainda está guardada tem um link para o CRM."), url_for(".index"))
