"""What an import would do and what it did: counted and asked before, listed after, each list as a CSV."""

import csv
import io
import re

import pytest

from portal.database.db import db
from portal.models import Contact, Delivery, Task
from portal.working_models import ImportedContact
from tests.factories import classify_contact, do_tasks, make_import, save, save_many, set_url
from tests.views.test_imports import begin, choices_of, follow, send, text_of

HEADER = "Nome,Perfil no LinkedIn,E-mail,Cargo,Campanha,Nível de interesse\n"


@pytest.fixture
def known(company, receiver):
    """Who is there before the file comes."""
    set_url(company, receiver.url)
    ana = {"name": "Ana Lima", "linkedin_public_id": "ana-lima", "email": "ana@x.test", "role": "Gerente"}
    people = [
        {"contact": ana},
        {"contact": {"name": "Bia", "linkedin_public_id": "bia"}, "campaign": {"name": "Verão"}},
        {"contact": {"name": "Caio", "linkedin_public_id": "caio"}},
    ]
    save_many(company, people)
    classify_contact(db.session.query(Contact).filter_by(name="Caio").one(), 1)
    db.session.commit()
    db.session.query(Delivery).delete()
    db.session.commit()


FILE = (
    HEADER
    + "Ana Lima,ana-lima,ana@x.test,=Diretora,,3\n"
    + "Bia,bia,,,,2\n"
    + "Caio,caio,,,,3\n"
    + "Ana Lima,ana-outra,ana@x.test,,,\n"
    + ",sem-nome,,,,\n"
)


def check(member, url, **more):
    """The page of what the import would do."""
    page = member.get(url).text
    answer = member.post(f"{url}/check", choices_of(page) | more)
    assert re.fullmatch(r"/jobs/\d+", answer.location)
    do_tasks()
    return answer.location, member.get(answer.location).text


def rows_of(member, url):
    return list(csv.reader(io.StringIO(member.get(url).text.removeprefix("\ufeff"))))


def rehearsal_form(page):
    action = re.search(r'action="(/imports/\d+)"', page)[1]
    return action, {"rehearsal": re.search(r'name="rehearsal" value="(\d+)"', page)[1]}


def test_what_an_import_would_do_is_counted_and_asked_before_anything_is_written(member, company, known):
    url = send(member, FILE.encode()).location
    job, page = check(member, url)
    text = text_of(page)
    for words in (
        "Isto é o que a importação vai fazer. Nada foi gravado ainda.",
        "Ela envia 2 webhooks ao seu CRM.",
        "Novos 2 Alterados 1 Iguais 1 Webhooks 2 Com problema 1",
        "1 contato já existe em outra campanha: Verão (1)",
        "1 nível do arquivo difere do escolhido no portal",
        "Importar e enviar 2 webhooks",
    ):
        assert words in text, words
    assert db.session.query(Contact).count() == 3
    assert db.session.query(Delivery).count() == db.session.query(ImportedContact).count() == 0
    action, form = rehearsal_form(page)
    started = member.post(action, form | {"do": "start"})
    do_tasks()
    assert db.session.query(Delivery).count() == 2
    report = text_of(follow(member, started.location))
    assert "Pronto, menos 1 linha." in report
    assert "Novos 2 Alterados 1 Iguais 1 Classificados 2 Com problema 1" in report
    assert "Cargo: Gerente" in report
    contacts = {(contact.name, contact.campaign.name): contact.interest_level for contact in db.session.query(Contact)}
    assert contacts[("Caio", "Geral")] == 1
    assert contacts[("Bia", "Geral")] == 2
    assert contacts[("Bia", "Verão")] is None
    assert "já foi importado" in member.get(job).text


