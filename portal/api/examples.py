"""One of everything, for the OpenAPI document: a contact, what was delivered about it, and the webhook."""

from typing import Any

from portal.rules import payload

DELIVERY_ID = "msg_01a20541a4a4737b96cac627d2c45cc7"
URL = "https://example.com/hook"

CONTACT_ITEM: dict[str, Any] = {
    "contact": {
        "name": "Maria Souza",
        "linkedin_public_id": "maria-souza",
        "current_company": "Empresa Exemplo",
        "role": "Diretora",
        "location": "São Paulo, Brasil",
        "email": "maria@example.com",
        "phone": None,
        "invite_date": "2026-01-22 12:28:47",
        "interest_level": 2,
        "skills": [{"skill": "Vendas", "endorsements": 12}],
        "experiences": [{"experience": "Gerente", "company_link": "https://example.com"}],
    },
    "contact_owner": {"name": "Ana Lima", "email": "ana@example.com"},
    "campaign": {"name": "Indústria 2026", "description": None},
    "messages": [
        {"sender_name": "Ana Lima", "message": "Olá, Maria!", "date": "2026-01-22 12:30:00", "pending_message": 0}
    ],
}
_FACTS = CONTACT_ITEM["contact"]
CONTACT = {
    "contact": {name: _FACTS.get(name) for name in payload.CONTACT}
    | {"id": 7, "accept_date": "2026-01-22 15:02:11", "collect_date": "2026-01-22 09:00:00"},
    "contact_owner": {"id": 2} | CONTACT_ITEM["contact_owner"],
    "campaign": {"id": 1} | CONTACT_ITEM["campaign"],
    "messages": CONTACT_ITEM["messages"],
    "sync": "in_sync",
    "warning": None,
    "data_changed": False,
    "crm_url": "https://crm.example/leads/41",
}
CONTACT_PAGE = {"items": [CONTACT], "next_cursor": "7"}
SAVED = {"results": [{"id": 7, "created": True, "delivery_id": DELIVERY_ID}]}
CLASSIFIED = {"contact_id": 7, "interest_level": 3, "previous_level": 2, "delivery_id": DELIVERY_ID}
SENT = {"contact_id": 7, "delivery_id": DELIVERY_ID}

WEBHOOK = {
    "url": URL,
    "state": "active",
    "paused_reason": None,
    "waiting": 0,
    "consecutive_failures": 0,
    "last_success_at": "2026-01-22T18:05:03.120Z",
    "last_failure_at": None,
    "header_name": None,
}
ADVICE = {"code": "zapier", "message": "Zapier: it answers 200 with the Zap off too."}
SAVED_WEBHOOK = WEBHOOK | {"advice": [ADVICE]}
PAUSED = WEBHOOK | {"state": "paused", "paused_reason": "manual", "waiting": 3}
SECRET = {"secret": "whsec_" + "A" * 43 + "=", "old_secret_until": "2026-01-23T18:05:03.000Z"}

_SENT_HEADERS = {"Content-Type": "application/json", "webhook-id": DELIVERY_ID}
_TEXT = {"Content-Type": "text/plain"}
_OK = "The receiver answered 200 with a text: delivered."
TEST_RESULT = {
    "delivered": True,
    "reason": "ok_text",
    "message": _OK,
    "offer": None,
    "warning": None,
    "status_code": 200,
    "duration_ms": 84,
    "request": {"method": "POST", "url": URL, "headers": _SENT_HEADERS, "body": '{"contact":{"id":7}}'},
    "response": {"headers": _TEXT, "body": "OK", "size": 2, "truncated": False},
    "advice": [],
}

DELIVERY_ITEM = {
    "id": DELIVERY_ID,
    "status": "delivered",
    "trigger": "classification",
    "contact_id": 7,
    "interest_level": 3,
    "previous_level": 2,
    "reason": "ok_text",
    "warning": None,
    "attempt_count": 1,
    "next_attempt_at": None,
    "waits_for": None,
    "created_at": "2026-01-22T18:05:02.910Z",
    "delivered_at": "2026-01-22T18:05:03.120Z",
}
DELIVERY_PAGE = {"items": [DELIVERY_ITEM], "next_cursor": None}
ATTEMPT = {
    "number": 1,
    "trigger": "classification",
    "started_at": "2026-01-22T18:05:03.036Z",
    "duration_ms": 84,
    "url": URL,
    "status_code": 200,
    "reason": "ok_text",
    "message": _OK,
    "offer": None,
    "warning": None,
    "request_headers": _SENT_HEADERS,
    "response_headers": _TEXT,
    "response_body": "OK",
}
DELIVERY = DELIVERY_ITEM | {"body": '{"contact":{"id":7}}', "attempts": [ATTEMPT], "crm_url": None}
RESENT = DELIVERY | {"status": "pending", "next_attempt_at": "2026-01-22T18:20:00.000Z", "waits_for": "its_time"}
COUNT = {"count": 12}
RESEND_COUNT = {"count": 12, "left_out": {"delivered": 3, "older": 0, "maybe_received": 1}}
JOB = {
    "id": 4,
    "kind": "resend",
    "status": "running",
    "position": 5,
    "total": 12,
    "counts": {"resent": 5},
    "reason": None,
}
SYNC_JOB = JOB | {"kind": "sync", "status": "waiting", "position": 0, "counts": {}}
SEND_CURRENT_JOB = SYNC_JOB | {"kind": "send_current"}
CAUSE_NOTE = {
    "cause": "server_error",
    "note": {"text": "Ticket 123", "actor": "ana@example.com", "written_at": "2026-01-26T12:02:00.000Z"},
}
CAUSES = {
    "items": [
        CAUSE_NOTE | {"status": "failed", "contacts": 3, "message": "The receiver answered 503: an error of its own."}
    ]
}
ASSIGN_JOB = SYNC_JOB | {"kind": "assign"}
OUTAGE_PAGE = {
    "items": [
        {
            "id": 3,
            "began_at": "2026-01-23T21:10:00Z",
            "ended_at": "2026-01-26T12:02:00Z",
            "reason": "server_error",
            "status_code": 503,
            "held": 14,
            "waiting": 0,
            "delivered": 14,
            "failed": 0,
            "superseded": 0,
            "cancelled": 0,
            "forgotten": 0,
            "last_delivered_at": "2026-01-26T12:04:00Z",
            "message": "Fora de 23/01/2026 18:10 a 26/01/2026 09:02 (HTTP 503); 14 entregas esperaram e todas chegaram "
            "até 09:04.",
        }
    ],
    "next_cursor": None,
}
_LEVELS = [
    {"level": 3, "contacts": 41, "in_crm": 39, "with_warning": 1, "missing": 1},
    {"level": 2, "contacts": 12, "in_crm": 12, "with_warning": 0, "missing": 0},
    {"level": 1, "contacts": 0, "in_crm": 0, "with_warning": 0, "missing": 0},
]
REPORT = {
    "message": "Janeiro: 41 contatos de nível alto; 39 no CRM, 1 com aviso, 1 não.",
    "since": "2026-01-01T03:00:00Z",
    "until": "2026-02-01T03:00:00Z",
    "levels": _LEVELS,
    "campaigns": [{"id": 1, "name": "Indústria 2026", "levels": _LEVELS}],
    "owners": [{"id": 2, "name": "Ana Lima", "levels": _LEVELS}],
    "weeks": [{"since": "2026-01-19T03:00:00Z", "until": "2026-01-26T03:00:00Z", "levels": _LEVELS}],
    "median_seconds": 1.4,
    "timed": 53,
    "outages": OUTAGE_PAGE["items"],
}
