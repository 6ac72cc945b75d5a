"""What columns hold, by their names and by their cells, whichever tool wrote them."""

import pytest

from portal.importing.columns import recognise, recognise_kind
from portal.importing.layout import examine
from tests.importing.conftest import blocks_of


def fields(*names: str) -> list[str | None]:
    return [column.field for column in recognise(names)]


def field_of(name: str, *cells: str) -> str | None:
    """The field of a column beside one for the name, by its name and these cells."""
    content = f'Nome completo;"{name}"\n' + "".join(f'Ana;"{cell}"\n' for cell in cells)
    return examine(blocks_of(content.encode())).columns[1].field


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("name", ["Nome completo", "Full Name", "fullName"]),
        ("linkedin", ["public_id"]),
        ("name", ["full_name", "Person - Name", "Nome do contato", "Contact Name"]),
        ("first_name", ["First Name", "firstName", "FIRST_NAME"]),
        ("name", ["Nom complet"]),
        ("first_name", ["Primeiro nome", "Given Name", "contact.first-name", "Prénom", "Vorname"]),
        ("last_name", ["Nom de famille", "Nachname"]),
        ("last_name", ["Last Name", "Sobrenome", "Apellidos", "2. Sobrenome *", "Contact: Last Name"]),
        ("middle_name", ["Middle Name", "Nome do meio", "Additional Name"]),
        ("phone", ["Telefone fixo", "Fone Fixo", "Tel. fixo", "Landline phone"]),
        ("invite_date", ["Connection sent at", "Connection sent on", "Connection Sent Date"]),
        ("current_company", ["Empresa em que trabalha", "Empresa onde trabalha"]),
        ("current_company_link", ["Página da empresa"]),
        ("owner_name", ["Responsável pelo contato"]),
        ("campaign", ["Campanha de prospecção"]),
        ("linkedin", ["LinkedIn", "linkedinUrl", "LinkedIn URL"]),
        ("linkedin", ["Person Linkedin Url", "Perfil no LinkedIn", "profileUrl"]),
        ("linkedin", ["linkedin_public_id", "URL do LinkedIn"]),
        ("linkedin", ["LinkedIn Profile", "Contact LinkedIn", "LINKEDIN (link)"]),
        ("email", ["E-mail", "Email Address", "E-mail 1 - Value"]),
        ("email", ["Person - Email - Work", "Endereço de e-mail", "eMail"]),
        ("email", ["Primary Email", "E-mail comercial"]),
        ("email", ["persoEmail", "proEmail", "Adresse e-mail", "E-Mail-Adresse"]),
        ("email", ["Private email", "Pessoa - E-mail - Residência"]),
        ("email", ["Correo electrónico", "Work E-mail", "Qual é o seu e-mail?"]),
        ("phone", ["Phone Number", "Telefone (principal)", "Mobile Phone", "Téléphone", "Telefon"]),
        ("phone", ["Celular/WhatsApp", "Phone 1 - Value", "Fone"]),
        ("phone", ["Corporate Phone", "Teléfono móvil", "phone_number", "Work Direct Phone", "Telefones"]),
        ("current_company", ["Company", "companyName"]),
        ("current_company", ["Account Name", "Organization - Name", "Deal - Organization"]),
        ("current_company", ["Empresa", "Empresa do contato"]),
        ("current_company", ["Company / Account", "Empresa / Conta", "Empresa associada", "Empresa - Nome fantasia"]),
        ("current_company", ["Société", "Entreprise", "Nom de l'entreprise", "Unternehmen"]),
        ("current_company", ["Nome da empresa", "Person - Organization", "Current Company"]),
        ("current_company_link", ["Website", "Company Linkedin Url", "CompanyProfile", "Site da empresa"]),
        ("role", ["Cargo", "Job Title", "Position", "current_company_position"]),
        ("role", ["Posição (contato)", "Person - Job title", "Organization Title", "Função"]),
        ("location", ["Location", "Localização", "Cidade/UF", "location_name"]),
        ("city", ["City", "Cidade", "Mailing City", "Ciudad", "Cidade do endereço comercial", "Address 1 - City"]),
        ("state", ["State/Region", "UF", "Estado", "Estado do endereço comercial", "Address 1 - Region"]),
        ("country", ["Country", "País", "Country/Region", "País/Região do endereço comercial"]),
        ("interest_level", ["Nível de interesse", "interest_level"]),
        ("interest_level", ["Interest Level (1-3)", "Nivel de interés", "interestLevel"]),
        ("interest_level", ["contact.interest_level", "NÍVEL DE INTERESSE", "Grau de interesse"]),
        ("owner_name", ["Owner", "Contact owner", "Responsável"]),
        ("owner_name", ["Lead Owner", "Deal - Owner", "Dono da oportunidade"]),
        ("owner_email", ["Owner Email", "contact_owner.email", "E-mail do responsável"]),
        ("campaign", ["Campaign", "campaign.name", "Campanha", "Nome da campanha"]),
        ("accept_date", ["Connected On", "Conectado em", "accept_date"]),
        ("accept_date", ["Data de conexão", "connectedAt", "connectionSince", "Conectado el"]),
        ("invite_date", ["Invite Date", "Convite enviado em", "Data do convite", "invitationSentAt"]),
        ("collect_date", ["Created At", "Create Date", "Data de cadastro", "Criado em"]),
        ("reply_date", ["Data da resposta", "Replied At", "reply_date"]),
    ],
)  # fmt: skip
def test_a_name_is_known_however_it_is_written(field, names):
    assert {name: fields(name)[0] for name in names} == dict.fromkeys(names, field)


