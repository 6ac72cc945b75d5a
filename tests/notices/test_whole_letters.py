"""Letters, whole: what each kind says, in its order, with the portal's own address and without."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from portal.database.db import db
from portal.i18n import speaking
from portal.models import Company
from portal.notices.backups import write_overdue
from portal.notices.letters import Letter, write_trial
from portal.notices.reports import write_report
from portal.report import ReportFilter
from portal.report.mailing import Issue
from portal.web.link_mail import write_farewell
from portal.working_models import Outage
from tests.conftest import URL
from tests.factories import NOON, make_company, make_contact, make_delivery, mark_delivered

WEEK = datetime(2026, 3, 9, 3, tzinfo=UTC), datetime(2026, 3, 16, 3, tzinfo=UTC)
SENTENCE = "De 09/03/2026 a 15/03/2026: 3 contatos de nível alto; 1 no CRM, 2 não"


@pytest.fixture
def company(app: Flask) -> Company:
    """Three contacts of two campaigns, one of whom the CRM has, and an outage."""
    company = make_company("Ágil", url=URL)
    with time_machine.travel(NOON, tick=False):
        first = make_delivery(make_contact(company), 3)
        for _ in range(2):
            make_delivery(make_contact(company), 3)
        mark_delivered(first, at=NOON + timedelta(minutes=3))
        ended = {"began_at": NOON, "ended_at": NOON + timedelta(hours=1), "held": 0}
        db.session.add(Outage(company_id=company.id, reason="timeout", **ended))
        db.session.commit()
    return company


@pytest.mark.parametrize(
    ("base_url", "where"),
    [
        (None, "No portal, a página Relatório mostra quem é cada um."),
        ("https://p.example/x", "Ver no portal: https://p.example/x/report?since=2026-03-09&until=2026-03-15"),
    ],
)
@pytest.mark.parametrize(("every", "rhythm"), [("week", "às segundas-feiras"), ("month", "no dia 1º de cada mês")])
def test_a_report(app: Flask, company: Company, every: str, rhythm: str, base_url: str | None, where: str) -> None:
    wanted = ReportFilter(since=WEEK[0], until=WEEK[1])
    facts = {"user_id": 1, "company_id": company.id, "email": "bia@x.example", "every": every, "wanted": wanted}
    issue = Issue(**facts, day=date(2026, 3, 16), told=None, language="pt_BR", timezone="America/Sao_Paulo")
    with speaking(app, issue.language, issue.timezone), time_machine.travel(WEEK[1], tick=False):
        letter = write_report(db.session, issue, base_url=base_url)
    footer = (
        f"-- \nRelatório do Catacliente Portal, {rhythm}, porque bia@x.example o pediu. Para não o receber mais, "
        "abra a página Relatório e escolha “nunca”."
    )
    parts = [
        *(f"{SENTENCE}.", "Geral: 3 contatos de nível alto; 1 no CRM, 2 não."),
        "Da classificação ao CRM: 3 minutos (mediana).",
        "Fora de terça-feira 10/03 09:00 a 10:00 (Sem resposta a tempo); nenhuma entrega esperou.",
        *(where, footer),
    ]
    assert letter == Letter(("bia@x.example",), SENTENCE, "\n\n".join(parts) + "\n")


def test_a_trial_a_missing_backup_and_a_farewell(app: Flask, company: Company) -> None:
    with speaking(app, "pt_BR", "America/Sao_Paulo"):
        trial = write_trial(company, "bia@x.example")
        overdue = write_overdue(("ana@x.example", "bia@x.example"), NOON)
        farewell = write_farewell({"name": "Bia", "company": "Ágil"}, "nova@x.example", recipient="bia@x.example")
    assert trial == Letter(
        ("bia@x.example",),
        "Teste dos avisos por e-mail",
        "Os avisos do Catacliente Portal chegam a este endereço.\n\n-- \nAviso do Catacliente Portal aos "
        "administradores de Ágil. É no máximo um por hora.\n",
    )
    missing = "O portal não faz cópia de segurança desde 10 de mar. de 2026 09:00:00"
    advice = (
        "Se o disco se perder, perde-se o que foi feito desde então. Avise quem opera o portal: o registro do worker "
        "e o comando portal doctor dizem por que a cópia não foi feita. O envio ao CRM não é afetado."
    )
    footer = "Aviso do Catacliente Portal aos administradores. É no máximo um por dia, até que haja uma cópia."
    text = f"{missing}.\n\n{advice}\n\n-- \n{footer}\n"
    assert overdue == Letter(("ana@x.example", "bia@x.example"), missing, text)
    assert farewell == Letter(
        ("bia@x.example",),
        "O e-mail da sua conta mudou no portal da Ágil",
        "Olá, Bia!\n\nA sua conta agora usa nova@x.example, e este e-mail não entra mais no portal.\n\nSe não foi "
        "você, avise já quem administra o portal na sua empresa.\n",
    )
