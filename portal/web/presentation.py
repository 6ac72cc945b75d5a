"""What templates share: times in words, in the reader's language and the company's time zone, and who they speak to."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from babel.dates import format_skeleton
from flask import Flask, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import (
    format_date,
    format_datetime,
    format_time,
    format_timedelta,
    get_locale,
    get_translations,
    gettext,
    to_user_timezone,
)
from flask_login import current_user
from flask_wtf import FlaskForm
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.exceptions import RequestEntityTooLarge

from portal import audit, clock
from portal.company.endpoint import get_endpoint, state_of
from portal.contacts.syncing import Backlog, backlog_of
from portal.database.db import db
from portal.deliveries.figures import is_left_lying
from portal.deliveries.log import last_attempts
from portal.deliveries.opening import crm_address_of
from portal.i18n import number, reader_zone
from portal.models import Attempt, Campaign, Contact, Endpoint, User
from portal.outbox.next_try import next_try_at, next_try_of
from portal.rules import reasons
from portal.runtime import runtime
from portal.web import exchange
from portal.web.asked import day_named
from portal.web.redirects import this_page

RELATIVE_UP_TO = timedelta(days=30)


class SupportsGettext(Protocol):
    def gettext(self, message: str, /) -> str: ...
    def ngettext(self, singular: str, plural: str, count: int, /) -> str: ...


def init_app(app: Flask) -> None:
    """Give the templates their filters and names."""
    times = (relative_time, since_time, day_of, short_day, written_day)
    for words in (*times, number, dialled, named, reason_title, reasons.warning_title):
        app.add_template_filter(words)
    app.add_template_filter(reasons.explain_warning, "warning_words")
    app.add_template_filter(who)
    of_the_company = (is_configured, endpoint_in_trouble, is_nobody_sending, company_backlog, crm_address, has_crm_link)
    for function in (*of_the_company, here, explained, next_try_at, next_try_of, is_dead_end, last_failure_of):
        app.add_template_global(function)
    app.context_processor(shared_names)
    app.jinja_env.globals["exchange"] = exchange
    ours = (lambda text: translations().gettext(text)), (lambda *given: translations().ngettext(*given))
    app.jinja_env.install_gettext_callables(*ours, newstyle=True)  # type: ignore[attr-defined]
    app.add_template_global(said, "_")
    app.add_template_global(with_written_number(app.jinja_env.globals["ngettext"]), "ngettext")


def with_written_number(ngettext: Any) -> Callable[..., str]:
    """The templates' `ngettext`, with its `num` as the reader writes it."""

    @pass_context
    def counted(context: Context, one: str, many: str, count: int, **facts: object) -> str:
        words: str = ngettext(context, one, many, count, **{"num": number(count), **facts})  # perhaps Markup
        return words

    return counted


@pass_context
def said(context: Context, text: str, /, **facts: object) -> str:
    """The templates' `_`, what Jinja's own would give: of the hundreds of a list it takes half the time."""
    words: str = translations().gettext(text)
    if context.eval_ctx.autoescape:  # the words are ours, and what they tell is escaped
        words = Markup(words)  # noqa: S704  # nosec B704
    return words % facts if "%" in words else words


def translations() -> SupportsGettext:
    """The reader's catalogue, looked up once a request: a list asks for several hundred words."""
    try:
        found: SupportsGettext = g.translations
    except AttributeError:
        found = g.translations = get_translations()
    return found


def shared_names() -> dict[str, Any]:
    return {"html_lang": str(get_locale()).replace("_", "-")}


def show_form(template: str, form: FlaskForm, **more: Any) -> ResponseReturnValue:
    """The page of a form; 422 where the form says what is wrong with it."""
    return render_template(template, form=form, **more), 422 if form.errors else 200


def here() -> str:
    """The page that is being looked at, for a form to come back to."""
    try:
        named = request.form.get("next")
    except RequestEntityTooLarge:  # the page that says so asks this too
        named = None
    return named or this_page()


def explained(attempt: Attempt) -> reasons.Explanation:
    """What came of an attempt: what was seen, which rule decided, and what to do."""
    return runtime().explain(attempt)


def named(rows: Iterable[Campaign | User]) -> list[tuple[int, str]]:
    """Rows as the options of a choice; people who have one name are told apart by their e-mail."""
    rows = list(rows)
    times = Counter(row.name for row in rows)

    def name_of(row: Campaign | User) -> str:
        return f"{row.name} ({row.email})" if isinstance(row, User) and times[row.name] > 1 else row.name

    return [(row.id, name_of(row)) for row in rows]


