"""The audit log: who did what, when, and from where."""

from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.audit import CONSOLE, AuditFilter, page_entries
from portal.database import filters
from portal.database.db import db
from portal.database.filters import names_of
from portal.people.users import people_of
from portal.web import access, exports, files
from portal.web.asked import asked, asked_days, or_say
from portal.web.audit_words import ACTION_WORDS, action_words, subject_words
from portal.web.presentation import named

# What entries share that stand in one row where they follow each other.
SAME = attrgetter("actor", "action", "subject", "ip")

bp = access.Pages("audit", __name__, url_prefix="/audit")


@bp.get("", access="admin")
def index() -> ResponseReturnValue:
    wanted = read_filter()
    cursor, before = request.args.get("cursor"), request.args.get("before")
    page = page_entries(db.session, current_user.company_id, wanted, cursor=cursor, before=before)
    insiders = [person for person in people_of(db.session, current_user.company_id) if person.role]
    actors = [(person.email, words) for person, (_id, words) in zip(insiders, named(insiders), strict=True)]
    return render_template(
        "audit/index.html",
        page=page,
        runs=[list(run) for _same, run in groupby(page.items, SAME)],
        wanted=wanted,
        is_filtered=wanted != AuditFilter(),
        actors=[*actors, (CONSOLE, _("Terminal"))],
        actions=sorted(((action, str(words)) for action, words in ACTION_WORDS.items()), key=lambda each: each[1]),
        action_words=action_words,
        subject_words=subject_words,
    )


@bp.get("/audit.csv", access="admin")
def download() -> ResponseReturnValue:
    zone = ZoneInfo(current_user.company.timezone)
    wanted = or_say(read_filter(), ".index", asked(names_of(AuditFilter)))
    read = exports.entries_of(current_user.company_id, wanted, zone)
    return files.download(
        _("auditoria"), exports.titles_in(exports.AUDIT_COLUMNS), read, zone=zone, action="audit.exported"
    )


def read_filter() -> AuditFilter:
    """The filter that the page's address holds."""
    meant = asked(names_of(AuditFilter)) | asked_days()
    wanted = filters.read_filter(AuditFilter, db.session, current_user.company_id, meant)
    return wanted if wanted.action in {None, *ACTION_WORDS} else replace(wanted, unknown=(*wanted.unknown, "action"))
