"""Each code has a sentence of its own: what it says of itself no other sentence of its table says."""

import gc
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask

from portal.company.refusals import HEADER_SENTENCES
from portal.deliveries.figures import LEAVES
from portal.forms.contacts import INVALID_WORDS, NOTE_WORDS
from portal.forms.fields import timezone_words
from portal.forms.people import ROLE_WORDS
from portal.forms.settings import SCOPE_WORDS
from portal.people.passwords import ACCOUNT_WORDS
from portal.rules.folding import fold
from portal.web.exports import STATUS_WORDS, TRIGGER_WORDS

TABLES: dict[str, tuple[Mapping[str, Any], dict[str, str]]] = {
    "invalid": (
        INVALID_WORDS,
        {
            "required": "Preencha",
            "taken": "Já existe",
            "too_long": "longo demais",
            "surrogate": "quebrado",
            "not_a_count": "confirmações",
            "not_a_date": "data",
        },
    ),
    "notes": (
        NOTE_WORDS,
        {
            "not_an_email": "e-mail",
            "not_a_profile": "linkedin.com/in/",
            "marks_removed": "invisíveis",
            "merged_away": "unida",
        },
    ),
    "accounts": (
        ACCOUNT_WORDS,
        {
            "too_short": "menos de",
            "too_long": "mais de",
            "too_common": "primeiras que alguém tentaria",
            "taken": "Alguém já entra",
            "taken_here": "Outra pessoa da empresa",
            "owns_contacts": "responsável por contatos",
            "unchanged": "Este já é",
            "too_soon": "cinco minutos",
            "not_an_email": "válido",
            "last_admin": "única pessoa",
        },
    ),
    "headers": (
        HEADER_SENTENCES,
        {
            "required": "Falta",
            "not_a_header_name": "O nome do cabeçalho só pode",
            "reserved_header": "já é definido",
            "too_long": "4096",
            "not_a_header_value": "O valor do cabeçalho só pode",
            "colon": "dois-pontos",
            "no_address": "sem URL",
        },
    ),
    "leaving": (LEAVES, {"active": "agora", "failing": "quando ele voltar", "paused": "em pausa"}),
    "roles": (ROLE_WORDS, {"admin": "Administrador", "member": "Membro"}),
    "scopes": (SCOPE_WORDS, {"read": "Ler\n", "classify": "mudar contatos e níveis", "manage": "Tudo"}),
    "statuses": (
        STATUS_WORDS,
        {
            "pending": "Aguardando",
            "sending": "Enviando",
            "delivered": "Entregue",
            "failed": "Falhou",
            "superseded": "Substituída",
            "cancelled": "Cancelada",
        },
    ),
    "triggers": (TRIGGER_WORDS, {"classification": "Classificação", "sync": "Sincronização", "test": "Teste"}),
}


def test_a_city_is_named_and_sorted_in_the_reader_s_language() -> None:
    portuguese, english = ([*timezone_words(language)] for language in ("pt_BR", "en"))
    for words, city in ((portuguese, "Londres (Europe/London)"), (english, "London (Europe/London)")):
        assert words[0] == ("UTC", "UTC")
        assert ("Europe/London", city) in words
        assert [fold(word) for _name, word in words[1:]] == sorted(fold(word) for _name, word in words[1:])
    assert ("America/Sao_Paulo", "São Paulo (America/Sao Paulo)") in portuguese


def test_to_name_the_cities_keeps_no_time_zone_in_memory() -> None:
    timezone_words.cache_clear()
    gc.collect()
    tracemalloc.start()
    words = timezone_words("en")
    gc.collect()
    kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/pytz/*")])
    tracemalloc.stop()
    assert sum(each.size for each in kept.statistics("filename")) < 100 * len(words), "each zone is several kilobytes"


@pytest.mark.parametrize("table", TABLES)
def test_a_sentence_speaks_of_its_own_code(app: Flask, table: str) -> None:
    words, telling = TABLES[table]
    with app.test_request_context():
        sentences = {code: f"{sentence}\n" for code, sentence in words.items()}
    assert sentences.keys() == telling.keys()
    speaking = {code: [each for each in sentences if told in sentences[each]] for code, told in telling.items()}
    assert speaking == {code: [code] for code in telling}