def test_the_person_chooses_who_is_changed_elsewhere_and_whose_level_wins(member, company, known):
    url = send(member, FILE.encode()).location
    _, page = check(member, url)
    _, form = rehearsal_form(page)
    elsewhere = member.post(f"{url}/check", form | {"elsewhere": "update"}).location
    do_tasks()
    _, form = rehearsal_form(member.get(elsewhere).text)
    both = member.post(f"{url}/check", form | {"levels": "replace"}).location
    do_tasks()
    page = member.get(both).text
    assert "Eles são atualizados lá" in page
    assert "Vale o que o arquivo diz." in page
    assert "Importar e enviar 3 webhooks" in page
    action, form = rehearsal_form(page)
    member.post(action, form | {"do": "start"})
    do_tasks()
    contacts = {(contact.name, contact.campaign.name): contact.interest_level for contact in db.session.query(Contact)}
    assert (contacts[("Bia", "Verão")], contacts[("Caio", "Geral")]) == (2, 3)
    assert ("Bia", "Geral") not in contacts


def test_a_row_that_repeats_another_says_so_and_the_button_counts_who_comes_in(member, company):
    file = HEADER + "Ana Lima,ana-lima,,Diretora,,\n" + "Ana Lima,ana-lima,,Gerente,,\n" + ",sem-nome,,,,\n"
    _, page = check(member, send(member, file.encode()).location)
    assert page.count("Repete outra linha deste arquivo") == 1
    assert "Importar 2 linhas" in page


def test_a_day_is_written_as_other_pages_do(member, company):
    save_many(company, [{"contact": {"name": "Ana", "email": "ana@x.test", "reply_date": "2025-12-31 10:00:00"}}])
    file = "Nome,E-mail,Respondeu em\nAna,ana@x.test,01/01/2026\n"
    job, page = check(member, send(member, file.encode()).location)
    assert re.search("31 de dez. de 2025,? 10:00:00", page)
    assert "2026-01-01" not in page
    assert "2026-01-01 00:00" in member.get(f"/imports/{job.rpartition('/')[2]}/changed.csv").text


def test_each_list_is_a_csv_in_which_no_cell_is_a_formula(member, company, known):
    url = send(member, FILE.encode()).location
    job, page = check(member, url)
    before = {group: rows_of(member, f"/imports/{job.rpartition('/')[2]}/{group}.csv") for group in LISTS}
    action, form = rehearsal_form(page)
    member.post(action, form | {"do": "start"})
    do_tasks()
    after = {group: rows_of(member, f"{url}/{group}.csv") for group in LISTS}
    for group, lines in LISTS.items():
        for found in (before, after):
            assert [row[0] for row in found[group][1:]] == lines, group
    assert after["changed"][1][3:6] == ["Cargo", "Gerente", "'=Diretora"]
    assert after["changed"][2][3:6] == ["Nível de interesse", "", "3"]
    assert after["elsewhere"][1][6] == "Verão"
    assert after["kept"][1][8] == "3"
    assert before["created"][1][2] == "", "it has no number yet"
    assert after["created"][1][2] != ""


LISTS = {
    "created": ["3", "5"],
    "changed": ["2", "2"],
    "unchanged": ["4"],
    "elsewhere": ["3"],
    "doubtful": ["5"],
    "kept": ["4"],
}


def test_the_contacts_of_an_import_are_a_filter_of_the_list(member, company, known):
    task = make_import(company)
    begin(member, f"/imports/{task.id}", {"column-0": "name", "column-1": "email"})
    do_tasks()
    report = member.get(f"/jobs/{task.id}").text
    assert f'href="/contacts?import={task.id}"' in report
    page = member.get(f"/contacts?import={task.id}").text
    assert ("Ana" in page, "Caio" in page) == (True, False)
    assert "pede algo que não existe" in member.get("/contacts?import=999").text


def test_who_left_the_file_is_named(member, company):
    rows = [f"Pessoa {number},pessoa-{number},,,,\n" for number in range(5)]
    for lines in (rows, rows[1:]):
        task = make_import(company, (HEADER + "".join(lines)).encode())
        begin(member, f"/imports/{task.id}", choices_of(member.get(f"/imports/{task.id}").text))
        do_tasks()
    page = text_of(member.get(f"/jobs/{task.id}").text)
    assert "Pronto: nada mudou, o portal já tinha tudo." in page
    assert "Não estão mais no arquivo 1" in page
    assert "Desfazer a importação" not in page, "it created nobody"
    assert rows_of(member, f"/imports/{task.id}/missing.csv")[1][1:3] == ["Pessoa 0", "pessoa-0"]


