"""Campaigns: what there is in each, its name and its description."""

from functools import partial

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.contacts.campaigns import change_campaign, count_campaigns, get_campaign
from portal.contacts.items import InvalidContact
from portal.database.db import db
from portal.forms.contacts import CampaignForm
from portal.web import access
from portal.web.presentation import show_form
from portal.web.redirects import done

bp = access.Pages("campaigns", __name__, url_prefix="/campaigns")
get_campaign_or_404 = partial(access.own_or_404, get_campaign)


@bp.get("", access="member")
def index() -> ResponseReturnValue:
    return render_template("campaigns/index.html", counts=count_campaigns(db.session, current_user.company_id))


@bp.route("/<int:campaign_id>", methods=["GET", "POST"], access="admin")
def edit(campaign_id: int) -> ResponseReturnValue:
    """Rename and describe a campaign: the CRM is not told, and then has the old data."""
    campaign, form = get_campaign_or_404(campaign_id), CampaignForm()
    if not form.is_submitted():
        form.show(campaign)
    elif form.validate() and form.agrees_with(form.saved_in(campaign)):
        try:
            is_changed = change_campaign(db.session, access.current_actor(), campaign, **form.said(campaign))
            return done(_("Campanha salva.") if is_changed else _("Nada mudou na campanha."), url_for(".index"))
        except InvalidContact as error:
            db.session.rollback()
            form.blame(error)
    return show_form("campaigns/edit.html", form, campaign=get_campaign_or_404(campaign_id))
