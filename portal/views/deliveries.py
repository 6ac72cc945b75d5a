"""The delivery log: what went to the CRM, what it answered, and a file about it for the CRM vendor's support."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import clock
from portal.contacts import doubts
from portal.contacts.campaigns import campaigns_of
from portal.database.db import db
from portal.database.paging import Page, row_number
from portal.deliveries import filtering, log
from portal.deliveries.filtering import SEARCHED, DeliveryFilter
from portal.deliveries.looking import LOOKED_THROUGH
from portal.deliveries.resending import risk_of
from portal.i18n import reader_zone
from portal.models import DELIVERY_STATUSES, Delivery
from portal.outbox.next_try import next_try_of
from portal.people.users import people_of
from portal.rules.masking import Masker, mask_body, mask_query
from portal.rules.reasons import WORDS, title_of, warning_title
from portal.rules.verdict import WARNINGS
from portal.runtime import runtime
from portal.web import access, exchange
from portal.web.asked import asked, asked_days, asked_numbers, or_say, read_page
from portal.web.charts import read_chart
from portal.web.exports import TRIGGER_WORDS
from portal.web.files import attachment

SOON = timedelta(minutes=1)  # a page looks for news of deliveries that are tried within this time
MAX_LIVE = 50
FIRST_FAILURES = 3
INLINE_BYTES = 16 * 1024  # the page of a delivery leaves out a longer body until somebody asks for it

bp = access.Pages("deliveries", __name__, url_prefix="/deliveries")
get_delivery_or_404 = partial(access.own_or_404, log.get_delivery)


@bp.app_context_processor
def shared_names() -> dict[str, object]:
    return {"tries_in_all": len(runtime().settings.retry_schedule.delays)}


@bp.app_template_filter()
def select_moving(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """The deliveries that may show something new in a moment."""
    soon = clock.utcnow() + SOON
    tries = [(delivery, next_try_of(delivery)) for delivery in deliveries]
    return [
        delivery
        for delivery, coming in tries
        if delivery.status == "sending" or (coming and coming.at and coming.at < soon)
    ]


@bp.get("", access="member")
def index() -> ResponseReturnValue:
    company_id, wanted = current_user.company_id, read_filter()
    page = read_page(partial(log.page_deliveries, db.session, company_id, wanted))
    counted, is_filtered = count_tabs(wanted, page)
    counts = counted or {}
    is_newest = page.previous_cursor is None
    return render_template(
        "deliveries/index.html",
        page=page,
        tries=log.last_attempts(db.session, [delivery.id for delivery in page.items]),
        failures=first_failures(wanted) if is_newest else [],
        is_newest=is_newest,
        chart=read_chart(wanted) if is_newest and page.items else None,
        presets=day_presets(),
        wanted=wanted,
        kept=asked_filter(),
        is_filtered=is_filtered,
        counts=counts,
        matching=None if counted is None else count_shown(counts, wanted.status),
        count_cap=log.COUNT_CAP,
        searched=SEARCHED if filtering.may_leave_out(db.session, company_id, wanted) else None,
        looked_through=LOOKED_THROUGH,
        reason_words={code: title_of(code) for code in WORDS},
        trigger_words=TRIGGER_WORDS,
        warning_words={code: warning_title(code) for code in WARNINGS},
        campaigns=campaigns_of(db.session, company_id),
        people=people_of(db.session, company_id),
    )


def count_tabs(wanted: DeliveryFilter, page: Page[Delivery]) -> tuple[dict[str, int] | None, bool]:
    """How many there are of each status, None when that is not known, and whether a filter is on.

    The tabs lead from tests to real deliveries.
    """
    if page.is_cut:
        return None, True
    if page.is_whole and wanted != DeliveryFilter(tests=False) and wanted.status is None and not wanted.tests:
        return dict.fromkeys(DELIVERY_STATUSES, 0) | Counter(delivery.status for delivery in page.items), True
    counted = replace(wanted, trigger=None, tests=False) if wanted.tests else wanted
    if counted == DeliveryFilter(status=wanted.status, tests=False):
        return log.count_by_status(db.session, current_user.company_id), False
    return log.count_matching_by_status(db.session, current_user.company_id, counted), True


def count_shown(counts: dict[str, int], status: str | None) -> int | None:
    """How many the list has, the cap for so many and more, and None when only those of all statuses are known."""
    return counts.get(status) if status else sum(counts.values()) or log.COUNT_CAP


def first_failures(wanted: DeliveryFilter) -> Sequence[Delivery]:
    """What failed last, which a narrow screen shows before everything else. Nothing when a filter is on."""
    if wanted != DeliveryFilter(tests=False):
        return []
    failed = replace(wanted, status="failed")
    return log.page_deliveries(db.session, current_user.company_id, failed, limit=FIRST_FAILURES).items


@bp.get("/live", access="member")
def live() -> ResponseReturnValue:
    """The rows' news of the deliveries that were about to move, for a page that shows them."""
    ids = request.args.getlist("id")[:MAX_LIVE]
    found = log.deliveries_of(db.session, current_user.company_id, ids)
    return render_template(
        "deliveries/_live.html",
        deliveries=found,
        tries=log.last_attempts(db.session, [delivery.id for delivery in found]),
        left=request.args.get("left", 0, type=row_number) - 1,
    )


