"""Every page of a company of which everything is known says, word by word, what tests/data/written holds."""

import pytest
import time_machine
from flask import Flask

from portal.database.db import db
from portal.models import User
from tests.factories import NOON
from tests.views.conftest import Person
from tests.views.written import check, furnish, lines_of

PAGES = {
    "contacts": [
        "/contacts",
        "/contacts?level=3",
        "/contacts?level=none&sort=newest",
        "/contacts?search=rui",
        "/contacts?search=ninguem&campaign=99",
        "/contacts/{zoe}",
        "/contacts/{rui}",
        "/contacts/{zoe}/edit",
        "/contacts/new",
        "/contacts/{zoe}/erase",
        "/contacts/{rui}/merge",
        "/contacts/{rui}/merge?other={sa}",
        "/contacts/doubles",
        "/contacts/live?id={zoe}&id={iris}&left=3",
        "/contacts/classify/all?level=3",
        "/contacts/assign?contact={zoe}",
        "/contacts.csv",
        "/contacts/{zoe}/person.json",
        "/contacts/{lia}/person.json",
        "/contacts?campaign={campaign}&owner={owner}",
        "/contacts?import={t_imported}&state=waiting&sort=newest",
        "/triage",
        "/triage/{iris}",
        "/campaigns",
        "/campaigns/{campaign}",
    ],
    "deliveries": [
        "/",
        "/deliveries",
        "/deliveries?status=failed",
        "/deliveries?status=what&level=3",
        "/deliveries?contact={zoe}",
        "/deliveries?owner={member}&campaign={campaign}&since=2026-03-10&until=2026-03-10",
        "/deliveries?search=rui&reason=ok_empty&warning=error_words&trigger=classification",
        "/deliveries/{d_delivered}",
        "/deliveries/{d_warned}",
        "/deliveries/{d_failed}",
        "/deliveries/{d_superseded}",
        "/deliveries/{d_pending}",
        "/deliveries/{d_cancelled}",
        "/deliveries/{d_purged}",
        "/deliveries/{d_delivered}/body",
        "/deliveries/{d_failed}/resend",
        "/deliveries/{d_superseded}/resend",
        "/deliveries/resend?status=failed",
        "/deliveries/live?id={d_pending}&left=2",
        "/deliveries.csv",
        "/report",
        "/report?since=2026-03-01&until=2026-03-31&by=owner",
        "/report/report.csv",
        "/causes",
        "/warnings",
        "/sync",
        "/sync/contacts?data_changed=true",
    ],
    "jobs": [
        "/jobs/{t_classified}",
        "/jobs/{t_assigned}",
        "/jobs/{t_synced}",
        "/jobs/{t_rehearsed}",
        "/jobs/{t_imported}",
        "/jobs/{t_imported}/progress",
        "/imports",
        "/imports/{t_draft}",
        "/imports/{t_imported}/undo",
        "/imports/{t_imported}/bad-rows.csv",
        "/imports/{t_imported}/warnings.csv",
        "/imports/{t_imported}/missing.csv",
        "/imports/{t_rehearsed}/created.csv",
    ],
    "settings": [
        "/webhook",
        "/webhook/link",
        "/webhook?test={d_failed}",
        "/inspector",
        "/integration",
        "/account",
        "/account/second-factor",
        "/team",
        "/team?state=invited",
        "/team?state=disabled&search=eva",
        "/team?state=what",
        "/team/new",
        "/team/{admin}",
        "/team/{member}",
        "/team/{invited}",
        "/team/{owner}",
        "/team/{gone}",
        "/tokens",
        "/company",
        "/company/close",
        "/privacy",
        "/notices",
        "/audit",
        "/audit?actor=console",
        "/audit/audit.csv",
    ],
}
PUBLIC = ["/login", "/forgotten", "/reset/x", "/setup/x", "/missing", "/contacts?level=3"]


@pytest.fixture
def known(app: Flask) -> dict[str, str]:
    return furnish()


def written(person: Person, pages: list[str], known: dict[str, str]) -> dict[str, list[str]]:
    """What each address says, and how it is answered where that is not by a page as usual."""
    found = {}
    for page in pages:
        answer = person.get(page.format(**known))
        told = [f"{answer.status_code} {answer.mimetype} {answer.headers.get('Content-Disposition', '')}".strip()]
        found[page] = [*([] if told == ["200 text/html"] else told), *lines_of(answer, whole=page == "/")]
    return found


@pytest.mark.parametrize("name", PAGES)
@time_machine.travel(NOON, tick=False)
def test_every_page_says_what_is_written_down(app: Flask, known: dict[str, str], person, name: str) -> None:
    admin = person(db.session.get_one(User, int(known["admin"])))
    check(name, written(admin, PAGES[name], known))


@time_machine.travel(NOON, tick=False)
def test_what_anybody_is_shown_is_written_down(app: Flask, nobody: Person) -> None:
    check("public", written(nobody, PUBLIC, {}))


def test_every_address_stays_what_people_and_programs_have_kept(app: Flask) -> None:
    """Who admits whom, and where: bookmarks, letters and other programs name them."""
    lines = [
        f"{rule.rule} {' '.join(sorted(rule.methods - {'HEAD', 'OPTIONS'}))} "
        f"{getattr(app.view_functions[rule.endpoint], 'access', '-')}"
        for rule in app.url_map.iter_rules()
    ]
    check("addresses", {"addresses": sorted(lines)})
