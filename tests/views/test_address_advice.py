"""Addresses are recognised: advice in words, per kind, never a refusal."""

import pytest

from portal.demo.server import Reply
from portal.egress.advice import SENTENCES, advise
from tests.factories import endpoint_of

KINDS = [
    ("https://docs.google.com/spreadsheets/d/1abc/edit#gid=0", "google_sheet"),
    ("https://sheets.google.com/", "google_sheet"),
    ("https://docs.google.com/forms/d/e/1/viewform", "google_document"),
    ("https://drive.google.com/file/d/1/view", "google_document"),
    ("https://acme.sharepoint.com/:x:/s/vendas/EaB", "office_file"),
    ("https://1drv.ms/x/s!AbC", "office_file"),
    ("https://script.google.com/macros/s/AKf/dev", "apps_script_dev"),
    ("https://script.google.com/macros/s/AKf/exec", "apps_script"),
    ("https://script.google.com/a/macros/acme.com/s/AKf/exec?x=1", "apps_script"),
    ("https://script.google.com/home/projects/1/edit", "apps_script_editor"),
    ("https://script.googleusercontent.com/macros/echo?user_content_key=1", "apps_script_editor"),
    ("https://n8n.acme.com.br/webhook-test/9f", "n8n_test"),
    ("https://acme.app.n8n.cloud/workflow/1", "editor"),
    ("https://acme.app.n8n.cloud/webhook/9f", None),
    ("https://webhook.site/9f2c", "inspector"),
    ("http://127.0.0.1:8000/inspector/0123456789abcdef_0123456789-abcd", "own_inspector"),
    ("https://crm.acme.com.br/inspector/7", None),
    ("https://hooks.zapier.com/hooks/catch/1/2/", "zapier"),
    ("https://zapier.com/editor/1", "editor"),
    ("https://hook.eu2.make.com/abc", "make"),
    ("https://hook.integromat.com/abc", "make"),
    ("https://eu2.make.com/1/scenarios/2/edit", "editor"),
    ("https://eo1.m.pipedream.net", "pipedream"),
    ("https://prod-1.westus.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig=x", "power_automate"),
    ("https://make.powerautomate.com/environments/1", "editor"),
    ("https://api.rd.services/platform/conversions", "crm"),
    ("https://acme.pipedrive.com/api/v1/persons", "crm"),
    ("https://api.hubapi.com/crm/v3/objects/contacts", "crm"),
    ("https://acme.bitrix24.com.br/rest/1/key/crm.lead.add.json", "crm"),
    ("https://acme.my.salesforce.com/services/data/v60.0/sobjects/Lead", "crm"),
    ("https://acme.lightning.force.com/lightning/page/home", "crm"),
    ("https://acme.zendesk.com/api/v2/tickets.json", "crm"),
    ("https://acme.atlassian.net/rest/api/3/issue", "crm"),
    ("https://api-private.atlassian.com/automation/webhooks/jira/a/1/2", "jira_automation"),
    ("https://acme.kommo.com/leads/pipeline/1", "crm"),
    ("https://api2.ploomes.com/Contacts", "crm"),
    ("https://web.agendor.com.br/sistema/pessoas", "crm"),
    ("https://app.pipe.run/webservice/integradorJson?hash=1", "crm"),
    ("https://www.zohoapis.com/crm/v2/Leads", "crm"),
    ("https://flow.zoho.com/1/flow/webhook/incoming?zapikey=1", "automation"),
    ("https://flow.zoho.eu/1/flow/webhook/incoming?zapikey=1", "automation"),
    ("https://www.notion.so/acme/Contatos-1", "crm"),
    ("https://airtable.com/app1/tbl1", "crm"),
    ("https://hooks.airtable.com/workflows/v1/genericWebhook/app1/wfl1/wtr1", "automation"),
    ("https://trello.com/b/1/vendas", "crm"),
    ("https://hooks.slack.com/services/T/B/x", "chat"),
    ("https://acme.slack.com/archives/C1", "chat"),
    ("https://discord.com/api/webhooks/1/x", "chat"),
    ("https://acme.webhook.office.com/webhookb2/1", "chat"),
    ("https://teams.microsoft.com/l/channel/1", "chat"),
    ("https://acme.app.n8n.cloud/form/9f", None),
    ("https://n8n.acme.com.br/workflow/aB3dE5fG7hJ9kL1m", "editor"),
    ("https://n8n.acme.com.br/workflow/42", "editor"),
    ("https://fluxos.acme.com.br/workflow/aB3dE5fG7hJ9kL1m/", "editor"),
    ("https://crm.acme.com.br/workflow/lead", None),
    ("https://crm.acme.com.br/workflow/42", None),
    ("https://crm.acme.com.br/workflow/lead2crm", None),
    ("https://crm.acme.com.br/workflow/0123456789abcdef", None),
    ("https://developers.acme.com.br/webhook", None),
    ("https://docs.acme.com.br/api/hook", None),
    ("https://developers.hubspot.com/docs/api/crm/contacts", "docs_page"),
    ("https://developers.rdstation.com/reference/webhooks", "docs_page"),
    ("https://hook.eu1.make.celonis.com/abc", "make"),
    ("https://www.make.com/en/help/tools/webhooks", "docs_page"),
    ("https://docs.n8n.io/integrations/n8n-nodes-base.webhook/", "docs_page"),
    ("https://help.zapier.com/hc/en-us/articles/1", "docs_page"),
    ("https://services.leadconnectorhq.com/hooks/a/webhook-trigger/b", "automation"),
    ("https://chat.googleapis.com/v1/spaces/a/messages?key=1", "chat"),
    ("https://api.telegram.org/bot1:a/sendMessage", "chat"),
    ("https://graph.facebook.com/v19.0/1/messages", "chat"),
    ("https://httpbin.org/post", "inspector"),
    ("https://abc.ngrok-free.app/hook", "tunnel"),
    ("https://abc.trycloudflare.com/hook", "tunnel"),
    ("https://bit.ly/3abc", "short_link"),
    ("https://api.monday.com/v2", "crm"),
    ("https://acme.activehosted.com/api/3/contacts", "crm"),
    ("https://acme.crm2.dynamics.com/api/data/v9.2/leads", "crm"),
    ("https://api.hsforms.com/submissions/v3/integration/submit/1/2", "crm"),
    ("https://acme.com.br/wp-admin/admin-ajax.php?action=lead", None),
    ("https://acme.com.br/wp-admin/admin-post.php", None),
    ("https://crm.acme.com.br/login", "login_page"),
    ("https://crm.acme.com.br/users/sign_in?next=/", "login_page"),
    ("https://acme.com.br/wp-login.php", "login_page"),
    ("https://acme.com.br/wp-admin/", "login_page"),
    ("https://accounts.google.com/v3/x", "login_page"),
    ("https://crm.acme.com.br/login/webhook", None),
    ("https://acme.com.br/index.html", "home_page"),
    ("https://acme.com.br/index.php", "home_page"),
    ("https://acme.com.br/index.php?route=webhook", None),
    ("https://notslack.com/hook", None),
    ("http://192.168.0.10/hook", "local"),
    ("http://100.64.0.10/hook", "local"),
    ("http://[fd12::10]/hook", "local"),
    ("http://[::ffff:93.184.216.34]/hook", None),
    ("http://crm.lan/hook", "local"),
    ("http://intranet/hook", "local"),
    ("https://www.acme.com.br/", "home_page"),
    ("https://www.acme.com.br", "home_page"),
    ("https://fn.abc.workers.dev/", None),
    ("https://crm.acme.com.br/webhooks/1", None),
    ("https://crm.acme.com.br/?key=1", None),
    ("https://notzapier.com/hook", None),
    ("https://[broken", None),
    ("", None),
]


