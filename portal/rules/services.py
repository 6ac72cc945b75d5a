"""Services that an address or an answer is recognised by. Pure."""

CRMS = {
    "rdstation.com.br": "RD Station",
    "rdstation.com": "RD Station",
    "rd.services": "RD Station",
    "pipedrive.com": "Pipedrive",
    "hubspot.com": "HubSpot",
    "hubapi.com": "HubSpot",
    "bitrix24.com": "Bitrix24",
    "bitrix24.com.br": "Bitrix24",
    "salesforce.com": "Salesforce",
    "force.com": "Salesforce",
    "zendesk.com": "Zendesk",
    "atlassian.net": "Jira",
    "kommo.com": "Kommo",
    "amocrm.com": "Kommo",
    "ploomes.com": "Ploomes",
    "agendor.com.br": "Agendor",
    "pipe.run": "PipeRun",
    "crmpiperun.com": "PipeRun",
    "zohoapis.com": "Zoho",
    "zoho.com": "Zoho",
    "zohoapis.eu": "Zoho",
    "zoho.eu": "Zoho",
    "notion.com": "Notion",
    "notion.so": "Notion",
    "notion.site": "Notion",
    "airtable.com": "Airtable",
    "trello.com": "Trello",
}
"""Names by domain: they want data in a form of their own, and mostly a key in a header."""
LOGIN_HOSTS = ("accounts.google.com", "login.microsoftonline.com", "login.live.com")
LOGIN_WORDS = ("login", "log-in", "signin", "sign-in", "sign_in", "entrar", "auth")
PARKING_HOSTS = (
    *("sedoparking.com", "sedo.com", "parkingcrew.net", "bodis.com", "hugedomains.com", "dan.com", "afternic.com"),
    *("godaddy.com", "above.com", "suspended-domain.com"),
)
PARKING_PATHS = ("/cgi-sys/suspendedpage.cgi", "/cgi-sys/defaultwebpage.cgi", "/lander")


def is_under(host: str, domains: tuple[str, ...]) -> bool:
    """Whether a host is one of the domains or of their subdomains."""
    return any(host == domain or host.endswith("." + domain) for domain in domains)


def crm_of(host: str) -> str | None:
    """The name of the CRM that a host belongs to."""
    return next((name for domain, name in CRMS.items() if is_under(host, (domain,))), None)