@pytest.mark.parametrize(
    "name",
    ["Email Status", "E-mail 1 - Label", "Phone 1 - Label", "Deal - Title", "Lead Score", "Company Phone",
     "LinkedIn Status", "Data de nascimento", "Phonetic First Name", "Email Opt Out", "Lead Source", "Record ID",
     "Seniority Level", "", "Deal - Value", "Organization - Address", "Nível de inglês", "Tags", "Última atividade",
     "# Employees", "Meus interesses", "Nome " * 40],
)  # fmt: skip
def test_a_name_of_something_else_is_left_out(name):
    assert fields(name) == [None]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("Nom,E-mail", ["name", "email"]),
        ("Prénom,Nom,Société,Poste", ["first_name", "last_name", "current_company", "role"]),
        ("Nom,Prénom,Entreprise,Téléphone", ["last_name", "first_name", "current_company", "phone"]),
        ("Vorname,Name,Firma,Position", ["first_name", "last_name", "current_company", "role"]),
        ("Vorname,Nachname,Name", ["first_name", "last_name", "name"]),
        ("First Name,Name", ["first_name", "name"]),
        ("Fonction,Poste,Nom", ["role", None, "name"]),
    ],
)
def test_french_and_german_names_are_known_by_what_stands_beside_them(names, expected):
    assert fields(*names.split(",")) == expected


def test_of_two_names_the_surer_wins():
    assert fields("Title", "Job Title") == [None, "role"]
    assert fields("Name", "Given Name", "Family Name") == ["name", "first_name", "last_name"]
    assert fields("Nome", "Sobrenome") == ["first_name", "last_name"]
    assert fields("Contato", "Nome completo") == [None, "name"]
    assert fields("Nível", "Nível de interesse") == [None, "interest_level"]


@pytest.mark.parametrize(
    ("name", "cells", "field"),
    [
        ("URL", ["https://www.linkedin.com/in/ana"], "linkedin"),
        ("URL", ["https://example.com"], None),
        ("Website 1 - Value", ["https://www.linkedin.com/in/ana", ""], "linkedin"),
        ("Website", ["https://xis.test"], "current_company_link"),
        ("Onde achar", ["linkedin.com/in/ana", "linkedin.com/in/bia"], "linkedin"),
        ("CompanyProfile", ["https://www.linkedin.com/company/m"], "current_company_link"),
        ("Contato", ["ana@x.test", "bia@x.test"], "email"),
        ("Onde escrever", ["ana@x.test", "bia@x.test"], "email"),
        ("Criado por", ["ana@x.test", "bia@x.test"], None),
        ("Contact Owner", ["ana@x.test", "ana@x.test"], "owner_email"),
        ("Dono do Lead", ["Ana Lima", "Bia Mota"], "owner_name"),
        ("Ligar para", ["+55 11 99999-0000", "(11) 98888-7777"], "phone"),
        ("CPF", ["123.456.789-09"], None),
        ("Código", ["11999990000"], None),
        ("Nível", ["1", "", "3", "Nenhum"], "interest_level"),
        ("Level", ["high", "2 - Médio"], "interest_level"),
        ("Interesse", ["3", "120"], None),
        ("Interesse", ["Nenhum", "0"], None),
        ("Nível", [*["3"] * 2000, "4"], None),
        ("Nível de interesse", ["3", "120"], "interest_level"),
        ("Conexão", ["12/03/2024"], "accept_date"),
        ("Conexão", ["1º grau"], None),
        ("Title", ["CTO", "Gerente"], "role"),
        ("Title", ["Sra.", "Dr."], None),
        ("Mensagem", ["Oi, tudo bem?"], "message"),
        ("Last message", ["2024-03-05 10:00", "2024-03-06 11:00"], None),
        ("Message sent", ["true", "false"], None),
        ("Enviado por", ["sdr@x.test", "sdr@x.test"], None),
        ("query", ["https://www.linkedin.com/in/eu", "https://www.linkedin.com/in/eu"], None),
        ("lastMessageFromUrl", ["https://www.linkedin.com/in/eu"], None),
    ],
)
def test_cells_decide_where_the_name_does_not(name, cells, field):
    assert field_of(name, *cells) == field


