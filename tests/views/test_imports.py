"""Importing on the pages: sent, checked, started, watched, reported."""

import csv
import io
import re

import openpyxl
import pytest

from portal.database.db import db
from portal.importing import examining
from portal.models import AuditEntry, Classification, Company, Contact, Delivery, Task
from portal.tasks import store
from portal.views.imports import MAX_FILE_BYTES
from portal.working_models import TaskBlock
from tests.factories import make_import, run_tasks, set_url
from tests.importing.conftest import DATA, WORKBOOKS
from tests.importing.test_spreadsheet import workbook

PEOPLE = "Nome;E-mail;Nível\nAna Lima;ana@example.com;3\nBia Reis;bia@example.com;\n".encode("cp1252")


def upload(person, content, name="contatos.csv"):
    file = (io.BytesIO(content), name)
    return person.post("/imports", {"file": file}, content_type="multipart/form-data")


def send(person, content, name="contatos.csv"):
    """A file that was sent and examined; the address of its preview, or what was answered at once."""
    answer = upload(person, content, name)
    if answer.status_code == 303:
        run_tasks()
        answer.location = answer.location.replace("/jobs/", "/imports/")
    return answer


def send_large(person, content):
    """As `send`, without the temporary file that the test client would leave behind."""
    token = person.token().encode()
    part = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    body = part % (b"csrf_token", b"", token) + part % (b"file", b'; filename="x.csv"', content) + b"--x--\r\n"
    return person.open(
        "/imports", method="POST", input_stream=io.BytesIO(body), content_length=len(body),
        content_type="multipart/form-data; boundary=x",
    )  # fmt: skip


def choices_of(page):
    """What the form of the preview would send as it stands."""
    chosen = {}
    for name, options in re.findall(r'<select[^>]* name="(column-\d+)">(.*?)</select>', page, re.DOTALL):
        found = re.search(r'value="(\w*)" selected', options)
        chosen[name] = found[1] if found else ""
    return chosen | {"is_sending": "yes"}


def begin(person, url, choices):
    """Start an import as the pages offer it: what it would do is counted first."""
    counted = person.post(f"{url}/check", choices)
    if counted.status_code != 303:
        return counted
    run_tasks()
    return person.post(url, {"rehearsal": counted.location.rsplit("/", 1)[1], "do": "start"})


def follow(person, url):
    """The page that an address leads to."""
    return person.get(url, follow_redirects=True).text


def text_of(page):
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_a_file_is_checked_started_and_reported(member, company, receiver):
    set_url(company, receiver.url)
    answer = send(member, PEOPLE)
    assert answer.status_code == 303
    preview = member.get(answer.location).text
    for words in ("Windows-1252", "ponto e vírgula", "Ana Lima", "bia@example.com", "Conferir o que muda"):
        assert words in preview
    assert db.session.query(Contact).count() == 0
    started = begin(member, answer.location, choices_of(preview) | {"campaign": " Verão  2026 "})
    assert "Na fila" in follow(member, started.location)
    run_tasks()
    report = text_of(follow(member, answer.location))
    assert "Pronto: todas as linhas do arquivo foram importadas." in report
    assert "Novos 2" in report
    ana = db.session.query(Contact).filter_by(name="Ana Lima").one()
    assert (ana.campaign.name, ana.owner.email, ana.interest_level) == ("Verão 2026", member.email, 3)
    assert db.session.query(Delivery).one().actor == member.email
    assert db.session.query(AuditEntry).filter_by(action="contacts.imported").one().subject == "contatos.csv"


def test_a_spreadsheet_is_imported_as_its_csv_would_be(member, company, receiver):
    set_url(company, receiver.url)
    rows = [["Ana", "ana@example.com", 3], ["Bia", "bia@example.com", "médio"], ["", "sem nome"]]
    file = workbook(["Nome", "E-mail", "Nível"], *rows)
    page = send(member, file.getvalue(), name="contatos.xlsx").location
    begin(member, page, choices_of(member.get(page).text))
    run_tasks()
    assert [(contact.name, contact.interest_level) for contact in db.session.query(Contact)] == [("Ana", 3), ("Bia", 2)]
    assert "contatos.xlsx" in follow(member, page)
    assert "Ana" not in member.get(f"{page}/bad-rows.csv").text