@bp.get("/news", access="member")
def news() -> ResponseReturnValue:
    """Whether newer deliveries match than the list shows. The page tells it, and does not move what somebody reads."""
    than_id = request.args.get("than", 0, type=row_number)
    return render_template(
        "deliveries/_news.html",
        count=log.count_newer(db.session, current_user.company_id, read_filter(), than_id=than_id),
        than_id=than_id,
        kept=asked_filter(),
        left=request.args.get("left", 0, type=row_number) - 1,
    )


@bp.get("/<webhook_id>", access="member")
def show(webhook_id: str) -> ResponseReturnValue:
    delivery = open_delivery_or_404(webhook_id)
    tries = log.tries_of(db.session, delivery)
    siblings = DeliveryFilter(contact_id=delivery.contact_id)
    rows = log.page_deliveries(db.session, delivery.company_id, siblings, limit=11).items if delivery.contact_id else []
    return render_template(
        "deliveries/show.html",
        delivery=delivery,
        attempts=tries.latest,
        of_tries=tries,
        risk=risk_of(db.session, delivery),
        is_doubtful=doubts.is_open(db.session, delivery),
        seen=request.args.get("seen", 0, type=row_number) or tries.number,
        inline_bytes=INLINE_BYTES,
        looked_through=LOOKED_THROUGH,
        kept=asked_filter(),
        beside=log.pages_beside(db.session, delivery, filter_around(delivery)),
        successor=next(iter(log.pages_beside(db.session, delivery, siblings)[0].items), None) if rows else None,
        is_erased=log.is_erased(delivery),
        others=[other for other in rows if other.id != delivery.id][:10],
    )


def filter_around(delivery: Delivery) -> DeliveryFilter:
    """The filter of the list that the delivery stands in; tests have a list of their own."""
    wanted = read_filter()
    return replace(wanted, tests=delivery.is_test, trigger="test" if delivery.is_test else wanted.trigger)


@bp.get("/<webhook_id>/body", access="member")
def body(webhook_id: str) -> ResponseReturnValue:
    """The bytes that are sent: a part of the delivery's page, which leaves out a long body, or by themselves."""
    delivery = open_delivery_or_404(webhook_id)
    attempt = log.attempt_numbered(db.session, delivery, request.args.get("attempt", 0, type=row_number))
    if delivery.body is None:
        abort(404)
    if attempt is None or "HX-Request" not in request.headers:
        return Response(delivery.body, mimetype="application/json")
    return render_template("deliveries/_body.html", delivery=delivery, attempt=attempt)


@bp.get("/<webhook_id>/support.txt", access="member")
def hand_over(webhook_id: str) -> ResponseReturnValue:
    """A file to send on: what was sent, what came back, when, and what the rule says. It hides who the contact is."""
    delivery = get_delivery_or_404(webhook_id)
    masker = Masker(delivery.body or b"")
    text = render_template(
        "deliveries/support.txt",
        delivery=delivery,
        attempts=delivery.attempts[::-1],
        is_erased=log.is_erased(delivery),
        body=mask_body(delivery.body) if delivery.body else None,
        mask=masker.mask,
        answer_of=lambda body: masker.mask(exchange.readable(exchange.pretty_json(body).encode(errors="replace"))),
        mask_query=mask_query,
        shown_headers=exchange.shown_headers,
        moment=lambda at: moment_text(at, ZoneInfo(current_user.company.timezone)),
        now=clock.utcnow(),
    )
    return attachment(text, f"{_('entrega')}-{webhook_id}.txt", "text/plain")


def open_delivery_or_404(webhook_id: str) -> Delivery:
    """The delivery, for a page with its personal data. The audit log keeps who looks at them."""
    return access.or_404(log.read_content(db.session, access.current_actor(), webhook_id))


def read_filter() -> DeliveryFilter:
    """The filter that the page's address holds: rows by their numbers, days where the reader is, tests when named."""
    meant = asked_numbers("contact", "campaign", "owner", "level", "outage") | asked_days()
    wanted = filtering.read_filter(db.session, current_user.company_id, asked_filter() | meant)
    return replace(wanted, tests=wanted.trigger == "test")


def read_filter_or_say() -> DeliveryFilter:
    """The same filter, for a file or an act."""
    return or_say(read_filter(), "deliveries.index", asked_filter())


def asked_filter() -> dict[str, Any]:
    """The part of the page's address that is its filter, for addresses that keep it."""
    return asked(filtering.NAMES)


def day_presets() -> list[tuple[str, dict[str, str | None]]]:
    """The spans of days that are asked for most, as parts of the page's address."""
    today = clock.utcnow().astimezone(reader_zone()).date()
    firsts = (_("Hoje"), today), (_("7 dias"), today - timedelta(days=6)), (_("Este mês"), today.replace(day=1))
    return [(word, {"since": first.isoformat(), "until": None}) for word, first in firsts]


def moment_text(at: datetime, zone: ZoneInfo) -> str:
    """`2026-03-10 09:00:00 -03:00 (America/Sao_Paulo), 2026-03-10 12:00:00 UTC`."""
    local, form = at.astimezone(zone), "%Y-%m-%d %H:%M:%S"
    offset = local.isoformat()[-6:]
    return f"{local.strftime(form)} {offset} ({zone.key}), {at.astimezone(UTC).strftime(form)} UTC"
