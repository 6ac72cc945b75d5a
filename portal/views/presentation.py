"""What templates share: times in words, in the reader's language and the company's time zone, and who they speak to."""

from datetime import datetime, timedelta
from typing import Any

from flask import Flask, request
from flask_babel import format_datetime, format_number, format_timedelta, get_locale, gettext

from portal import clock, reasons
from portal.models import Attempt
from portal.runtime import runtime

RELATIVE_UP_TO = timedelta(days=30)


def init_app(app: Flask) -> None:
    """Give the templates their filters and names."""
    app.add_template_filter(rfc3339)
    app.add_template_filter(full_time)
    app.add_template_filter(relative_time)
    app.add_template_filter(since_time)
    app.add_template_filter(format_number, "number")
    app.add_template_filter(reasons.title_of, "reason_title")
    app.add_template_global(here)
    app.add_template_global(explained)
    app.context_processor(shared_names)


def shared_names() -> dict[str, Any]:
    return {"html_lang": str(get_locale()).replace("_", "-")}


def here() -> str:
    """The page that is being looked at, for a form to come back to."""
    return request.form.get("next") or request.full_path.rstrip("?")


def explained(attempt: Attempt) -> reasons.Explanation:
    """What came of an attempt: what was seen, which rule decided, and what to do."""
    return reasons.explain(
        attempt.reason,
        status_code=attempt.status_code,
        warning=attempt.warning,
        detail=attempt.detail,
        request_sent=attempt.request_sent,
        deadline_seconds=runtime().settings.deadline,
    )


def rfc3339(moment: datetime) -> str:
    """For machines: `2026-01-31T12:00:00+00:00`."""
    return moment.isoformat(timespec="seconds")


def full_time(moment: datetime) -> str:
    """The whole date and time, in the company's time zone."""
    return str(format_datetime(moment, "medium"))


def since_time(moment: datetime) -> str:
    """`terça-feira 14:10` within the last days, as people say it; else the whole date."""
    if clock.utcnow() - moment < timedelta(days=6):
        return str(format_datetime(moment, "EEEE HH:mm"))
    return full_time(moment)


def relative_time(moment: datetime) -> str:
    """`há 3 minutos`, `em 2 horas`; a date when that is more than a month away."""
    distance = moment - clock.utcnow()
    if abs(distance) >= RELATIVE_UP_TO:
        return str(format_datetime(moment, "short"))
    if abs(distance) < timedelta(seconds=1):
        return str(gettext("agora"))
    return str(format_timedelta(distance, add_direction=True, threshold=1))