def who(actor: str) -> str:
    """Who is behind an act: somebody's name, the portal or the console; an address that is nobody's stays as it is."""
    if "names" not in g:
        people = select(User.email, User.name).where(User.company_id == current_user.company_id, User.role.is_not(None))
        words = {audit.PORTAL: gettext("O portal"), audit.CONSOLE: gettext("Terminal")}
        g.names = words | {row.email: row.name for row in db.session.execute(people)}
    return str(g.names.get(actor, actor))


def reason_title(reason: str) -> str:
    """A reason in a few words, also that of a pause; a code that has none speaks for itself."""
    if reason == "outage":
        return str(gettext("três dias seguidos só com falhas"))
    return reasons.title_of(reason) if reason in reasons.WORDS else reason


def company_endpoint() -> Endpoint:
    """The endpoint of the reader's company, read once for a page."""
    if "endpoint" not in g:
        g.endpoint = get_endpoint(db.session, current_user.company_id)
    found: Endpoint = g.endpoint
    return found


def is_configured() -> bool:
    """Whether the reader's company has an address to send to."""
    return company_endpoint().url is not None


def endpoint_in_trouble() -> Endpoint | None:
    """The reader's company's endpoint when it cannot be reached or is paused."""
    endpoint = company_endpoint()
    return endpoint if state_of(endpoint) in ("failing", "paused") else None


def is_nobody_sending() -> bool:
    """Whether what the reader's company has to send lies there, since no worker lives."""
    return is_left_lying(db.session, current_user.company_id, now=clock.utcnow())


def is_dead_end(attempt: Attempt | None, endpoint: Endpoint | None) -> bool:
    """Whether this attempt found a wrong address that is still configured, and nothing has arrived there since.

    Then the address is what to look at first.
    """
    if attempt is None or endpoint is None or attempt.url != endpoint.url or not endpoint.consecutive_failures:
        return False
    return reasons.is_dead_address(attempt.reason, attempt.status_code)


def last_failure_of(endpoint: Endpoint) -> Attempt | None:
    """The newest try of the delivery with which the endpoint failed last."""
    delivery_id = endpoint.last_failed_delivery_id
    return last_attempts(db.session, [delivery_id]).get(delivery_id) if delivery_id else None


def company_backlog() -> Backlog:
    """What the CRM of the reader's company does not know."""
    return backlog_of(db.session, current_user.company_id)


def crm_address(contact: Contact) -> str | None:
    """Where the contact is found in the CRM, if its answers say so."""
    return crm_address_of(db.session, contact)


def has_crm_link() -> bool:
    """Whether the reader's company has said where its CRM's records are found."""
    return company_endpoint().link_template is not None


def dialled(phone: str | None) -> str:
    """A phone number as `tel:` wants it: a plus sign and digits; "" when there are hardly any."""
    number = "".join(character for character in phone or "" if character in "+0123456789")
    return number if len(number) > 2 else ""


def since_time(moment: datetime) -> str:
    """`hoje às 14:10`, `ontem às 14:10`, `terça-feira às 14:10`, as people say it; else the whole date."""
    time = format_time(moment, "HH:mm")
    days = (to_user_timezone(clock.utcnow()).date() - to_user_timezone(moment).date()).days
    if days == 0:
        return str(gettext("hoje às %(time)s", time=time))
    if days == 1:
        return str(gettext("ontem às %(time)s", time=time))
    if 1 < days < 7:
        return str(gettext("%(weekday)s às %(time)s", weekday=format_date(moment, "EEEE"), time=time))
    return str(format_datetime(moment))


def day_of(moment: datetime) -> date:
    """The day of a moment where the reader is."""
    return moment.astimezone(reader_zone()).date()


def short_day(day: date) -> str:
    """`10/03`, in the order that the reader's language has."""
    return str(format_skeleton("MMdd", day, locale=get_locale()))


def written_day(text: str | None) -> str | None:
    """`26 de nov. de 2026` for the `2026-11-26` of an address; what names no day stays as it is."""
    day = day_named(text)
    return text if day is None else str(format_date(day, "medium"))


def relative_time(moment: datetime) -> str:
    """`há 3 minutos`, `em 2 horas`; a date when that is more than a month away."""
    distance = moment - clock.utcnow()
    if abs(distance) >= RELATIVE_UP_TO:
        return str(format_datetime(moment, "short"))
    if abs(distance) < timedelta(seconds=1):
        return str(gettext("agora"))
    return str(format_timedelta(distance, add_direction=True, threshold=1))
