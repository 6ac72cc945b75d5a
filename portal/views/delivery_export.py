"""The delivery log as a CSV file: what the filter shows."""

from zoneinfo import ZoneInfo

from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.views.deliveries import read_filter_or_say
from portal.web import access, csv_file
from portal.web.exports import deliveries

bp = access.Pages("delivery_export", __name__)


@bp.get("/deliveries.csv", access="member")
def download() -> ResponseReturnValue:
    company_id, zone, wanted = current_user.company_id, ZoneInfo(current_user.company.timezone), read_filter_or_say()
    return csv_file.download(
        _("entregas"),
        deliveries.COLUMNS,
        deliveries.reader_of(company_id, wanted, zone),
        zone=zone,
        action="deliveries.exported",
    )
