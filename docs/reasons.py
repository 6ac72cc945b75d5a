"""Writes the pages that list every reason and warning, from the words that the portal itself uses.

    python docs/reasons.py

writes docs/reasons.md and docs/pt-BR/motivos.md.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from portal.application import create_app
from portal.clock import utcnow
from portal.config import load_settings
from portal.i18n import speaking
from portal.rules.reasons import WORDS, Explanation, Limits, explain_attempt, explain_warning, warning_title
from portal.rules.reasons.answers import WARNING_TITLES
from portal.webhook import Outcome

FOLDER = Path(__file__).parent

STATUSES = {"status_2xx": 206, "redirect": 302, "client_error": 422, "server_error": 500}
"""A status for each reason that names one."""
INTRODUCTIONS = {
    "en": (
        "reasons.md",
        "# Every reason, in words",
        "What stands in the log, in the API (`reason`, `warning`) and in every notice. The page of a delivery says "
        "more where the answer betrays its cause. The codes of HTTP are examples.",
        ("reason", "what was seen", "what to do"),
        "## Warnings on what was delivered\n\n"
        "Words of an error are looked for in Portuguese, English and Spanish (the commonest in French and German too); "
        "in JSON, in the fields that speak for the answer (`error`, `status`, `message`). What denies an error is none "
        "(`0 errors`, `error: null`), nor is a name of two words or more that was sent and comes back. Beside a "
        'success (`"status": "ok"`) a message counts when it begins with the complaint: `Erro ao salvar` does, '
        "`Erro Silva salvo` does not. A warning never makes a failure.",
        ("warning", "what it means"),
    ),
    "pt_BR": (
        "pt-BR/motivos.md",
        "# Todos os motivos, em palavras",
        "O que aparece no registro, na API (`reason`, `warning`) e em cada aviso. A página da entrega diz mais "
        "quando a resposta mostra a causa. Os códigos HTTP são exemplos.",
        ("motivo", "o que foi visto", "o que fazer"),
        "## Avisos sobre o que foi entregue\n\n"
        "Palavras de erro são procuradas em português, inglês e espanhol (as mais comuns também em francês e alemão); "
        "em JSON, nos campos que falam pela resposta (`error`, `status`, `message`). O que nega um erro não é um "
        "(`0 erros`, `error: null`), nem um nome de duas palavras ou mais que foi enviado e volta na resposta. Ao lado "
        'de um sucesso (`"status": "ok"`), uma mensagem conta quando começa com a queixa: `Erro ao salvar` conta, '
        "`Erro Silva salvo` não. Um aviso nunca transforma a entrega em falha.",
        ("aviso", "o que significa"),
    ),
}


def pages() -> Iterator[tuple[Path, str]]:
    """Each page's path and text."""
    with tempfile.TemporaryDirectory() as instance:
        app = create_app(load_settings({"PORTAL_INSTANCE": instance}))
        for language, (name, title, introduction, columns, warnings, warning_columns) in INTRODUCTIONS.items():
            with speaking(app, language, "UTC"):
                reasons = [row(f"**{told.title}** `{code}`", told.seen, told.advice) for code, told in explained()]
                odd = [row(f"**{warning_title(code)}** `{code}`", explain_warning(code)) for code in WARNING_TITLES]
            parts = (
                title,
                "",
                introduction,
                "",
                *table(columns, reasons),
                "",
                warnings,
                "",
                *table(warning_columns, odd),
                "",
            )
            yield FOLDER / name, "\n".join(parts)


def explained() -> Iterator[tuple[str, Explanation]]:
    for code in WORDS:
        facts = {"started_at": utcnow(), "duration_ms": None, "url": "", "status_code": STATUSES.get(code)}
        yield code, explain_attempt(Outcome(reason=code, **facts), Limits())


def table(columns: tuple[str, ...], rows: list[str]) -> list[str]:
    return [row(*columns), row(*("---" for _ in columns)), *rows]


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    for path, text in pages():
        path.write_text(text, encoding="utf-8")
