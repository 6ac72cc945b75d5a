"""The first page: does the CRM know what we know, and if not, what to do?"""

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.company.endpoint import state_of
from portal.company.outages import last_outage
from portal.contacts.doubts import doubts_of
from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import COUNT_CAP as CONTACT_CAP
from portal.contacts.listing import count_contacts, has_contacts
from portal.contacts.notes import notes_of
from portal.contacts.syncing import LOOK_BACK, backlog_of, causes_of
from portal.database.db import db
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.first_steps import first_steps
from portal.deliveries.log import COUNT_CAP, count_by_status, last_attempts, page_deliveries
from portal.web import access
from portal.web.charts import read_chart
from portal.web.presentation import company_endpoint

LATEST = 8
CAUSES = 3  # reasons that are explained; the log has the others

bp = access.Pages("home", __name__)


@bp.get("/", access="member")
def index() -> ResponseReturnValue:
    company_id, endpoint = current_user.company_id, company_endpoint()
    backlog, causes = backlog_of(db.session, company_id), causes_of(db.session, company_id)
    shown = causes[:CAUSES]
    latest = page_deliveries(db.session, company_id, DeliveryFilter(tests=False), limit=LATEST).items
    return render_template(
        "home/index.html",
        endpoint=endpoint,
        state=state_of(endpoint),
        backlog=backlog,
        doubtful=sum(doubt.contacts for doubt in doubts_of(db.session, company_id)),
        outdated=count_contacts(db.session, company_id, ContactFilter(state="data_changed")),
        outage=last_outage(db.session, company_id),
        causes=shown,
        unshown=sum(cause.contacts for cause in causes[CAUSES:]),
        unexplained=backlog.beside(causes),
        look_back=LOOK_BACK,
        notes=notes_of(db.session, company_id),
        examples=last_attempts(db.session, [cause.delivery_id for cause in shown]),
        counts=count_by_status(db.session, company_id),
        count_cap=COUNT_CAP,
        chart=read_chart(DeliveryFilter()),
        contact_cap=CONTACT_CAP,
        unclassified=count_contacts(db.session, company_id, ContactFilter(level="none")),
        has_contacts=has_contacts(db.session, company_id),
        steps=first_steps(db.session, company_id),
        latest=latest,
        tries=last_attempts(db.session, [delivery.id for delivery in latest]),
    )
