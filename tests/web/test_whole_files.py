"""The lists that a company takes along, whole: no two facts are alike, so each stands under its own title."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import delete, insert, update

from portal.contacts import notes
from portal.database.db import db
from portal.models import Attempt, AuditEntry, Classification, Company, Delivery, User
from portal.web.exports import files_of
from portal.web.files import DELIMITER
from portal.working_models import CauseNote, CrmRecord
from tests.factories import NOON, actor_of, classify_contact, make_user, save, set_crm_link

ZONE = ZoneInfo("America/Sao_Paulo")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERSON: dict[str, Any] = {
    "contact": {
        "name": "Ana Lima",
        "linkedin_public_id": "ana-lima",
        "role": "Diretora",
        "current_company": "Acme",
        "current_company_link": "https://acme.example",
        "location": "Recife",
        "email": "ana@acme.example",
        "phone": "+55 81 5555-0000",
        "invite_date": "2026-01-02 10:00:00",
        "accept_date": "2026-01-03 11:00:00",
        "collect_date": "2026-01-04 12:00:00",
        "reply_date": "2026-01-05 13:00:00",
        "skills": [{"skill": "Vendas", "endorsements": 7}],
        "experiences": [{"experience": "Gerente", "company_link": "https://antes.example"}],
    },
    "campaign": {"name": "Feira", "description": "De março"},
    "contact_owner": {"name": "Bia", "email": "bia@x.example"},
    "messages": [{"sender_name": "Caio", "message": "Olá", "date": "2026-01-06 14:00:00", "pending_message": 1}],
}
CONTACT = {
    "Número no portal": "",
    "Nome completo": "Ana Lima",
    "LinkedIn": "ana-lima",
    "Cargo": "Diretora",
    "Empresa": "Acme",
    "Endereço da empresa": "https://acme.example",
    "Localização": "Recife",
    "E-mail": "ana@acme.example",
    "Telefone": "'+55 81 5555-0000",
    "Nível de interesse": "3",
    "Campanha": "Feira",
    "Descrição da campanha": "De março",
    "Responsável": "Bia",
    "E-mail do responsável": "bia@x.example",
    "Convite enviado em": "2026-01-02 10:00:00",
    "Convite aceito em": "2026-01-03 11:00:00",
    "Inserido no sistema em": "2026-01-04 12:00:00",
    "Respondeu em": "2026-01-05 13:00:00",
    "Competências": '[{"skill": "Vendas", "endorsements": 7}]',
    "Experiências": '[{"experience": "Gerente", "company_link": "https://antes.example"}]',
    "Mensagens": '[{"sender_name": "Caio", "message": "Olá", "date": "2026-01-06 14:00:00", "pending_message": 1}]',
    "Link no CRM": "https://crm.example/41",
}
WAITS = {
    "Código da entrega": "",
    "Quando": "2026-03-10 11:00:00",
    "Estado": "Aguardando",
    "Contato": "Ana Lima",
    "LinkedIn": "ana-lima",
    "Campanha": "Feira",
    "Responsável": "Bia",
    "Nível anterior": "1",
    "Nível": "3",
    "Origem": "Sincronização",
    "Quem": "ana@example.com",
    "Resultado": "",
    "Código do resultado": "",
    "Tentativas": "0",
    "Entregue em": "",
    "Próxima tentativa": "2126-03-10 12:00:00",
}
ARRIVED = WAITS | {
    "Quando": "2026-03-10 09:00:00",
    "Estado": "Entregue",
    "Nível anterior": "",
    "Nível": "1",
    "Origem": "Classificação",
    "Quem": "caio@x.example",
    "Resultado": "Recebida, resposta em texto",
    "Código do resultado": "ok_text",
    "Tentativas": "2",
    "Entregue em": "2026-03-10 10:00:00",
    "Próxima tentativa": "",
}
ENTRY = {
    "Quando": "2026-03-10 09:00:00",
    "Quem": "eva@x.example",
    "O que fez": "Pausou o envio",
    "Código": "webhook.paused",
    "Sobre o quê": "7",
    "De onde": "192.0.2.7",
    "Vezes": "4",
}


def read_files(app: Flask, company: Company) -> dict[str, list[list[str]]]:
    """Every file's rows, the titles first."""
    db.session.commit()
    return {
        name: list(csv.reader(io.StringIO("".join(pieces).removeprefix("\ufeff"), newline=""), delimiter=DELIMITER))
        for name, pieces in files_of(app, company.id, ZONE, locale="pt_BR")
    }


