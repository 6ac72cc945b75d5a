"""Contacts: the list that is classified by one click, a contact with all that is known, and its form."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.contacts import doubts, filtering, listing, syncing
from portal.contacts.body import DEFAULT_CAMPAIGN
from portal.contacts.campaigns import campaigns_of, newest_campaign
from portal.contacts.classifying import classify
from portal.contacts.filtering import ASKED_LEVELS, ContactFilter
from portal.contacts.items import InvalidContact
from portal.contacts.merging import find_doubles_of
from portal.contacts.saving import save_items
from portal.contacts.standing import standings_of
from portal.database.db import db
from portal.database.paging import InvalidCursor, row_number
from portal.deliveries.figures import say_when_it_leaves
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.log import page_deliveries
from portal.deliveries.opening import crm_address_of
from portal.forms.contacts import NOTE_WORDS, ContactForm, saved_in
from portal.i18n import ngettext, reader_zone
from portal.models import Campaign, Contact
from portal.people.users import people_of
from portal.report.words import say_reached
from portal.views import undoing
from portal.web import access
from portal.web.asked import asked, asked_numbers, or_say, read_page
from portal.web.presentation import has_crm_link, show_form
from portal.web.redirects import back_or, done, see_other

MAX_LIVE = 50

bp = access.Pages("contacts", __name__, url_prefix="/contacts")
get_contact_or_404 = partial(access.own_or_404, listing.get_contact)


@bp.get("", access="member")
def index() -> ResponseReturnValue:
    company_id, wanted = current_user.company_id, read_filter()
    sort = request.args.get("sort", "") if request.args.get("sort") in listing.SORTS else "name"
    matching = listing.find_matching(db.session, company_id, wanted)
    read = partial(listing.page_contacts, db.session, company_id, wanted, sort=sort, matching=matching)
    try:
        page = read_page(read)
    except InvalidCursor:  # its contact was erased: begin again
        page = read()
    return render_template(
        "contacts/index.html",
        page=page,
        wanted=wanted,
        asked=asked_filter(),
        kept=asked_filter() | ({} if sort == "name" else {"sort": sort}),
        sort=sort,
        count=len(matching),
        count_cap=listing.COUNT_CAP,
        is_filtered=wanted != ContactFilter(),
        reached=say_reached(wanted.reached, zone=reader_zone()) if wanted.reached else None,
        has_any=bool(page.items) or listing.has_contacts(db.session, company_id),
        standings=standings_of(db.session, page.items),
        campaigns=campaigns_of(db.session, company_id),
        people=people_of(db.session, company_id),
    )


@bp.get("/live", access="member")
def live() -> ResponseReturnValue:
    """The sync badges of the contacts that were on their way, for a page that shows them."""
    ids = request.args.getlist("id", type=row_number)[:MAX_LIVE]
    found = listing.contacts_of(db.session, current_user.company_id, ids)
    return render_template(
        "contacts/_live.html",
        contacts=found,
        standings=standings_of(db.session, found),
        left=request.args.get("left", 0, type=row_number) - 1,
    )


@bp.post("/<int:contact_id>/level", access="member")
def set_level(contact_id: int) -> ResponseReturnValue:
    level = read_level()
    saved = classify(db.session, access.current_actor(), contact_id, level)
    db.session.commit()
    undoing.offer([saved], level)
    contact = get_contact_or_404(contact_id)
    if "HX-Request" in request.headers:
        state = standings_of(db.session, [contact])[contact_id].shown
        return render_template("contacts/_alone.html", contact=contact, state=state)
    flash(_("Nível de %(name)s salvo.", name=contact.name), "success")
    return back_or(url_for(".show", contact_id=contact_id))


@bp.post("/<int:contact_id>/settle", access="admin")
def settle(contact_id: int) -> ResponseReturnValue:
    """Somebody looked into the CRM, and the contact is right there."""
    contact = get_contact_or_404(contact_id)
    if doubts.settle(db.session, access.current_actor(), contact_id=contact_id):
        return done(_("Aviso de %(name)s resolvido.", name=contact.name), url_for(".show", contact_id=contact_id))
    return back_or(url_for(".show", contact_id=contact_id))


@bp.post("/send", access="member")
def send_ticked() -> ResponseReturnValue:
    """Send the current data of the contacts that were ticked on a page of the list."""
    sent = syncing.send_current_of(db.session, access.current_actor(), read_ticked())
    words = ngettext(
        "O envio dos dados atuais de %(num)s contato foi pedido.",
        "O envio dos dados atuais de %(num)s contatos foi pedido.",
        sent,
    )
    return done_sending(words, url_for(".index"), is_sent=bool(sent))


@bp.post("/<int:contact_id>/send", access="member")
def send(contact_id: int) -> ResponseReturnValue:
    """Send the contact's current data, once however often this is clicked."""
    get_contact_or_404(contact_id)
    is_sent = syncing.send_current(db.session, access.current_actor(), contact_id) is not None
    words = _("O envio dos dados atuais foi pedido.")
    return done_sending(words, url_for(".show", contact_id=contact_id), is_sent=is_sent)