def test_an_e_mail_that_is_now_somebody_elses_and_a_warning_of_many_rows_are_said(member, company):
    save(company, {"contact": {"name": "Ana Lima", "email": "contato@acme.test"}})
    people = {"Bia Reis": "contato", "Caio": "caio", "Davi": "davi"}
    rows = "".join(f"{name},{box}@acme.test,Nina\n" for name, box in people.items())
    task = make_import(company, f"Nome,E-mail,Responsável\n{rows}".encode())
    job, page = check(member, f"/imports/{task.id}")
    text = text_of(page)
    assert "Passaram a ter outro nome 1" in text
    assert "2 e mais 2" in text, "one line for the same warning of three rows"
    assert page.count("ninguém da sua empresa tem este nome") == 1
    number = job.rpartition("/")[2]
    assert rows_of(member, f"/imports/{number}/renamed.csv")[1][3:6] == ["Nome completo", "Ana Lima", "Bia Reis"]


def test_another_company_sees_no_list_and_no_rehearsal(member, stranger, company):
    task = make_import(company)
    job = member.post(f"/imports/{task.id}/check", {"column-0": "name", "column-1": "email"}).location
    do_tasks()
    assert stranger.get(job).status_code == 404
    assert stranger.post(f"/imports/{task.id}/check").status_code == 404
    for number in (task.id, job.rpartition("/")[2]):
        for name in (*LISTS, "missing", "bad-rows", "warnings"):
            assert stranger.get(f"/imports/{number}/{name}.csv").status_code == 404
    assert "pede algo que não existe" in stranger.get(f"/contacts?import={task.id}").text


def test_the_rehearsal_of_one_file_starts_no_other(member, company):
    one, other = make_import(company), make_import(company, b"Nome,E-mail,Cargo\nBia,bia@x.test,x\n")
    member.post(f"/imports/{one.id}/check", {"column-0": "name", "column-1": "email"})
    rehearsed = do_tasks()
    member.post(f"/imports/{other.id}", {"rehearsal": str(rehearsed.id), "do": "start"})
    assert do_tasks().kind == "rehearse", "what it would do is counted and shown, and nothing is done"
    assert db.session.get_one(Task, other.id).status == "draft"
    assert db.session.query(Contact).count() == 0


def test_an_import_is_taken_back_after_it_was_counted(member, stranger, company, known):
    task = make_import(company, (HEADER + "Duda,duda,,,,3\nElis,elis,,,,\n").encode())
    begin(member, f"/imports/{task.id}", choices_of(member.get(f"/imports/{task.id}").text))
    do_tasks()
    assert f'href="/imports/{task.id}/undo"' in member.get(f"/jobs/{task.id}").text
    page = text_of(member.get(f"/imports/{task.id}/undo").text)
    assert "2 contatos foram criados por esta importação e ninguém os mudou depois." in page
    assert "1 webhook que espera é cancelado." in page
    for method in (stranger.get, stranger.post):
        assert method(f"/imports/{task.id}/undo").status_code == 404
    job = member.post(f"/imports/{task.id}/undo").location
    do_tasks()
    report = text_of(member.get(job).text)
    assert "2 contatos apagados. O seu CRM não tinha recebido nenhum deles." in report
    assert "Apagados 2 Mudaram e ficam 0 Webhooks cancelados 1" in report
    assert sorted(contact.name for contact in db.session.query(Contact)) == ["Ana Lima", "Bia", "Caio"]
    assert "Não há nada a desfazer" in member.get(f"/imports/{task.id}/undo").text
    page = member.get(f"/jobs/{task.id}").text
    assert 'href="/contacts/4"' not in page, "no link to whoever is gone"
    assert "Esta importação foi desfeita. O que ela criou e ninguém mudou depois foi apagado." in text_of(page)
    assert "Desfazer a importação" not in page
    assert "Desfeita" in member.get("/imports").text
    other = make_import(company, b"Nome,E-mail\nOutra,outra@x.test\n")
    begin(member, f"/imports/{other.id}", choices_of(member.get(f"/imports/{other.id}").text))
    do_tasks()
    assert "Desfazer a importação" in member.get(f"/jobs/{other.id}").text
    assert member.get("/imports").text.count("Desfeita") == 1