def test_switched_off_nothing_is_sent(member, company, receiver):
    set_url(company, receiver.url)
    url = send(member, PEOPLE).location
    choices = choices_of(member.get(url).text)
    del choices["is_sending"]
    begin(member, url, choices)
    run_tasks()
    assert db.session.query(Classification).count() == 1
    assert db.session.query(Delivery).count() == 0
    assert "nada foi enviado ao CRM" in follow(member, url)


def test_who_is_responsible_is_offered_as_the_contact_where_no_other_column_has_names(member):
    url = send(member, "Empresa;Responsável\nMoinho;Ana\n".encode()).location
    assert "Pode ser: Nome completo." in member.get(url).text
    refused = begin(member, url, choices_of(member.get(url).text))
    assert "Escolha a que o diz. Pode ser: Responsável." in refused.text
    again = member.post(url, {"column-0": "current_company", "column-1": "name", "do": "preview"})
    assert "Pode ser" not in member.get(again.location).text
    begin(member, url, {"column-0": "current_company", "column-1": "name"})
    run_tasks()
    contact = db.session.query(Contact).one()
    assert (contact.name, contact.current_company) == ("Ana", "Moinho")


def test_the_columns_can_be_corrected(member):
    url = send(member, b"Quem;Onde trabalha\nAna;Moinho\n").location
    assert choices_of(member.get(url).text)["column-0"] == ""
    refused = begin(member, url, {"column-0": ""})
    assert refused.status_code == 422
    assert "Nenhuma coluna foi escolhida para o nome" in refused.text
    again = member.post(url, {"column-0": "name", "column-1": "current_company", "do": "preview"})
    page = member.get(again.location).text
    assert "Moinho" in page
    assert choices_of(page) == {"column-0": "name", "column-1": "current_company", "is_sending": "yes"}
    begin(member, url, {"column-0": "name", "column-1": "current_company", "column-9": "email"})
    run_tasks()
    contact = db.session.query(Contact).one()
    assert (contact.name, contact.current_company) == ("Ana", "Moinho")


def test_what_was_chosen_for_a_header_is_remembered_and_said(member, company):
    first = send(member, b"Quem;Perfil;Cargo\nAna Lima;;Gerente\n").location
    assert "última importação" not in member.get(first).text
    begin(member, first, {"column-0": "name", "column-1": "linkedin", "column-2": ""})
    page = member.get(send(member, b"Quem;Perfil;Cargo\nBia Mota;;Chefe\n").location).text
    assert "As colunas vão para onde foram na última importação" in page
    chosen = choices_of(page)
    assert [chosen[f"column-{number}"] for number in range(3)] == ["name", "linkedin", ""]
    other = choices_of(member.get(send(member, b"Quem;Cargo;Perfil\nBia;Chefe;\n").location).text)
    assert (other["column-0"], other["column-1"]) == ("", "role")


def test_columns_without_a_header_are_offered_by_their_number(member):
    page = text_of(member.get(send(member, b"Ana Lima;ana@example.com\nBia Mota;bia@example.com\n").location).text)
    assert "as células disseram o que é cada coluna" in page
    assert "Coluna 1 Ana Lima" in page
    assert "Linhas com dados 2" in page


def test_bad_rows_are_listed_and_can_be_downloaded_mended_and_sent_again(member):
    bad = "Nome,E-mail,Cargo\n,=1+1,+55\nAna,ana@example.com,1\n"
    url = send(member, bad.encode()).location
    page = member.get(url).text
    assert "está em branco, e é obrigatório" in page
    begin(member, url, choices_of(page))
    run_tasks()
    report = follow(member, url)
    assert "Pronto, menos 1 linha." in report
    answer = member.get(f"{url}/bad-rows.csv")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0] == ["Nome", "E-mail", "Cargo", "Linha", "Problema"]
    assert rows[1] == ["", "'=1+1", "'+55", "2", "Nome completo: está em branco, e é obrigatório."]
    mended = send(member, answer.data.replace(b"\r\n,'=1+1", b"\r\n'=1+1,x@example.com")).location
    begin(member, mended, choices_of(member.get(mended).text))
    run_tasks()
    contact = db.session.query(Contact).filter_by(email="x@example.com").one()
    assert (contact.name, contact.role) == ("=1+1", "+55")


