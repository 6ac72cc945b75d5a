"""The list of contacts and the delivery log as CSV files: what the filter of each shows."""

from zoneinfo import ZoneInfo

from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user

from portal.contacts.table import titles_of
from portal.views import contacts, deliveries
from portal.web import access, exports, files
from portal.web.presentation import has_crm_link

bp = access.Pages("exports", __name__)


@bp.get("/contacts.csv", access="member")
def download_contacts() -> ResponseReturnValue:
    company_id, zone = current_user.company_id, ZoneInfo(current_user.company.timezone)
    has_link = has_crm_link()
    titles = titles_of(str(get_locale()), with_link=has_link)
    read = exports.contacts_of(company_id, contacts.read_filter_or_say(), zone, with_link=has_link)
    return files.download(_("contatos"), titles, read, zone=zone, action="contacts.exported")


@bp.get("/deliveries.csv", access="member")
def download_deliveries() -> ResponseReturnValue:
    zone = ZoneInfo(current_user.company.timezone)
    read = exports.deliveries_of(current_user.company_id, deliveries.read_filter_or_say(), zone)
    return files.download(
        _("entregas"), exports.titles_in(exports.DELIVERY_COLUMNS), read, zone=zone, action="deliveries.exported"
    )
