"""Services are known by their hosts, headers and words: each by an example, beside one that is nearly it."""

from dataclasses import dataclass

import pytest

from portal.rules.clues import Clue, find_clue
from portal.rules.services import crm_of
from portal.rules.verdict import judge
from portal.webhook import Outcome
from tests.factories import NOON

HOSTS = {
    "RD Station": "app.rdstation.com.br api.rd.services api.rdstation.com",
    "Pipedrive": "acme.pipedrive.com",
    "HubSpot": "app.hubspot.com api.hubapi.com forms.hsforms.com",
    "Bitrix24": "acme.bitrix24.com acme.bitrix24.com.br",
    "Salesforce": "acme.my.salesforce.com acme.lightning.force.com",
    "Zendesk": "acme.zendesk.com",
    "Jira": "acme.atlassian.net",
    "Kommo": "acme.kommo.com acme.amocrm.com",
    "Ploomes": "api2.ploomes.com",
    "Agendor": "api.agendor.com.br",
    "PipeRun": "app.pipe.run api.crmpiperun.com",
    "Zoho": "www.zohoapis.com crm.zoho.com www.zohoapis.eu crm.zoho.eu",
    "Notion": "api.notion.com www.notion.so acme.notion.site",
    "Airtable": "api.airtable.com",
    "monday.com": "api.monday.com",
    "ClickUp": "api.clickup.com",
    "Asana": "app.asana.com",
    "Pipefy": "api.pipefy.com",
    "ActiveCampaign": "acme.activehosted.com",
    "Freshsales": "acme.freshsales.io acme.myfreshworks.com",
    "Freshdesk": "acme.freshdesk.com",
    "Dynamics 365": "acme.crm.dynamics.com",
    "Moskit": "api.ms.prod.moskitcrm.com",
    "Intercom": "api.intercom.io",
    "Brevo": "api.brevo.com",
    "Mailchimp": "us1.api.mailchimp.com",
    "Trello": "trello.com",
}


@dataclass(frozen=True)
class Row:
    """An answer, and what it betrays: the code, and whom it names."""

    code: str | None
    name: str
    status: int
    headers: str = ""
    """With commas between them."""
    body: str = ""
    url: str = "https://hook.test/in"

    @property
    def outcome(self) -> Outcome:
        headers = tuple((name, value.strip()) for name, _, value in (each.partition(":") for each in self._lines))
        reason, body = judge(self.status, self.body.encode()).reason, self.body.encode()
        return Outcome(NOON, 1, self.url, reason, status_code=self.status, response_headers=headers,
                       response_body=body, request_headers=(("Content-Length", "7"),))  # fmt: skip

    @property
    def _lines(self) -> list[str]:
        return self.headers.split(", ") if self.headers else []


def moved_to(code: str | None, name: str, location: str) -> Row:
    return Row(code, name, 302, f"location:{location}")