def done_sending(words: str, target: str, *, is_sent: bool) -> ResponseReturnValue:
    """Keep what was asked to be sent, and say so and when it leaves; or say that there was nothing to send."""
    if is_sent:
        return done(f"{words} {say_when_it_leaves(db.session, current_user.company_id)}", target)
    return done(_("Nada foi enviado: o CRM já tem os dados atuais, ou eles já estão na fila."), target, "info")


@bp.get("/<int:contact_id>", access="member")
def show(contact_id: int) -> ResponseReturnValue:
    contact = get_contact_or_404(contact_id)
    standing, siblings = standings_of(db.session, [contact])[contact_id], DeliveryFilter(contact_id=contact_id)
    return render_template(
        "contacts/show.html",
        contact=contact,
        state=standing.shown,
        data_changed=standing.data_changed,
        alike=find_doubles_of(db.session, contact),
        history=listing.history_of(db.session, contact),
        history_cap=listing.HISTORY_CAP,
        deliveries=page_deliveries(db.session, contact.company_id, siblings, limit=20).items,
    )


@bp.get("/<int:contact_id>/crm", access="member")
def in_crm(contact_id: int) -> ResponseReturnValue:
    """Lead to the contact's record in the CRM, or to the contact's page, which says that the record is not known."""
    contact = get_contact_or_404(contact_id)
    address = crm_address_of(db.session, contact)
    if not has_crm_link():
        words = _("Falta dizer onde o CRM mostra os contatos: um administrador faz isso em Webhook, Abrir no CRM.")
        flash(words, "info")
    elif address is None:
        flash(_("O CRM ainda não disse onde este contato está: nenhuma resposta guardada traz o id."), "info")
    return see_other(address or url_for(".show", contact_id=contact_id))


@bp.route("/new", methods=["GET", "POST"], access="member")
@bp.route("/<int:contact_id>/edit", methods=["GET", "POST"], access="member")
def edit(contact_id: int | None = None) -> ResponseReturnValue:
    """A new contact, or one that exists: the same form."""
    contact = get_contact_or_404(contact_id) if contact_id is not None else None
    company_id, zone, form = current_user.company_id, ZoneInfo(current_user.company.timezone), ContactForm()
    form.offer(people_of(db.session, company_id))
    campaigns = campaigns_of(db.session, company_id)
    if form.validate_on_submit() and (saved_id := save(form, contact, zone)):
        return see_other(url_for(".show", contact_id=saved_id))
    if contact is not None and not form.is_submitted():
        form.show(contact, zone)
    elif not form.is_submitted():
        form.owner.data = current_user.email
        form.campaign.data = name_usual_campaign(campaigns)
        form.thread.append_entry()
    return show_form("contacts/edit.html", form, contact=contact, campaigns=campaigns)


def name_usual_campaign(campaigns: Sequence[Campaign]) -> str:
    """What a new contact's campaign is most often: the list's that one comes from, or the newest contact's."""
    numbers = (
        request.args.get("campaign", type=row_number),
        newest_campaign(db.session, current_user.company_id),
    )
    names = {campaign.id: campaign.name for campaign in campaigns}
    return next((names[number] for number in numbers if number in names), min(names.values(), default=DEFAULT_CAMPAIGN))


def save(form: ContactForm, contact: Contact | None, zone: ZoneInfo) -> int | None:
    """Save what a valid form says, and tell what came of it. Returns the contact; None, when its fields say why not."""
    if contact is not None and not form.agrees_with(saved_in(contact, zone)):
        return None
    try:
        (saved,) = save_items(
            db.session, access.current_actor(), [form.item(contact, zone)], default_owner=current_user
        )
    except InvalidContact as error:
        db.session.rollback()
        form.blame(error)
        return None
    db.session.commit()
    if contact is None and not saved.created:
        flash(_("Este contato já existia na campanha; os dados foram atualizados."), "success")
    else:
        flash(_("Contato salvo."), "success")
    for note in saved.notes:
        flash(NOTE_WORDS[note.problem], "warning")
    return saved.contact_id


def read_level() -> int | None:
    """The level that the form asks for; there is no other than these."""
    level = request.form.get("level", "")
    if level not in ASKED_LEVELS:
        abort(400)
    return ASKED_LEVELS[level]


def read_ticked() -> list[int]:
    """The contacts that were ticked on a page of the list, each once; an address may carry them on."""
    return list(dict.fromkeys(request.values.getlist("contact", type=row_number)))[: listing.PAGE_SIZE]


def read_filter() -> ContactFilter:
    """The filter that the page's address holds: rows by their numbers."""
    meant = asked_filter() | asked_numbers("campaign", "owner", "import")
    return filtering.read_filter(db.session, current_user.company_id, meant, reader_id=current_user.id)


def read_filter_or_say() -> ContactFilter:
    """The same filter, for a file or an act."""
    return or_say(read_filter(), "contacts.index", asked_filter())


def asked_filter() -> dict[str, Any]:
    """The part of the page's address that is its filter, for addresses that keep it."""
    return asked(filtering.NAMES)