def test_each_fact_stands_under_its_title(app: Flask, company: Company) -> None:
    set_crm_link(company)
    contact = save(company, PERSON)
    for level in (1, 3):
        classify_contact(contact, level)
    db.session.add(CrmRecord(contact_id=contact.id, pointer="/id", value="41"))
    first, second = db.session.query(Delivery).order_by(Delivery.id)
    gone = {"status": "delivered", "reason": "ok_text", "attempt_count": 2, "next_attempt_at": None}
    for row, facts in (
        (first, gone | {"delivered_at": NOON + HOUR, "created_at": NOON, "actor": "caio@x.example"}),
        (
            second,
            {
                "next_attempt_at": datetime(2126, 3, 10, 15, tzinfo=UTC),
                "created_at": NOON + 2 * HOUR,
                "trigger": "sync",
            },
        ),
    ):
        db.session.execute(update(Delivery).where(Delivery.id == row.id).values(facts))
    for place, each in enumerate(db.session.query(Classification).order_by(Classification.id)):
        each.created_at, each.actor = NOON + place * DAY, f"quem{place}@x.example"
    tried = {"trigger": "classification", "duration_ms": 12, "url": "https://crm.example/a", "warning": "error_words"}
    ok = {"reason": "ok_text", "status_code": 202, "started_at": NOON}
    late = {"reason": "timeout", "started_at": NOON - HOUR, "url": "https://crm.example/b"}
    for number, each in enumerate((tried | late | {"duration_ms": 9, "warning": None}, tried | ok), 1):
        db.session.add(Attempt(delivery_id=first.id, number=number, **each))
    db.session.flush()
    notes.write_note(db.session, actor_of(company, "dora@x.example"), "timeout", "Falei com o suporte")
    db.session.execute(update(CauseNote).values(written_at=NOON))
    db.session.execute(delete(AuditEntry))
    said = {"actor": "eva@x.example", "action": "webhook.paused", "subject": "7", "ip": "192.0.2.7", "times": 4}
    db.session.execute(insert(AuditEntry).values(company_id=company.id, created_at=NOON, **said))
    gabi = make_user(company, email="gabi@x.example", name="Gabi")
    gabi.disabled_at = NOON + DAY
    db.session.execute(update(User).where(User.id != gabi.id).values(created_at=NOON - DAY))
    owner = db.session.query(User).filter_by(name="Dono").one().email
    number, ids = str(contact.id), (first.webhook_id, second.webhook_id)
    assert read_files(app, company) == {
        "contatos.csv": [list(CONTACT), [number, *list(CONTACT.values())[1:]]],
        "classificacoes.csv": [
            ["Número do contato", "Quando", "Nível anterior", "Nível", "Quem"],
            [number, "2026-03-10 09:00:00", "", "1", "quem0@x.example"],
            [number, "2026-03-11 09:00:00", "1", "3", "quem1@x.example"],
        ],
        "campanhas.csv": [["Nome", "Descrição"], ["Feira", "De março"]],
        "pessoas.csv": [
            ["Nome", "E-mail", "Papel", "Desde", "Desativada em"],
            ["Dono", owner, "", "2026-03-09 09:00:00", ""],
            ["Bia", "bia@x.example", "", "2026-03-09 09:00:00", ""],
            ["Gabi", "gabi@x.example", "Administrador", "2026-03-10 09:00:00", "2026-03-11 09:00:00"],
        ],
        "entregas.csv": [list(WAITS), [ids[1], *list(WAITS.values())[1:]], [ids[0], *list(ARRIVED.values())[1:]]],
        "tentativas.csv": [
            [
                *("Código da entrega", "Tentativa", "Quando", "Duração (ms)"),
                "URL",
                "HTTP",
                "Código do resultado",
                "Aviso",
            ],
            [ids[0], "1", "2026-03-10 08:00:00", "9", "https://crm.example/b", "", "timeout", ""],
            [ids[0], "2", "2026-03-10 09:00:00", "12", "https://crm.example/a", "202", "ok_text", "error_words"],
        ],
        "notas.csv": [
            ["Código do resultado", "Nota", "Quem", "Quando"],
            ["timeout", "Falei com o suporte", "dora@x.example", "2026-03-10 09:00:00"],
        ],
        "auditoria.csv": [list(ENTRY), list(ENTRY.values())],
    }
