"""Takes the portal's webhook, and creates or updates the contact in HubSpot, Pipedrive or RD Station.

    pip install flask requests standardwebhooks
    export WEBHOOK_SECRET=whsec_...  CRM=hubspot  CRM_TOKEN=...
    flask --app forward run --port 9000

Whatever goes wrong is answered with 4xx or 5xx, so that the portal shows it and tries again.
"""

import os
from typing import Any
from urllib.parse import quote

import requests
from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError

LEVELS = {1: "low", 2: "medium", 3: "high"}
TIMEOUT_SECONDS = 8  # the portal waits for 10
Contact = dict[str, Any]

app = Flask(__name__)


@app.post("/")
def receive() -> tuple[str, int]:
    try:
        event = Webhook(os.environ["WEBHOOK_SECRET"]).verify(request.get_data(as_text=True), dict(request.headers))
    except WebhookVerificationError:
        return "the signature is not the portal's", 401
    contact = event["contact"]
    if contact["id"] == 0:
        return "OK, a test", 200
    if not contact["email"]:
        return "the contact has no e-mail, by which the CRM tells people apart", 422
    try:
        SEND[os.environ["CRM"]](contact)
    except requests.HTTPError as error:
        return f"the CRM answered {error.response.status_code}: {error.response.text[:200]}", 502
    except requests.RequestException as error:
        return f"the CRM did not answer: {error}", 502
    return "OK", 200


def send_to_hubspot(contact: Contact) -> None:
    """A private app's token with `crm.objects.contacts.write`, and a text property `interest_level`."""
    properties = {
        "email": contact["email"],
        "firstname": contact["name"],
        "jobtitle": contact["role"],
        "company": contact["current_company"],
        "phone": contact["phone"],
        "interest_level": LEVELS[contact["interest_level"]],
    }
    url = f"{base('https://api.hubapi.com')}/crm/v3/objects/contacts"
    body = {"properties": known(properties)}
    if call("PATCH", f"{url}/{quote(contact['email'])}?idProperty=email", body) is None:
        require(call("POST", url, body))


def send_to_pipedrive(contact: Contact) -> None:
    """A personal API token; `PIPEDRIVE_LEVEL_FIELD` is the key of a text field of persons, if you want the level."""
    url = f"{base('https://api.pipedrive.com')}/api/v2/persons"
    custom = {os.environ.get("PIPEDRIVE_LEVEL_FIELD"): LEVELS[contact["interest_level"]]}
    person = {
        "name": contact["name"],
        "emails": [{"value": contact["email"], "primary": True}],
        "phones": [{"value": contact["phone"], "primary": True}] if contact["phone"] else None,
        "custom_fields": {key: value for key, value in custom.items() if key} or None,
    }
    query = f"?term={quote(contact['email'])}&fields=email&exact_match=true&limit=1"
    found = require(call("GET", f"{url}/search{query}"))["data"]["items"]
    if found:
        require(call("PATCH", f"{url}/{found[0]['item']['id']}", known(person)))
    else:
        require(call("POST", url, known(person)))


def send_to_rd_station(contact: Contact) -> None:
    """An OAuth access token of RD Station Marketing, and a custom field `cf_interest_level`."""
    fields = {
        "name": contact["name"],
        "job_title": contact["role"],
        "mobile_phone": contact["phone"],
        "cf_interest_level": LEVELS[contact["interest_level"]],
    }
    url = f"{base('https://api.rd.services')}/platform/contacts/email:{quote(contact['email'])}"
    require(call("PATCH", url, known(fields)))  # it creates whom it does not know


SEND = {"hubspot": send_to_hubspot, "pipedrive": send_to_pipedrive, "rd_station": send_to_rd_station}


def call(method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """What the CRM answered, or None for 404. Raises requests.RequestException."""
    token = os.environ["CRM_TOKEN"]
    headers = {"x-api-token": token} if os.environ["CRM"] == "pipedrive" else {"Authorization": f"Bearer {token}"}
    answer = requests.request(method, url, json=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    if answer.is_redirect:
        raise requests.RequestException(f"{answer.status_code}: it points to another address")
    return answer.json() if answer.content else {}


def require(answer: dict[str, Any] | None) -> dict[str, Any]:
    if answer is None:
        raise requests.RequestException("404: this address of the CRM does not exist")
    return answer


def known(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known: nothing in the CRM is emptied by it."""
    return {name: value for name, value in fields.items() if value is not None}


def base(usual: str) -> str:
    return os.environ.get("CRM_URL", usual)