@pytest.mark.parametrize(
    ("names", "cells", "place"),
    [
        (("Nível de interesse", "Interest level"), ("2", "3"), 1),
        (("Interest level", "Nível de interesse"), ("2", "3"), 0),
        (("Nível de interesse", "Interest level"), ("2", ""), 0),
        (("Interest level", "Interest_level"), ("2", "3"), 0),
        (("Interest level", "Interest_level"), ("", "3"), 1),
        (("Interest level", "Nível de interesse", "Grau de interesse"), ("", "2", "3"), 2),
    ],
)
def test_of_several_levels_a_filled_one_counts_then_the_plainest_then_the_first(names, cells, place):
    table = "\n".join((",".join(("Nome", *names)), *(",".join((name, *cells)) for name in ("Ana", "Bia"))))
    found = [column.field for column in examine(blocks_of(table.encode())).columns]
    assert found == ["name", *("interest_level" if index == place else None for index in range(len(names)))]


def test_what_might_be_a_level_is_offered_and_not_taken():
    found = examine(blocks_of(b"Nome,Interesse\nAna,120\nBia,3\n"))
    assert [(column.field, column.offer) for column in found.columns] == [("name", None), (None, "interest_level")]


@pytest.mark.parametrize(
    ("rows", "fields"),
    [
        (
            [
                "Ana Lima,ana@x.test,https://www.linkedin.com/in/ana,Acme Ltda",
                "Bia Mota,,https://www.linkedin.com/in/bia,Xis",
            ],
            ["name", "email", "linkedin", None],
        ),
        (["Ana;Lima;Acme;+55 11 97777-1234", "Bia;Mota;Xis;"], ["first_name", "last_name", None, "phone"]),
        (["1;Ana Lima", "2;Bia Mota"], [None, "name"]),
        (["ana@x.test;12/03/2024;Ana Lima", "b@x.test;;Bia Mota"], ["email", None, "name"]),
    ],
)
def test_a_file_without_a_header_is_noticed_and_its_cells_decide(rows, fields):
    found = examine(blocks_of("\n".join(rows).encode()))
    assert (found.layout.has_header, found.layout.header, found.total) == (False, ("",) * len(fields), 2)
    assert [column.field for column in found.columns] == fields


@pytest.mark.parametrize("header", ["Quem,Onde", "Nome,E-mail (ex.: nome@empresa.com)", "Nome,2024", "Nº,Quem"])
def test_a_header_of_odd_names_is_one(header):
    found = examine(blocks_of(f"{header}\nAna Lima,ana@x.test\n".encode()))
    assert (found.layout.header, found.total) == (tuple(header.split(",")), 1)


@pytest.mark.parametrize(
    ("header", "row", "fields"),
    [
        ("Nome,Apelido", "Ana Lima,Aninha", ["name", None]),
        ("Nome próprio,Apelido", "Ana,Lima", ["first_name", "last_name"]),
        (
            "Contato 1 Nome,Contato 1 E-mail,Contato 2 Nome,Contato 2 E-mail",
            "Ana,,Bia,b@x.test",
            ["name", "email", None, None],
        ),
        ("Nome,Mensagem,Remetente", "Ana,Oi,Bia", ["name", "message", "message_sender"]),
        ("Nome,Remetente", "Ana,Bia", ["name", None]),
        ("Nome do lead,Contato principal", "Site 12/10,Ana Lima", [None, "name"]),
        ("Nome,Cliente", "Ana Lima,Acme", ["name", None]),
        ("Contato,Nome", "Ana Lima,", ["name", "name"]),
        ("Nome,País,state,region", "Ana,Brasil,connected,Bahia", ["name", "country", None, "state"]),
        ("Name,Country,State", "Ana,Brazil,SP", ["name", "country", "state"]),
    ],
)
def test_columns_are_understood_beside_each_other(header, row, fields):
    assert [column.field for column in examine(blocks_of(f"{header}\n{row}\n".encode())).columns] == fields


def test_repeated_names_are_told_apart_by_the_row_of_groups_above():
    found = examine(blocks_of(b"Dados da pessoa,,Empresa,\nNome,E-mail,Nome,Site\nAna,ana@x.test,Acme,acme.test\n"))
    assert found.layout.header == ("Nome", "E-mail", "Empresa Nome", "Site")
    assert [column.field for column in found.columns] == ["name", "email", "current_company", "current_company_link"]


