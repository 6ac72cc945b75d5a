"""A sales team that does not exist and the contacts it prospects, in the body's shape, with dates around today.

The names are made up, the e-mail addresses and sites end in `.example`, which nobody can own (RFC 2606), and the
telephone numbers are no one's.
"""

import csv
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from portal.rules.folding import fold

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
