"""What a notice says of how many have not arrived, since when, and what comes next: each fact by itself."""

from datetime import datetime, timedelta

import pytest
import time_machine
from flask import Flask

from portal.contacts.doubts import Doubt
from portal.contacts.syncing import Backlog
from portal.i18n import speaking
from portal.notices import letters, telling
from tests.factories import NOON, endpoint_of, make_company

TUESDAY = NOON.replace(hour=17, minute=10)  # 14:10 in São Paulo
EARLIER, NOW = TUESDAY - timedelta(hours=26), TUESDAY + timedelta(hours=1)
IMPACTS: list[tuple[str, Backlog, datetime | None, str]] = [
    ("failing", Backlog(), None, "O CRM não está recebendo nada"),
    ("failing", Backlog(), TUESDAY, "O CRM não recebe nada desde terça-feira 14:10"),
    ("failing", Backlog(contacts=1, since=EARLIER), TUESDAY, "1 contato não chegou ao CRM desde segunda-feira 12:10"),
    ("failing", Backlog(contacts=3, since=TUESDAY), EARLIER, "3 contatos não chegaram ao CRM desde terça-feira 14:10"),
    ("failed", Backlog(contacts=2), TUESDAY, "2 contatos não chegaram ao CRM desde terça-feira 14:10"),
    ("failed", Backlog(3, 1, EARLIER), TUESDAY, "1 contato de nível alto não chegou ao CRM desde segunda-feira 12:10"),
    ("failing", Backlog(3, 2, EARLIER), None, "2 contatos de nível alto não chegaram ao CRM desde segunda-feira 12:10"),
    (
        "paused",
        Backlog(1, 1, TUESDAY),
        None,
        "Envio parado: 1 contato de nível alto não chegou ao CRM desde terça-feira 14:10",
    ),
    ("paused", Backlog(), None, "Envio parado: O CRM não está recebendo nada"),
    ("active", Backlog(9, 9, TUESDAY, 9), TUESDAY, "O CRM voltou a receber"),
]


@pytest.mark.parametrize(("state", "backlog", "failing_since", "subject"), IMPACTS)
def test_the_subject_says_how_many_have_not_arrived_and_since_when(
    app: Flask, state: str, backlog: Backlog, failing_since: datetime | None, subject: str
) -> None:
    place = endpoint_of(make_company())
    place.failing_since = failing_since
    with time_machine.travel(NOW, tick=False), speaking(app, "pt_BR", "America/Sao_Paulo"):
        assert letters._impact(backlog, place, state=state) == subject


LEFT = [
    (Backlog(), 0, "Tudo o que foi classificado chegou. Não é preciso fazer nada."),
    (Backlog(contacts=2, waiting=2), 0, "2 contatos estão na fila."),
    (
        Backlog(contacts=3, waiting=2),
        0,
        "2 contatos estão na fila. 1 contato não chega sozinho: é preciso enviá-lo de novo.",
    ),
    (Backlog(contacts=2), 0, "2 contatos não chegam sozinhos: é preciso enviá-los de novo."),
    (Backlog(), 1, "1 contato foi recebido com um aviso que fala em erro: confira no CRM se foi salvo."),
]


@pytest.mark.parametrize(("backlog", "doubtful", "words"), LEFT)
def test_a_recovery_says_what_is_left_to_arrive_to_do_and_to_look_at(
    app: Flask, backlog: Backlog, doubtful: int, words: str
) -> None:
    doubts = [Doubt("error_words", doubtful, 1, 1)] if doubtful else []
    with speaking(app, "pt_BR", "UTC"):
        assert letters._outlook(backlog, doubts, state="active") == words


STAYS = {
    "failing": "Nada se perde: o portal continua tentando e envia tudo quando ele voltar.",
    "paused": "Nada se perde: o que foi classificado espera até que alguém retome o envio na página Webhook.",
    "failed": "O portal não tenta mais sozinho. Depois de corrigir a causa, reenvie o que falhou.",
}


@pytest.mark.parametrize("state", STAYS)
def test_what_comes_next_is_said_and_how_many_there_are_besides_the_high_ones(app: Flask, state: str) -> None:
    all_of_them = "Ao todo, 3 contatos não chegaram ao CRM. "
    with speaking(app, "pt_BR", "UTC"):
        for backlog, more in ((Backlog(3, 1), all_of_them), (Backlog(3, 3), ""), (Backlog(3), ""), (Backlog(), "")):
            assert letters._outlook(backlog, [], state=state) == f"{more}{STAYS[state]}"


MADE_ANEW = "O endereço pode ter sido apagado no chat: crie outro lá e salve-o aqui."


@pytest.mark.parametrize(
    ("status", "is_gone"),
    [
        *((status, True) for status in (301, 302, 307, 308, 401, 403, 404, 410)),
        *((status, False) for status in (303, 400, 402, 405, 408, 413, 429, 500, 503)),
    ],
)
def test_another_address_is_advised_where_the_chat_has_none_any_more(app: Flask, status: int, is_gone: bool) -> None:
    with speaking(app, "pt_BR", "UTC"):
        said = telling.explain_chat_error(f"{status} no such webhook")
    assert said == f"A resposta foi: “{status} no such webhook”.{f' {MADE_ANEW}' if is_gone else ''}"
