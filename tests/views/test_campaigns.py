"""Campaigns: listed, renamed and described on a page."""

import pytest

from portal.database.db import db
from portal.models import AuditEntry, Campaign
from tests.factories import make_delivery, mark_delivered, save, set_url


@pytest.fixture
def campaign(company):
    set_url(company, "https://crm.example.com/hook")
    description = "Primeira linha\nsegunda  "
    contact = save(company, {"contact": {"name": "Ana"}, "campaign": {"name": "Feira", "description": description}})
    mark_delivered(make_delivery(contact))
    save(company, {"contact": {"name": "Rui"}, "campaign": {"name": "Feira"}})
    save(company, {"contact": {"name": "Eva"}, "campaign": {"name": "Outra"}})
    return contact.campaign_id


def said(campaign_id):
    row = db.session.get_one(Campaign, campaign_id, populate_existing=True)
    return row.name, row.description


def test_everybody_sees_the_campaigns_counted_and_admins_change_them(member, admin, campaign):
    page = member.get("/campaigns").text
    assert f'href="/contacts?campaign={campaign}">2</a>' in page
    assert "Primeira linha" in page
    assert f'href="/campaigns/{campaign}"' not in page
    assert f'href="/campaigns/{campaign}"' in admin.get("/campaigns").text


def test_a_renamed_campaign_sends_nothing_and_its_contacts_say_that_the_crm_has_the_data_of_before(admin, campaign):
    answer = admin.post(f"/campaigns/{campaign}", {"name": "Feira 2026", "description": "Outra\r\ncoisa"})
    assert (answer.status_code, said(campaign)) == (303, ("Feira 2026", "Outra\ncoisa"))
    page = admin.get("/contacts?state=data_changed").text
    assert ">Ana</a>" in page
    assert ">Rui</a>" not in page
    assert [row.subject for row in db.session.query(AuditEntry).filter_by(action="campaign.changed")] == ["Feira 2026"]


def test_saving_what_nobody_touched_changes_nothing(admin, campaign):
    before = said(campaign)
    form = {"name": "Feira", "description": "Primeira linha\r\nsegunda"}
    assert admin.post(f"/campaigns/{campaign}", form).status_code == 303
    assert said(campaign) == before
    assert db.session.query(AuditEntry).filter_by(action="campaign.changed").count() == 0
    assert ">Ana</a>" not in admin.get("/contacts?state=data_changed").text


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"name": ""}, "name", "Preencha este campo."),
        ({"name": "Outra"}, "name", "Já existe uma campanha com este nome."),
        ({"name": "x" * 201}, "name", "São no máximo 200 caracteres."),
        ({"name": "Feira", "description": "x" * 20_001}, "description", "São no máximo 20000 caracteres."),
    ],
)
def test_what_cannot_be_saved_is_said_at_its_field(admin, campaign, form, field, words):
    before = said(campaign)
    answer = admin.post(f"/campaigns/{campaign}", form)
    assert answer.status_code == 422
    assert words in answer.text[answer.text.index(f'id="{field}-error"') :]
    assert said(campaign) == before