def test_of_two_columns_of_profiles_the_named_one_says_who_it_is():
    rows = [
        "profileUrl,query,Name",
        "linkedin.com/in/ana,linkedin.com/in/um,Ana",
        "linkedin.com/in/bia,linkedin.com/in/eu,Bia",
    ]
    content = "\n".join(rows).encode()
    assert [column.field for column in examine(blocks_of(content)).columns] == ["linkedin", None, "name"]


@pytest.mark.parametrize(
    "name",
    ["Nome / Empresa", "Nome/Empresa", "Nome - Empresa", "Contato / Empresa", "Name & Company", "Nome e empresa",
     "Empresa | Contato", "Nome / Razão social"],
)  # fmt: skip
def test_a_column_of_names_and_companies_is_offered_for_the_name_where_no_other_holds_it(name):
    cells = "Ana Lima / Acme,ana@x.test,\nRui Paz / Beta,rui@x.test,\n"
    found = examine(blocks_of(f"{name},E-mail,Notas\n{cells}".encode()))
    assert [(column.field, column.offer) for column in found.columns] == [(None, "name"), ("email", None), (None, None)]
    beside = examine(blocks_of(f"{name},E-mail,Nome completo\n{cells}".encode()))
    assert [column.field for column in beside.columns][1:] == ["email", "name"]


@pytest.mark.parametrize("name", ["Nome da empresa", "Pessoa - Empresa", "Empresa - Nome", "Company Name"])
def test_a_name_of_a_company_alone_is_taken_for_it(name):
    found = examine(blocks_of(f"{name},E-mail\nAcme,ana@x.test\n".encode()))
    assert found.columns[0].field == "current_company"


def test_a_column_of_names_is_offered_where_none_says_so():
    found = examine(blocks_of("Quem é,E-mail\nAna Lima,ana@x.test\nBia Mota,bia@x.test\n".encode()))
    assert [(column.field, column.offer) for column in found.columns] == [(None, "name"), ("email", None)]


def columns_of(text: str) -> list[tuple[str | None, str | None]]:
    return [(column.field, column.offer) for column in examine(blocks_of(text.encode())).columns]


@pytest.mark.parametrize(
    ("rows", "client", "contact"),
    [
        ("Moinho Ltda,Ana Lima\nAcme S.A.,Bia Mota", ("current_company", None), ("name", None)),
        ("Moinho LTDA.,Ana Lima\nAcme Inc.,\nJoão Sá ME,Rui", ("current_company", None), ("name", None)),
        ("Ana Lima,Moinho Ltda\nBia Mota,Acme S/A", ("name", None), ("current_company", None)),
        ("Moinho,Ana Lima\nAcme,Bia Mota", (None, "current_company"), ("name", None)),
        ("ANA SÁ,Ana Lima\nJoão Só,Bia Mota", (None, "current_company"), ("name", None)),
    ],
)
def test_of_client_and_contact_the_one_with_names_of_companies_is_the_company(rows, client, contact):
    assert columns_of(f"Cliente,Contato\n{rows}\n") == [client, contact]


def test_a_client_is_no_second_company_and_alone_it_is_whom_the_row_is_about():
    assert columns_of("Cliente,Contato,Empresa\nMoinho Ltda,Ana Lima,Moinho\n")[0] == (None, None)
    assert columns_of("Cliente,E-mail\nMoinho Ltda,m@x.test\n")[0] == ("name", None)


def test_who_is_responsible_may_be_the_contact_where_nothing_else_is_a_name():
    assert columns_of("Empresa,Responsável\nMoinho,Ana\n")[1] == ("owner_name", "name")
    assert columns_of("Nome,Responsável\nRui,Ana\n")[1] == ("owner_name", None)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Pessoa - Nome,Pessoa - E-mail,Pessoa - Organização", "pipedrive"),
        ("First Name,Person Linkedin Url,Email", "generic"),
        ("Nome,Email,Empresa,Cargo", "generic"),
        ("Oportunidade - Dono,Oportunidade - Etapa,Pessoa - Nome,Pessoa - Cargo", "piperun"),
        ("Nome,Email,Estágio no funil,Lead Scoring - Perfil", "rdstation"),
        ("Record ID,First Name,Lead Status", "hubspot"),
        ("ID do registro - Contato,Nome,Sobrenome,Fase do ciclo de vida", "hubspot"),
        ("ID de registro,Nombre,Apellidos,Etapa del ciclo de vida", "hubspot"),
        ("Nome,Sobrenome,URL,Empresa,Conectado em", "linkedin"),
        ("Nombre,Apellidos,URL,Empresa,Conectado el", "linkedin"),
        ("Nome,URL,Empresa,Conectado em", "generic"),
        ("Record Id,Contact Owner,Full Name", "generic"),
    ],
)
def test_whose_export_it_is_takes_more_than_one_name(header, kind):
    assert recognise_kind(header.split(",")) == kind