PAGE = "<!doctype html>"
DO_POST = (
    "Функция не найдена",
    "スクリプト関数が見つかりません",
    "找不到脚本函数",
    "找不到函式",
    "스크립트 함수를 찾을 수 없음",
)
"""That there is no such function, as Google says it in some languages."""
ROWS = [
    *(moved_to("redirect_login", host, f"https://{host}/v3")
      for host in ("accounts.google.com", "login.microsoftonline.com", "login.live.com")),
    *(moved_to("redirect_login", "hook.test", f"/{path}")
      for path in ("login", "log-in", "sign-in", "signin", "entrar", "auth", "oauth2", "authorise", "authenticate")),
    *(moved_to("redirect_parking", f"ww1.{host}", f"https://ww1.{host}/")
      for host in ("sedoparking.com", "sedo.com", "parkingcrew.net", "bodis.com", "hugedomains.com", "dan.com",
                   "afternic.com", "godaddy.com", "above.com", "suspended-domain.com")),
    *(moved_to("redirect_parking", "hook.test", path)
      for path in ("/cgi-sys/suspendedpage.cgi", "/cgi-sys/DefaultWebPage.cgi", "/lander")),
    *(moved_to("redirect_moved", "", f"/{path}") for path in ("entrar-em-contato", "authors", "oauthor", "landers")),
    moved_to("redirect_moved", "", "https://notsedo.com/x"),
    Row("crm_key", "Pipedrive", 401, url="https://acme.pipedrive.com/x"),
    Row("crm_key_in_url", "Trello", 401, url="https://api.trello.com/1/cards"),
    Row("crm_key_in_url", "Bitrix24", 401, url="https://acme.bitrix24.com/rest/1"),
    Row("bot_wall", "Cloudflare", 403, "cf-mitigated:challenge"),
    Row("bot_wall", "Cloudflare", 403, "cf-ray:1", "error code: 1006"),
    Row("bot_wall", "Cloudflare", 403, "cf-ray:1", "Error 1015"),
    Row("bot_wall", "Cloudflare", 403, "cf-ray:1", "error code: 1020"),
    Row("bot_wall", "Cloudflare", 403, "cf-ray:1", "Attention Required! | Cloudflare"),
    Row("bot_wall", "Cloudflare", 403, "cf-ray:1", "<script src=/cf-chl-1>"),
    Row("bot_wall", "Cloudflare", 503, "cf-ray:1", "Just a moment..."),
    *(Row(None, "", 403, "", said)
      for said in ("error code: 1006", "Attention Required! | Cloudflare", "/cf-chl-1", "Just a moment...")),
    Row(None, "", 403, "cf-ray:1", "error code: 1013"),
    Row("bot_wall", "SiteGround", 202, "sg-captcha:challenge"),
    Row("bot_wall", "Vercel", 429, "x-vercel-mitigated:deny"),
    Row("bot_wall", "AWS WAF", 405, "x-amzn-waf-action:captcha"),
    Row("bot_wall", "AWS WAF", 403, "server:awselb/2.0", "<h1>403 Forbidden</h1>"),
    Row("bot_wall", "AWS WAF", 403, "server:CloudFront", "Request blocked."),
    Row("bot_wall", "CloudFront", 403, "server:CloudFront", "configured to block access from your country"),
    Row("bot_wall", "Azure", 403, "server:Microsoft-Azure-Application-Gateway/v2", "<h1>403 Forbidden</h1>"),
    Row("bot_wall", "Azure", 403, "x-azure-ref:1", "The request is blocked."),
    Row("bot_wall", "Akamai", 403, "server:AkamaiGHost", "Access Denied"),
    Row("bot_wall", "Akamai", 403, "server:AkamaiGHost", "cpr_chlge"),
    Row("bot_wall", "Akamai", 403, "server:AkamaiGHost", "sec-if-cpt"),
    Row("bot_wall", "LiteSpeed", 403, "server:LiteSpeed", "you are not a robot"),
    *(Row(None, "", 403, "server:nginx", said)
      for said in ("<h1>403 Forbidden</h1>", "Request blocked.", "block access from your country",
                   "The request is blocked.", "Access Denied", "you are not a robot", "DDoS-Guard")),
    *(Row(None, "", 403, f"server:{name}", "Recusado.")
      for name in ("awselb/2.0", "CloudFront", "Microsoft-Azure-Application-Gateway", "AkamaiGHost", "LiteSpeed",
                   "ddos-guard")),
    Row(None, "", 403, "x-azure-ref:1", "Recusado."),
    Row("bot_wall", "Imperva", 403, "", "Incapsula incident ID: 1"),
    Row("bot_wall", "Imperva", 403, "", "/_Incapsula_Resource?x=1"),
    Row("bot_wall", "DataDome", 403, "", "https://geo.captcha-delivery.com/"),
    Row("bot_wall", "Sucuri", 500, "", "Sucuri WebSite Firewall"),
    Row("bot_wall", "F5", 403, "", "The requested URL was rejected. Please consult with your administrator."),
    Row("bot_wall", "Fortinet", 403, "", "fgd_icon"),
    Row("bot_wall", "Fortinet", 403, "", "FortiWeb"),
    Row("bot_wall", "Fortinet", 403, "", "FortiGuard"),
    Row("bot_wall", "Barracuda", 403, "", "Barracuda Web Application Firewall"),
    Row("bot_wall", "Barracuda", 403, "", "Barracuda WAF"),
    Row("bot_wall", "Barracuda", 403, "", "barracudacentral.org"),
    Row("bot_wall", "HUMAN", 403, "", "window._pxAppId"),
    Row("bot_wall", "HUMAN", 403, "", "px-captcha"),
    Row("bot_wall", "Wordfence", 403, "", "Generated by Wordfence"),
    Row("bot_wall", "ModSecurity", 406, "", "ModSecurity"),
    Row("bot_wall", "Imunify360", 403, "", "Imunify360"),
    Row("bot_wall", "DDoS-Guard", 403, "server:ddos-guard", "DDoS-Guard"),
    Row("bot_wall", "Anubis", 403, "", "Making sure you're not a bot"),
    Row("bot_wall", "Anubis", 403, "", "Making sure you&#39;re not a bot"),
    Row("bot_wall", "Akamai", 403, "", "https://errors.edgesuite.net/1"),
    Row("bot_wall", "Akamai", 403, "", "errors&#46;edgesuite&#46;net"),
    Row("bot_wall", "InfinityFree", 200, "", f'{PAGE}<script src="/aes.js">'),
    *(Row("tunnel_closed", "ngrok", 404, f"ngrok-error-code:ERR_NGROK_{number}") for number in (3200, 3004, 8012)),
    Row(None, "", 404, "ngrok-error-code:ERR_NGROK_727"),
    Row("tunnel_closed", "Cloudflare", 530, "", "error code: 1033"),
    Row("tunnel_closed", "Cloudflare", 530, "", "Error 1033"),
    Row("tunnel_closed", "Cloudflare", 502, "", "responding to traffic from cloudflared"),
    Row("tunnel_closed", "localtunnel", 503, "", "Tunnel Unavailable"),
    Row("tunnel_closed", "dev tunnels", 404, "", "Tunnel not found"),
    Row("app_missing", "Vercel", 404, "x-vercel-error:DEPLOYMENT_NOT_FOUND"),
    Row(None, "", 404, "x-vercel-error:NOT_FOUND"),
    Row("app_missing", "Heroku", 404, "", "herokucdn.com/error-pages/no-such-app.html"),
    Row("app_missing", "Railway", 404, "x-railway-fallback:true", "Application not found"),
    Row(None, "", 404, "", "Application not found"),
    Row(None, "", 404, "x-railway-fallback:true", "Not here"),
    Row("app_missing", "Render", 404, "x-render-routing:no-server"),
    Row(None, "", 404, "x-render-routing:dynamic-free"),
    Row("app_missing", "Netlify", 404, "server:Netlify", "Not Found - Request ID: 1"),
    Row("app_missing", "Netlify", 404, "server:Netlify", "<title>Site not found</title>"),
    Row(None, "", 404, "server:nginx", "Not Found - Request ID: 1"),
    Row(None, "", 404, "server:nginx", "<title>Site not found</title>"),
    Row(None, "", 404, "server:Netlify", "Page not found"),
    Row("app_missing", "Azure", 404, "", "404 Web Site not found"),
    Row("app_missing", "Firebase", 404, "", "<title>Site Not Found</title>"),
    Row("body_too_long", "", 413),
    Row("https_wanted", "", 400, "", "speaking plain HTTP to an SSL-enabled port", url="http://hook.test/in"),
    Row("php_error", "", 200, "", "Parse error: x in /a.php on line 3"),
    Row("php_error", "", 200, "", "Fatal error: x in /a.php on line 3"),
    Row("php_error", "", 500, "", "Fatal error: x in /a.php on line 3"),
    Row("php_warning", "", 200, "", "Warning: x in /a.php on line 3"),
    Row("php_warning", "", 200, "", "Deprecated: x in /a.php on line 3"),
    Row("cloudflare_dns", "", 409, "cf-ray:1", "error code: 1001"),
    *(Row("apps_script_no_post", "", 200, "", f"{PAGE}<div>{said}: doPost</div>") for said in DO_POST),
    Row("client_certificate_wanted", "", 400, "", "400 The SSL certificate error"),
    Row("host_refused", "", 403, "", "DisallowedHost at /"),
    Row("host_refused", "", 500, "", "add it to ALLOWED_HOSTS"),
    Row("host_refused", "", 400, "", 'This host ("a") is not allowed'),
    Row("host_refused", "", 403, "", "Invalid Host header"),
    *(Row("flow_off", "", 400, "", said)
      for said in ("The flow is disabled", "This workflow has been paused", "The scenario is inactive",
                   "Service switched off", "The flow is not enabled", "Flow turned off", "Scenario suspended")),
    Row("flow_failed", "", 500, "", "Workflow could not be started"),
    Row("function_private", "", 401, "", "does not have permission to get URL"),
    Row("key_wanted", "", 403, "", "Missing API key"),
    Row("server_page", "", 404, "", f"{PAGE}<title>Welcome to nginx!</title>"),
    Row("server_page", "", 200, "", f"{PAGE}<title>Welcome to OpenResty!</title>"),
    Row("server_page", "", 200, "", f"{PAGE}<title>Welcome to CentOS</title>"),
    Row("server_page", "", 200, "", f"{PAGE}<title>Apache2 Debian Default Page</title>"),
    Row("server_page", "", 200, "", f"{PAGE}<title>IIS Windows Server</title>"),
    Row("parking_page", "", 403, "", f"{PAGE}<p>Site foi suspenso"),
    Row("parking_page", "", 200, "", f"{PAGE}<p>This domain name is for sale"),
    Row("parking_page", "", 200, "", f"{PAGE}<script src=//sedoparking.com>"),
    Row("parking_page", "", 200, "", f"{PAGE}<a href=//hugedomains.com>"),
    Row("parking_page", "", 200, "", f"{PAGE}Este domínio está à venda"),
    *(Row("login_page", "", 403, "", f"{PAGE}<title>{said}</title>")
      for said in ("Acme log-in", "Logon", "Inicia sesión", "Inicie sessão", "Iniciar sessão", "Sign-in")),
    *(Row(None, "", 403, "", said)
      for said in ("Sobre <title>Welcome to nginx!</title>", "Sobre <title>Log in</title>", "this domain is for sale")),
    Row(None, "", 200, "", "Script function not found: doPost"),
    *(Row(None, "", status, "", said)
      for status, said in ((403, "Hook rules"), (400, "Queue"), (404, "registered"), (500, "not found"))),
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTS)
def test_a_crm_is_known_by_each_of_its_domains(name: str) -> None:
    assert {crm_of(host) for host in HOSTS[name].split()} == {name}


@pytest.mark.parametrize("host", ["notpipedrive.com", "pipedrive.com.test", "mailchimp.com", "com", ""])
def test_a_name_that_only_looks_like_a_crms_is_nobodys(host: str) -> None:
    assert crm_of(host) is None


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_answer_betrays_who_gave_it_and_nobody_else(row: Row) -> None:
    clue = find_clue(row.outcome) or Clue("")
    named = clue.facts.get("name") or clue.facts.get("host") or ""
    assert (clue.code or None, named) == (row.code, row.name)