def test_the_preview_shows_no_level_that_a_row_above_takes_away(member):
    url = send(member, b"Nome,E-mail,N\xc3\xadvel de interesse\nAna,ana@x.test,3\nAna,ana@x.test,1\n").location
    page = member.get(url).text
    assert [page.count(f'<span class="level level-{level}">') for level in (1, 3)] == [0, 1]


def test_what_was_left_out_is_listed_and_can_be_downloaded(member):
    url = send(member, b"Nome,E-mail,Interesse\nAna,=arroba,120\n").location
    page = member.get(url).text
    assert "Pode ser: Nível de interesse." in page
    assert "não é um endereço de e-mail" in page
    begin(member, url, choices_of(page))
    run_tasks()
    report = text_of(follow(member, url))
    assert "Pronto: todas as linhas do arquivo foram importadas." in report
    assert "Avisos 1" in report
    assert "Interesse não importada" in report
    answer = member.get(f"{url}/warnings.csv")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows == [
        ["Linha", "Coluna", "Conteúdo", "Aviso"],
        ["2", "E-mail", "'=arroba", "E-mail: não é um endereço de e-mail."],
    ]
    assert "2" not in member.get(f"{url}/bad-rows.csv").text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%PDF-1.7", "Isto é um PDF"),
        (b"", "nenhuma linha com dados"),
        (b"\0" * 100, "não é um arquivo de texto"),
    ],
)
def test_what_cannot_be_imported_is_refused_at_the_field(member, content, words):
    answer = send(member, content)
    assert answer.status_code == 422
    assert words in answer.text
    assert db.session.query(Task).count() == 0


@pytest.mark.parametrize(
    ("content", "words"), [(b"PK\x03\x04....", "está quebrada"), (b"Nome,E-mail\n", "nenhuma linha com dados")]
)
def test_what_is_found_wrong_when_the_file_is_read_is_said_by_the_job(member, content, words):
    page = follow(member, send(member, content).location)
    assert "Parou antes do fim." in page
    assert words in page
    assert "Enviar outro arquivo" in page
    assert db.session.query(TaskBlock).count() == 0
    assert "Parou" in member.get("/imports").text


def test_a_file_is_only_stored_when_it_is_sent_and_then_examined_as_a_job(member):
    job = upload(member, PEOPLE).location
    assert "Na fila" in member.get(job).text
    assert member.get(job.replace("/jobs/", "/imports/")).location == job
    assert "A conferir" not in member.get("/imports").text
    assert "Na fila" in member.get(f"{job}/progress").text
    run_tasks()
    preview = job.replace("/jobs/", "/imports/")
    assert member.get(job).location == preview
    assert member.get(f"{job}/progress").headers["HX-Redirect"] == preview
    assert "A conferir" in member.get("/imports").text


def test_the_encoding_can_be_chosen_on_the_page(member):
    url = send(member, "Nome,E-mail\nZoé,zoe@example.com\n".encode("cp850")).location
    assert "Zoé" not in member.get(url).text
    job = member.post(f"{url}/examine", {"encoding": "cp850"}).location
    assert "Na fila" in member.get(job).text
    run_tasks()
    assert "Zoé" in member.get(url).text
    member.post(f"{url}/examine", {"encoding": "klingon"})
    run_tasks()
    assert "DOS (850)</dd>" not in member.get(url).text


def two_sheets():
    book = openpyxl.Workbook()
    for row in (["Nome"], ["Ana"], ["Bia"]):
        book.active.append(row)
    book.active.title = "Contatos"
    companies = book.create_sheet("Empresas")
    for row in (["Empresa"], ["Moinho"]):
        companies.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_the_sheet_of_a_workbook_can_be_chosen_on_the_page_and_changed_again(member, company):
    url = send(member, (WORKBOOKS / "people.xls").read_bytes(), name="people.xls").location
    page = member.get(url).text
    assert "Contatos</dd>" in page
    assert "Só esta aba é importada. Ficam de fora: Leia-me." in page
    assert "<option>Leia-me</option>" in page
    member.post(f"{url}/examine", {"sheet": "Leia-me"})
    run_tasks()
    kept = text_of(follow(member, url))
    assert "O arquivo ficou como estava. O arquivo não tem nenhuma linha com dados." in kept
    assert "Ana Lima" in kept
    url = send(member, two_sheets(), name="x.xlsx").location
    for sheet, words in (("Empresas", "Moinho"), ("Contatos", "Ana"), ("Nada", "Ana")):
        member.post(f"{url}/examine", {"sheet": sheet})
        run_tasks()
        assert words in follow(member, url)
    begin(member, url, choices_of(member.get(url).text))
    run_tasks()
    assert [contact.name for contact in db.session.query(Contact)] == ["Ana", "Bia"]
    left = db.session.query(TaskBlock).filter_by(task_id=int(url.rpartition("/")[2]))
    assert not {"input", "aside"} & {each.part for each in left}


