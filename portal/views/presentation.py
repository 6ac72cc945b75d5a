"""What templates share: times in words, in the reader's language and the company's time zone, and who they speak to."""

from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from flask_babel import format_datetime, format_number, format_timedelta, get_locale, gettext

from portal import clock

RELATIVE_UP_TO = timedelta(days=30)


def init_app(app: Flask) -> None:
    """Give the templates their filters and names."""
    app.add_template_filter(rfc3339)
    app.add_template_filter(full_time)
    app.add_template_filter(relative_time)
    app.add_template_filter(format_number, "number")
    app.context_processor(shared_names)


def shared_names() -> dict[str, Any]:
    return {"html_lang": str(get_locale()).replace("_", "-")}


def rfc3339(moment: datetime) -> str:
    """For machines: `2026-01-31T12:00:00+00:00`."""
    return moment.isoformat(timespec="seconds")


def full_time(moment: datetime) -> str:
    """The whole date and time, in the company's time zone."""
    return str(format_datetime(moment, "medium"))


def relative_time(moment: datetime) -> str:
    """`há 3 minutos`, `em 2 horas`; a date when that is more than a month away."""
    distance = moment - clock.utcnow()
    if abs(distance) >= RELATIVE_UP_TO:
        return str(format_datetime(moment, "short"))
    if abs(distance) < timedelta(seconds=1):
        return str(gettext("agora"))
    return str(format_timedelta(distance, add_direction=True, threshold=1))
