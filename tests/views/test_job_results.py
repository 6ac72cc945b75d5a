"""What a page says at the end of a job, and of an erasure: the most urgent first."""

from collections import Counter
from types import SimpleNamespace

import pytest
from flask import Flask

from portal.privacy import erasing
from portal.views.job_kinds import sync_result
from tests.factories import make_contact


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"coming": 1, "doubtful": 1, "arrived": 1, "sent": 1}, "1 contato está na fila para o CRM."),
        ({"coming": 1200}, "1.200 contatos estão na fila para o CRM."),
        ({"doubtful": 1, "arrived": 1, "sent": 1}, "1 contato foi recebido com aviso: confira no CRM."),
        ({"doubtful": 2}, "2 contatos foram recebidos com aviso: confira no CRM."),
        ({"arrived": 1, "lost": 1, "sent": 2}, "1 contato em dia."),
        ({"arrived": 2}, "2 contatos em dia."),
        ({"unchanged": 3}, "Não foi preciso enviar nada: o CRM já sabia, ou já ia saber."),
        ({"lost": 1, "sent": 1}, "Nada chegou ao CRM."),
    ],
)
def test_what_became_of_a_sync_is_said(app: Flask, counts: dict[str, int], words: str) -> None:
    with app.test_request_context():
        assert str(sync_result(Counter(counts))) == words


@pytest.mark.parametrize("tasks", [0, 1])
def test_an_import_that_an_erasure_ended_is_told_of(company, admin, monkeypatch, tasks: int) -> None:
    contact = make_contact(company)
    monkeypatch.setattr(erasing, "erase_contact", lambda *_given, **_more: SimpleNamespace(tasks=tasks))
    page = admin.post(f"/contacts/{contact.id}/erase", follow_redirects=True).text
    assert "Os dados da pessoa foram apagados." in page
    assert ("trazia esta pessoa, e por isso foi interrompida" in page) == bool(tasks)
