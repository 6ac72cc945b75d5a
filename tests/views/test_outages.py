"""Outages on the pages: the last at home, all at the webhook, each with its deliveries."""

import re
from datetime import timedelta

from portal.clock import utcnow
from tests.company.test_outages import arrive, break_down
from tests.conftest import URL
from tests.factories import set_url


def test_an_outage_is_shown_at_home_and_at_the_webhook_with_its_deliveries(admin, member, company):
    set_url(company, URL)
    break_down(company, waiting=2)
    assert "(HTTP 503); 7 entregas esperam." in member.get("/").text
    arrive(now=utcnow() + timedelta(hours=1))
    arrive(now=utcnow() + timedelta(hours=1, minutes=1))
    home, webhook = member.get("/").text, admin.get("/webhook").text
    assert "7 entregas esperaram e todas chegaram até" in home
    assert "7 entregas esperaram e todas chegaram até" in webhook
    (address,) = set(re.findall(r"/deliveries\?outage=\d+", home + webhook))
    assert ">7 entregas<" in member.get(address).text
    assert "Queda: <strong>1</strong>" in member.get(address).text


def test_without_an_outage_nothing_is_said(admin, company):
    assert "queda" not in admin.get("/").text.lower()
    assert "Quedas" not in admin.get("/webhook").text
