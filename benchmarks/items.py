"""What the benchmarks send: a contact of usual size."""

from typing import Any


def make_item(number: int) -> dict[str, Any]:
    """A contact as the API takes it, of usual size, with a level."""
    return {
        "contact": {
            "name": f"Contato de Medição {number}",
            "linkedin_public_id": f"medicao-{number}",
            "interest_level": 2,
            "role": "Gerente",
            "skills": [{"skill": f"competência {place}", "endorsements": place} for place in range(12)],
            "experiences": [{"experience": f"Cargo {place}", "company_link": None} for place in range(6)],
        },
        "messages": [
            {
                "sender_name": "Ana",
                "message": "olá, tudo bem? " * 5,
                "date": "2026-01-22 12:28:47",
                "pending_message": 0,
            }
        ]
        * 3,
    }
