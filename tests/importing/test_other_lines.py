"""Warnings of a row that has to do with one in another line: they name both."""

from collections.abc import Callable

import pytest

from portal.database.db import db
from portal.importing import chunks
from portal.importing.findings import read_findings
from portal.importing.words import row_explainer
from portal.models import Company, Contact
from portal.tasks import store
from tests.conftest import BOTH
from tests.factories import make_company, make_import

RunTasks = Callable[[], None]
SAYS_ELSE = "diz outra coisa desta pessoa, e é a que vale."


@pytest.fixture
def company(app: object) -> Company:
    return make_company()


def sentences(company: Company, run_tasks: RunTasks, text: str) -> list[tuple[int, str]]:
    """What an import of this file says, with the lines of the rows that it says it of."""
    task = make_import(company, text.encode())
    store.start(db.session, task)
    run_tasks()
    explain = row_explainer()
    return [(found.line, explain(found)) for found in read_findings(db.engine, task.id)]


PREAMBLE = "Relatório\n\n"
REPEATED = {
    "by e-mail": ("Nome,E-mail,Cargo", "Ana,a@x.test,Chefe", "Bia,b@x.test,x", "Ana,A@x.test,Diretora"),
    "by profile": ("Nome,LinkedIn,Cargo", "Ana,linkedin.com/in/ana,Chefe", "Bia,,x", "Ana,linkedin.com/in/ana,Gerente"),
    "by both": (
        "Nome,LinkedIn,E-mail,Cargo",
        "Ana,,a@x.test,Chefe",
        "Bia,,b@x.test,x",
        "Ana,linkedin.com/in/ana,a@x.test,Gerente",
    ),
}


@BOTH
@pytest.mark.parametrize("size", [1, 400])
@pytest.mark.parametrize("kind", REPEATED)
def test_a_row_that_says_something_else_of_a_person_names_the_first_of_both(
    company: Company, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch, kind: str, size: int
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", size)
    text = PREAMBLE + "\n".join([*REPEATED[kind], REPEATED[kind][-1]])
    assert sentences(company, run_tasks, text) == [(line, f"Cargo: a linha 4 {SAYS_ELSE}") for line in (6, 7)]


def test_a_row_that_says_the_same_in_other_capitals_is_no_doubt(company: Company, run_tasks: RunTasks) -> None:
    text = "Nome,E-mail,Cargo,Empresa\nANA SÁ,a@x.test,DIRETORA,ACME\nAna Sá,A@x.test,Diretora,Ácme\n"
    assert sentences(company, run_tasks, text) == [(3, f"Empresa atual: a linha 2 {SAYS_ELSE}")]
    assert db.session.query(Contact.name).scalar() == "ANA SÁ"


def test_another_description_of_a_campaign_names_the_first(company: Company, run_tasks: RunTasks) -> None:
    text = "Nome,Campanha,Descrição da campanha\nAna,Feira,De maio\nBia,Feira,De maio\nCaio,Feira,De junho\n"
    said = "Descrição da campanha: a linha 2 descreve a campanha de outro modo, e é o que vale."
    assert sentences(company, run_tasks, text) == [(4, said)]


def test_a_row_that_was_broken_in_two_names_both_lines(company: Company, run_tasks: RunTasks) -> None:
    text = (
        "Nome,E-mail,Cargo,Telefone\nAna,a@x.test,Chefe,11 99999-0000\nBia,b@x.test,Diretora\nde Vendas,11 98888-0000\n"
    )
    assert sentences(company, run_tasks, text) == [(3, "A linha continua na 4: juntas são um contato.")]
    assert db.session.query(Contact.role).filter_by(name="Bia").scalar() == "Diretora de Vendas"


LONG = "Pedro de Alcântara João Carlos Leopoldo Salvador Bibiano Francisco Xavier de Paula Leocádio Miguel"


@pytest.mark.parametrize(
    ("line", "is_somebody"),
    [
        (LONG, True),
        (LONG.upper(), True),
        ("Os dados acima foram obtidos pela equipe e são de uso interno da empresa", False),
        ("Uso Interno Da Equipe E De Quem Ela Diz Que Pode Ver Isto.", False),
    ],
)
def test_a_long_name_that_stands_alone_is_no_sentence(
    company: Company, run_tasks: RunTasks, line: str, is_somebody: bool
) -> None:
    found = sentences(company, run_tasks, f"Nome,E-mail,Cargo\nAna,a@x.test,Chefe\n{line},,\nBia,b@x.test,x\n")
    assert (not found, db.session.query(Contact).filter_by(name=line).count()) == (is_somebody, is_somebody)
