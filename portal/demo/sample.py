"""A sales team that does not exist and the contacts it prospects, in the body's shape, with dates around today.

The names are made up, the e-mail addresses and sites end in `.example`, which nobody can own (RFC 2606), and the
telephone numbers are no one's.
"""

import csv
import random
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.audit import Actor
from portal.company import endpoint
from portal.contacts.classifying import classify
from portal.contacts.saving import save_items
from portal.database.db import db
from portal.models import LEVELS, Contact
from portal.people import users
from portal.rules.folding import fold
from portal.runtime import runtime

CLASSIFIED_AT_FIRST = 12
PAUSE_SECONDS = 4.0
COMPANY = "Vendas Exemplo"
TEAM = (
    ("Ana Prado", "ana@vendas.example", "admin"),
    ("Bruno Tavares", "bruno@vendas.example", "member"),
    ("Camila Nogueira", "camila@vendas.example", "member"),
)
CAMPAIGNS = {
    "Indústria 4.0": "Diretores e gerentes de indústrias de médio porte no Sul e no Sudeste",
    "Clínicas e laboratórios": "Gestores de saúde que ainda marcam consultas por telefone",
}
PEOPLE = Path(__file__).parent / "people.csv"

THREADS = (
    (
        "Oi, {first}! Vi que você é {role} na {company}. Podemos trocar uma ideia sobre prazos e retrabalho?",
        "Olá! Podemos sim. Quinta de manhã funciona?",
        "Perfeito, quinta às 10h. Te mando o convite.",
    ),
    (
        "{first}, tudo bem? Ajudamos a {company} e outras a trocar ligações e planilhas por um painel. Faz sentido?",
        "Faz, mas só no próximo trimestre. Me procura em breve?",
    ),
    (
        "Olá, {first}! Parabéns pelo trabalho na {company}. Posso te mandar um caso parecido com o de vocês?",
        "Pode mandar por e-mail, por favor 🙂",
        "Enviado! Qualquer dúvida, estou por aqui.",
    ),
    ("Oi, {first}. Estou falando com lideranças de {place} sobre produtividade. Topa 15 minutos?",),
    ("{first}, obrigado por aceitar o convite!\nSeguimos em contato.", "Obrigado! No momento já temos fornecedor."),
)


def sample_items(now: datetime) -> list[dict[str, Any]]:
    """Thirty contacts, as `check_item` takes them."""
    with PEOPLE.open(encoding="utf-8", newline="") as file:
        return [_item(number, person, now) for number, person in enumerate(csv.DictReader(file))]


def _item(number: int, person: dict[str, str], now: datetime) -> dict[str, Any]:
    owner_name, owner_email, _ = TEAM[number % len(TEAM)]
    invited = now - timedelta(days=40 - number, hours=number % 7, minutes=13 * number % 60)
    accepted = invited + timedelta(days=1 + number % 3, hours=2)
    thread = _thread(THREADS[number % len(THREADS)], person, owner_name, accepted)
    replies = [message["date"] for message in thread if message["sender_name"] == person["name"]]
    slug, company_slug = _slug(person["name"]), _slug(person["company"])
    site = f"https://www.{company_slug}.example"
    return {
        "contact": {
            "name": person["name"],
            "invite_date": invited,
            "accept_date": accepted,
            "collect_date": invited - timedelta(hours=5),
            "reply_date": replies[0] if replies else None,
            "linkedin_public_id": slug,
            "current_company": person["company"],
            "current_company_link": site,
            "role": person["role"],
            "location": f"{person['place']}, Brasil",
            "email": f"{slug}@{company_slug}.example" if number % 4 else None,
            "phone": f"+55 11 90000-{number:04d}" if number % 3 else None,
            "skills": [
                {"skill": skill, "endorsements": (number * 7 + place * 11) % 45}
                for place, skill in enumerate(person["skills"].split(", "))
            ],
            "experiences": [
                {"experience": person["role"], "company_link": site},
                {"experience": person["before"], "company_link": None},
            ],
        },
        "contact_owner": {"name": owner_name, "email": owner_email},
        "campaign": {"name": person["campaign"], "description": CAMPAIGNS[person["campaign"]]},
        "messages": thread,
    }


def _thread(
    lines: tuple[str, ...], person: dict[str, str], owner_name: str, accepted: datetime
) -> list[dict[str, Any]]:
    """The owner writes first and the contact answers; a last word of the owner still waits to be sent."""
    first = person["name"].removeprefix("Dra. ").removeprefix("Dr. ").partition(" ")[0]
    return [
        {
            "sender_name": person["name"] if place % 2 else owner_name,
            "message": line.format(first=first, **person),
            "date": accepted + timedelta(hours=9 * place, minutes=20),
            "pending_message": int(place == 2),
        }
        for place, line in enumerate(lines)
    ]


def _slug(text: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in fold(text)).split())


def prepare(app: Flask, *, url: str, password: str) -> None:
    """Make the company, its people and contacts, set its webhook, and classify some contacts."""
    with app.app_context():
        company = users.get_or_create_company(db.session, COMPANY, vault=runtime().vault)
        people = [
            users.add_user(db.session, company, name=name, email=email, role=role, password=password)
            for name, email, role in TEAM
        ]
        actor = Actor(company.id, TEAM[0][1])
        save_items(db.session, actor, sample_items(clock.utcnow()), default_owner=people[0])
        db.session.commit()
        endpoint.set_address(db.session, runtime(), actor, url)
        db.session.commit()
        contact_ids = db.session.scalars(select(Contact.id).order_by(Contact.id).limit(CLASSIFIED_AT_FIRST)).all()
    for number, contact_id in enumerate(contact_ids):
        classify_contact(app, contact_id, LEVELS[number % len(LEVELS)])


def classify_contact(app: Flask, contact_id: int, level: int) -> None:
    """Classify a contact as its owner would from the page."""
    with app.app_context():
        contact = db.session.get_one(Contact, contact_id)
        classify(db.session, Actor(contact.company_id, contact.owner.email), contact_id, level)
        db.session.commit()


class Story:
    """Classifies a contact every few seconds, in the background, for as long as it is held as a context."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="story", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _tell(self) -> None:
        with self._app.app_context():
            contact_ids = list(db.session.scalars(select(Contact.id)))
        while not self._stopping.wait(PAUSE_SECONDS):
            classify_contact(self._app, random.choice(contact_ids), random.choice(LEVELS))  # noqa: S311 - any will do