def test_without_a_file_the_page_asks_for_one(member):
    assert "Escolha um arquivo." in member.post("/imports").text


def test_a_second_table_beside_the_first_is_said(member):
    page = member.get(send(member, b"Nome;E-mail;;Nome;E-mail\nAna;a@x.test;;Bia;b@x.test\n").location).text
    assert "Parece haver duas tabelas lado a lado." in page
    assert "O cabeçalho repete Nome, E-mail: só entra a primeira coluna de cada nome." in page
    page = member.get(send(member, b"Nome;E-mail;Empresa;E-mail\nAna;a@x.test;X;b@x.test\n").location).text
    assert "lado a lado" not in page


def test_a_first_row_of_words_is_read_as_a_contact_at_a_click(member):
    url = send(member, b"Ana Lima;Moinho Azul\nBia Reis;Casa Clara\n").location
    page = member.get(url).text
    assert "A linha 1 foi tomada por cabeçalho: “Ana Lima · Moinho Azul”." in page
    chosen = dict(re.findall(r'type="hidden" name="(header|sheet|encoding)" value="([^"]*)"', page))
    member.post(f"{url}/examine", chosen)
    run_tasks()
    page = member.get(url).text
    assert "foi tomada por cabeçalho" not in page
    begin(member, url, choices_of(page))
    run_tasks()
    assert [contact.name for contact in db.session.query(Contact).order_by(Contact.id)] == ["Ana Lima", "Bia Reis"]


def test_nothing_begins_that_was_not_counted(member, company):
    task = make_import(company)
    answer = member.post(f"/imports/{task.id}", choices_of(member.get(f"/imports/{task.id}").text) | {"do": "start"})
    run_tasks()
    assert "Isto é o que a importação vai fazer." in member.get(answer.location).text
    assert db.session.query(Contact).count() == 0


def test_json_lines_need_no_columns(member):
    url = send(member, (DATA / "contacts.jsonl").read_bytes(), "contatos.jsonl").location
    page = member.get(url).text
    assert "JSON, um contato por linha" in page
    assert 'name="column-' not in page
    begin(member, url, {})
    run_tasks()
    assert db.session.query(Contact).count() == 2