@pytest.mark.parametrize(("url", "code"), KINDS)
def test_an_address_is_recognised(app, url, code):
    assert [advice.code for advice in advise(url)] == ([code] if code else [])
    assert all(str(advice.sentence) and "%(" not in advice.sentence for advice in advise(url))


def test_every_sentence_belongs_to_an_address(app):
    assert {code for _, code in KINDS if code} == set(SENTENCES)


def test_advice_stands_under_the_field_and_refuses_nothing(admin, company, receiver):
    assert admin.post("/webhook", {"url": receiver.url}).status_code == 303
    assert endpoint_of(company).url == receiver.url
    page = admin.get("/webhook").text
    assert page.index('id="url-hint"') < page.index('id="url-advice"')
    assert "Este endereço fica na rede interna" in page


@pytest.mark.parametrize("action", ["/webhook", "/webhook/test"])
def test_advice_is_shown_when_saving_and_when_testing(admin, receiver, action):
    page = admin.get(admin.post(action, {"url": receiver.url + "webhook-test/9f"}).location).text
    assert "Esta é a URL de teste do n8n" in page


def test_a_refused_address_gets_its_reason_and_no_advice(admin):
    assert 'id="url-advice"' not in admin.post("/webhook", {"url": "http://10.0.0.1/"}).text


def test_a_test_that_ends_at_a_log_in_says_so(admin, receiver):
    receiver.reply = Reply(302, b"", headers=(("Location", "https://accounts.google.com/signin"),))
    page = admin.get(admin.post("/webhook/test", {"url": receiver.url}).location).text
    assert "uma tela de login (accounts.google.com)" in page