def test_a_long_file_is_taken_here_and_nowhere_else(member):
    row = b"Ana Maria de Souza,ana@example.com," + b"x" * 4000 + b"\n"
    content = b"Nome,E-mail,Notas\n" + row * (12 * 2**20 // len(row))
    assert send_large(member, content).status_code == 303
    assert member.open("/contacts/new", method="POST", data={"name": "x" * 9 * 2**20}).status_code == 413


def test_a_file_beyond_the_limit_is_refused(member, nobody):
    content = b"Nome\n" + b"a\n" * (MAX_FILE_BYTES // 2)
    answer = send_large(member, content)
    assert (answer.status_code, "mais de 50 MB" in answer.text) == (422, True)
    answer = send_large(member, content + b"b" * 2**20)
    assert (answer.status_code, "O que foi enviado é grande demais" in answer.text) == (413, True)


def test_a_file_that_comes_after_the_session_ended_leads_to_the_log_in_which_says_so(nobody):
    answer = send_large(nobody, b"Nome\n" + b"a\n" * 5 * 2**20)
    assert (answer.status_code, answer.location) == (303, "/login?next=/imports")
    assert "A sessão terminou: entre de novo." in nobody.get(answer.location).text


def test_a_draft_is_discarded_with_its_file(member, company):
    task = make_import(company)
    assert member.post(f"/imports/{task.id}/discard").location == "/imports"
    assert db.session.query(Task).count() == db.session.query(TaskBlock).count() == 0


def test_starting_twice_imports_once(member, company):
    task = make_import(company)
    url = f"/imports/{task.id}"
    counted = member.post(f"{url}/check", choices_of(member.get(url).text)).location
    run_tasks()
    start = {"rehearsal": counted.rsplit("/", 1)[1], "do": "start"}
    for _ in range(2):
        assert member.post(url, start).status_code == 303
    run_tasks()
    assert member.post(url, start).status_code == 303
    assert member.post(f"/imports/{task.id}/discard").status_code == 303
    assert db.session.query(Contact).count() == 1
    assert db.session.query(AuditEntry).filter_by(action="contacts.imported").count() == 1


def test_another_company_finds_neither_file_nor_report(stranger, company):
    task_id = make_import(company).id
    for url in (
        f"/imports/{task_id}",
        f"/jobs/{task_id}",
        f"/jobs/{task_id}/progress",
        f"/imports/{task_id}/bad-rows.csv",
    ):
        assert stranger.get(url).status_code == 404
    for url in (f"/imports/{task_id}", f"/imports/{task_id}/discard"):
        assert stranger.post(url, {"do": "start"}).status_code == 404
    assert "contatos.csv" not in stranger.get("/imports").text
    assert db.session.query(Task).one().status == "draft"


def test_a_page_watches_until_the_end_and_offers_a_link_without_scripts(member, company):
    task = make_import(company)
    url = f"/jobs/{task.id}"
    assert member.get(url).location == f"/imports/{task.id}", "a file that nobody started has its preview"
    store.start(db.session, task)
    assert member.get(f"/imports/{task.id}").location == url
    page = member.get(url).text
    assert f'hx-get="{url}/progress"' in page
    assert "Ver como está agora" in page
    run_tasks()
    assert "hx-get" not in member.get(f"{url}/progress").text


def test_foreign_text_stays_text(member):
    hostile = "<script>alert(1)</script>{{7*7}}"
    content = f'Nome,E-mail,"{hostile}"\n{hostile},arroba,x\n{hostile},,y\n'.encode()
    url = send(member, content, f"{hostile}.csv").location
    choices = choices_of(member.get(url).text)
    pages = [member.get(url).text]
    begin(member, url, choices | {"campaign": hostile})
    run_tasks()
    pages += [follow(member, page) for page in (url, "/imports")]
    for page in pages:
        assert "<script>alert" not in page


def test_the_contacts_page_leads_here(member, company):
    assert isinstance(company, Company)
    assert 'href="/imports"' in member.get("/contacts").text


def test_a_company_keeps_no_more_files_than_it_may(member, monkeypatch):
    monkeypatch.setattr(examining, "MOST_UNFINISHED", 2)
    statuses = [send(member, b"Nome\nAna\n").status_code for _ in range(3)]
    assert statuses == [303, 303, 422]


def test_owners_are_chosen_and_those_whom_nobody_knows_are_made_only_when_asked(member, admin, company):
    content = "Nome,E-mail,E-mail do responsável\nAna,ana@x.test,nova@x.test\nBia,bia@x.test,\n".encode()
    url = send(member, content).location
    page = member.get(url).text
    assert "Criar os responsáveis que o portal não conhece" in page
    choices = choices_of(page) | {"owner": str(admin.id)}
    job = member.post(f"{url}/check", choices).location
    run_tasks()
    assert "ninguém da sua empresa tem este e-mail" in member.get(job).text
    begin(member, url, choices | {"makes_owners": "yes"})
    run_tasks()
    owners = {contact.name: (contact.owner.email, contact.owner.role) for contact in db.session.query(Contact)}
    assert owners == {"Ana": ("nova@x.test", None), "Bia": (admin.email, "admin")}


def test_nobody_of_another_company_can_be_chosen_as_owner(member, stranger, company):
    task = make_import(company)
    owner_id = task.arguments["user_id"]
    member.post(f"/imports/{task.id}", choices_of("") | {"owner": str(stranger.id), "do": "preview"})
    assert db.session.get_one(Task, task.id, populate_existing=True).arguments["user_id"] == owner_id
