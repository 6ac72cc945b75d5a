"""What the columns of a row become, in words and dates of both languages."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from portal.contacts.items import DATE_FIELDS as DATES
from portal.contacts.items import SAME, ContactItem, InvalidContact, OwnerItem
from portal.contacts.table import titles_of
from portal.importing.cells import Note, read_label, read_phone, read_text
from portal.importing.columns import FIELDS
from portal.importing.extras import note_other_columns
from portal.importing.layout import Layout, examine, read_rows
from portal.importing.order import Order
from portal.importing.own import own_columns
from portal.importing.reading import Record
from portal.importing.rows import Reading, RowReader
from portal.importing.words import FIELD_WORDS, KIND_WORDS, PATH_WORDS, PROBLEM_WORDS
from tests.importing.conftest import DATA, blocks_of

ZONE = ZoneInfo("America/Sao_Paulo")
PEOPLE = {"bruno tavares": "bruno@example.com", "jose": None}


def readings(content: bytes, *, campaign: str | None = None) -> list[Reading]:
    blocks = blocks_of(content)
    found = examine(blocks)
    reader = RowReader(Order.of(found, user_id=0, campaign=campaign), zone=ZONE, people=PEOPLE)
    return [reader.read(row) for row in read_rows(blocks, found.layout)]


def read(content: bytes, **options: str) -> list[ContactItem]:
    """The contacts, in a file where nothing is doubtful."""
    found = readings(content, **options)
    assert not any(reading.notes for reading in found)
    return [reading.item for reading in found if reading.item]


def read_table(text: str) -> list[ContactItem]:
    return read(text.encode())


def read_file(name: str, **options: str) -> list[ContactItem]:
    return read((DATA / name).read_bytes(), **options)


def table(**cells: str) -> bytes:
    header, row = ",".join(cells), ",".join(f'"{cell}"' for cell in cells.values())
    return f"{header}\n{row}\n".encode()


def read_one(**cells: str) -> ContactItem:
    return read(table(**cells))[0]


def note_of(**cells: str) -> tuple[str, str, str]:
    """What the one note says, of a contact that enters without the cell."""
    (reading,) = readings(table(**cells))
    assert reading.item is not None
    (note,) = reading.notes
    return note.field, note.problem, note.said


@pytest.mark.parametrize(
    "name", ["linkedin.csv", "linkedin_preamble_2.csv", "linkedin_preamble_3.csv", "linkedin_utf16.csv"]
)
def test_linkedin(name):
    joao, _, ana = read_file(name)
    assert joao.facts == {
        "name": "João D'Ávila",
        "linkedin_public_id": "joão-davila",
        "current_company": "Açúcar, Café & Cia",
        "role": "Gerente de Vendas",
        "accept_date": datetime(2024, 3, 12, 3, 0, tzinfo=UTC),
    }
    assert (joao.level, joao.owner, joao.campaign) == (SAME, None, None)
    assert ana.facts["accept_date"] == datetime(2023, 12, 28, 3, 0, tzinfo=UTC)


def test_hubspot():
    joao, maria = read_file("hubspot.csv")
    assert joao.facts["phone"] == "+55 11 90000-0001"
    assert joao.owner is not None
    assert joao.owner.email == "bruno@example.com"
    assert maria.owner is None


def test_pipedrive():
    joao, maria = read_file("pipedrive.csv")
    assert (joao.facts["name"], joao.facts["email"]) == ("João D'Ávila", "joao@example.com")
    assert joao.owner is not None
    assert joao.owner.email == "bruno@example.com"
    assert maria.facts["current_company"] == "Moinho Azul"


def test_rd_station():
    joao, maria = read_file("rdstation.csv", campaign="Verão")
    assert joao.facts["name"] == "João D'Ávila"
    assert joao.facts["location"] == "São Paulo"
    assert (joao.level, maria.level) == (3, SAME)
    assert joao.campaign == "Verão"


def test_a_spreadsheet_of_ones_own():
    joao, maria = read_file("generic.csv", campaign="Verão")
    assert (joao.campaign, maria.campaign) == ("Indústria", "Verão")
    assert (joao.level, maria.level) == (3, 2)
    assert joao.facts["invite_date"] == datetime(2026, 1, 31, 17, 30, tzinfo=UTC)


def test_json_lines():
    joao, maria = read_file("contacts.jsonl", campaign="Verão")
    assert joao.campaign_facts == {"description": "Fábricas"}
    assert joao.facts["skills"] == [{"skill": "Vendas", "endorsements": 3}]
    assert joao.messages is not None
    assert joao.messages[0]["message"] == "Oi!"
    assert (joao.level, joao.owner) == (2, None)
    assert (maria.level, maria.campaign) == (SAME, "Verão")


@pytest.mark.parametrize(
    ("text", "level"),
    [
        *(("1", 1), ("2", 2), ("3", 3), ("Baixo", 1), ("MÉDIO", 2), ("medio", 2), ("alto", 3), ("Low", 1), ("high", 3)),
        *(("2,0", 2), ("2 - Médio", 2), ("Nível 3", 3), ("Alto (3)", 3), ("Interesse alto", 3), ("medium interest", 2)),
    ],
)
def test_levels_have_numbers_and_words(text, level):
    assert read_one(Nome="Ana", Nível=text).level == level


@pytest.mark.parametrize("text", ["4", "quente", "1.5", "-1", "2 - alto", "1 a 3", "120"])
def test_other_levels_are_left_out_with_a_note(text):
    cells = {"Nome": "Ana", "Nível de interesse": text}
    assert note_of(**cells) == ("contact.interest_level", "unknown_level", text)


@pytest.mark.parametrize("text", ["0", "Nenhum", "none", "sem interesse", "-", "#N/A", ""])
def test_no_level_says_nothing_about_the_level(text):
    assert read_one(**{"Nome": "Ana", "Nível de interesse": text}).level is SAME


@pytest.mark.parametrize("text", ["ontem", "31/02/2024", "12 Foo 2024", "2024-13-01", "Mar 2024"])
def test_what_is_no_date_is_left_out_with_a_note(text):
    assert note_of(**{"Nome": "Ana", "Data do convite": text}) == ("contact.invite_date", "not_a_date", text)


def dates(*cells: str) -> list[str]:
    content = "Nome,Conectado em\n" + "".join(f"Ana,{cell}\n" for cell in cells)
    found = [reading.item for reading in readings(content.encode())]
    return [item.facts["accept_date"].astimezone(ZONE).date().isoformat() for item in found if item]


def test_the_order_of_day_and_month_is_decided_by_all_cells_of_a_column():
    assert dates("03/04/2024", "03/15/2024") == ["2024-03-04", "2024-03-15"]
    assert dates("03/04/2024", "15/03/2024") == ["2024-04-03", "2024-03-15"]
    assert dates("03/04/2024") == ["2024-04-03"]
    assert dates(*["03/04/2024"] * 2000, "03/15/2024")[0] == "2024-03-04"


def test_a_column_that_does_not_tell_its_order_is_named():
    content = b"Nome,Convite enviado em,Conectado em,Respondeu em\nAna,03/04/2024,03/15/2024,15/03/2024\n"
    layout = examine(blocks_of(content)).layout
    assert (layout.month_first, layout.order_open) == ((2,), (1,))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"Email": "arroba"}, ("contact.email", "not_an_email", "arroba")),
        ({"LinkedIn": "https://example.com/ana"}, ("contact.linkedin", "not_a_profile", "https://example.com/ana")),
        ({"LinkedIn": "Perfil"}, ("contact.linkedin", "link_lost", "Perfil")),
        ({"Telefone": "5,51199E+12"}, ("contact.phone", "rounded", "5,51199E+12")),
        ({"Telefone": "ligar antes"}, ("contact.phone", "not_a_phone", "ligar antes")),
        ({"Nível de interesse": "x"}, ("contact.interest_level", "unknown_level", "x")),
        ({"Nível de interesse": "True"}, ("contact.interest_level", "unknown_level", "True")),
        ({"Conectado em": "Sim"}, ("contact.accept_date", "not_a_date", "Sim")),
        ({"Mensagem": "Oi", "Data da mensagem": "ontem"}, ("contact.message_date", "not_a_date", "ontem")),
        ({"Responsável": "Ninguém Nunca"}, ("contact_owner.name", "unknown_owner", "Ninguém Nunca")),
        ({"Responsável": "José"}, ("contact_owner.name", "unknown_owner", "José")),
        ({"E-mail do responsável": "a@b"}, ("contact.owner_email", "not_an_email", "a@b")),
        ({"Site": "x." * 1001}, ("contact.current_company_link", "too_long", "x." * 1001)),
    ],
)
def test_a_cell_that_cannot_be_read_never_loses_the_contact(cells, expected):
    assert note_of(Nome="Ana", **cells) == expected


@pytest.mark.parametrize(("field", "length"), [("Nome", 300), ("Cargo", 300), ("Campanha", 200)])
def test_a_text_that_is_too_long_is_cut(field, length):
    (reading,) = readings(table(**{"Nome": "Ana", field: "x" * 301}))
    assert reading.item is not None
    contact = reading.item
    held = {"Nome": contact.facts["name"], "Cargo": contact.facts.get("role"), "Campanha": contact.campaign}
    assert held[field] == "x" * length
    assert [note.problem for note in reading.notes] == ["too_long"]


@pytest.mark.parametrize("name", ["", "#N/A", "undefined", "\u200b\u200b", "-", "null null"])
def test_a_row_without_a_name_is_bad(name):
    with pytest.raises(InvalidContact) as refused:
        readings(table(Nome=name, Cargo="Gerente"))
    assert (refused.value.field, refused.value.problem) == ("contact.name", "required")


@pytest.mark.parametrize(
    "name",
    ["LinkedIn Member", "linkedin  member", "LinkedIn User", "LinkedIn-Mitglied", "Usuário do LinkedIn"],
)
def test_whom_linkedin_hides_has_no_name(name):
    first, _, last = name.partition(" ")
    for content in (table(Nome=name), table(**{"First Name": first, "Last Name": last, "E-mail": "ana@x.test"})):
        with pytest.raises(InvalidContact) as refused:
            readings(content)
        assert (refused.value.field, refused.value.problem) == ("contact.name", "name_hidden")


@pytest.mark.parametrize("name", ["Ana LinkedIn", "Member", "LinkedIn Membership Services"])
def test_a_name_that_speaks_of_linkedin_is_one(name):
    assert read_one(Nome=name).facts["name"] == name


def test_marks_are_taken_out_of_names():
    (reading,) = readings("Nome\n\u202eAna\u202c \u200bLima\n".encode())
    assert reading.item is not None
    assert reading.item.facts["name"] == "Ana Lima"
    assert [note.problem for note in reading.notes] == ["marks_removed"]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Nome,E-mail,Cargo,Telefone", "(obrigatório),(obrigatório),(opcional),"),
        ("Nome,E-mail,Cargo,Telefone", "Texto,texto,Texto,varchar(255)"),
        ("First Name,Last Name,Email,Lead Status", "firstname,lastname,email,hs_lead_status"),
        ("Contact Name,Email,Title", "Contact.Name,Contact.Email,Contact.Title"),
        ("Nome,LinkedIn,Cargo", "string,hs_linkedin_url,string"),
        ("Nome,E-mail,Empresa", "Nome completo do contato,no formato nome@empresa.com,Empresa onde trabalha"),
        ("Nome,Nível", "texto,número"),
    ],
)
def test_a_row_below_the_header_that_explains_it_is_no_contact(header, row):
    more = "," * (header.count(",") - 1)
    first, second = readings(f"{header}\n{row}\nAna,{'2' if 'Nível' in header else more}\n".encode())
    assert (first.item, [note.problem for note in first.notes]) == (None, ["explains_columns"])
    assert second.item is not None
    assert second.item.facts["name"] == "Ana"
    assert (second.item.level == 2) == ("Nível" in header), "nor do its words count as cells of the column"


@pytest.mark.parametrize(
    "row",
    ["Ana Souza,a confirmar,a confirmar,", "Contato,a confirmar,,Empresa X", "Lead,text,,text", "Nome,a@x.test,texto,",
     "Nome,,+55 11 5555-5555,texto", "Nome,,,Acme", "Nome,,,", "Max,text,text,text"],
)  # fmt: skip
def test_a_row_below_the_header_that_could_be_somebody_is_a_contact(row):
    (reading,) = readings(f"Nome,E-mail,Telefone,Empresa\n{row}\n".encode())
    assert reading.item is not None


@pytest.mark.parametrize(
    "name",
    ["Ex.: Maria Silva", "ex: Maria", "EXEMPLO: Maria", "(Ex.) Maria", "(Ex.: Maria)", "P. ex. Maria",
     "Por exemplo: Ana", "e.g. Maria", "(Exemplo) Maria", "Exemplo"],
)  # fmt: skip
def test_a_row_of_a_template_that_says_it_is_an_example_is_no_contact_and_is_named(name):
    first, second = readings(f"Nome,E-mail\n{name},exemplo@exemplo.com\nEx-aluna Ana,ana@x.test\n".encode())
    assert (first.item, [note.problem for note in first.notes]) == (None, ["example_row"])
    assert second.item is not None


@pytest.mark.parametrize(
    "name",
    ["Ex.mo Sr. João da Silva", "Ex.ma Sra. Ana", "Exmo. Sr. João", "Ex. Sr. João", "EX. SRA. ANA", "Ex-aluna Ana",
     "E.G. Silva", "Exemplo Ltda", "Exemplo de Souza", "Ana Modelo", "Modelo", "Teste", "Teste Ltda", "Alex: vendas"],
)  # fmt: skip
def test_a_title_or_a_name_that_is_like_an_example_is_somebody(name):
    (reading,) = readings(f"Nome,Empresa\n{name},Exemplo\n".encode())
    assert reading.item is not None
    assert reading.item.facts["name"] == name


def test_a_last_name_is_no_example():
    (reading,) = readings("Nome,Sobrenome,E-mail\nJoão,Exemplo,joao@x.test\n".encode())
    assert reading.item is not None
    assert reading.item.facts["name"] == "João Exemplo"


def test_an_address_of_an_example_is_said_and_its_contact_enters():
    assert note_of(Nome="Maria Silva", Email="exemplo@empresa.com") == (
        "contact.email",
        "example_email",
        "exemplo@empresa.com",
    )


def test_rows_that_are_no_contacts_are_named_and_are_not_bad():
    content = b"Nome,E-mail,Notas\nAna,a@x.test,\nNome,E-mail,Notas\n,,so uma nota\n#N/A,#N/A,\nTotal: 1,,\n"
    assert [[note.problem for note in reading.notes] for reading in readings(content)] == [
        [],
        ["repeated_header"],
        ["no_contact"],
        [],
        ["footer"],
    ]


def test_a_name_is_put_together_once():
    content = "Nome,Nome do meio,Sobrenome\nRita,de,Luz\nRita de Luz,,Luz\nRita,,\n"
    names = [item.facts["name"] for item in read(content.encode())]
    assert names == ["Rita de Luz", "Rita de Luz", "Rita"]


def test_the_title_of_a_lead_is_not_its_name():
    text = "Nome do lead,Primeiro nome,Sobrenome\nLead do site #7,Ana,Lima\nDra. Bia Mota,Bia,Mota\nSó título,,\n"
    assert [item.facts["name"] for item in read_table(text)] == ["Ana Lima", "Dra. Bia Mota", "Só título"]


def test_more_cells_than_columns_are_a_missing_quote():
    with pytest.raises(InvalidContact) as refused:
        read(b"Nome,Empresa\nAna,Silva, Souza e Cia\n")
    assert refused.value.problem == "extra_cells"


def test_missing_cells_are_empty_ones():
    assert read(b"Nome,Empresa,Cargo\nAna\n")[0].facts == {"name": "Ana"}


def test_of_several_columns_for_one_field_the_first_that_is_filled_counts():
    header = "Person - Name,Person - Phone - Work,Person - Phone - Mobile"
    first, second = read(f"{header}\nAna,111,222\nBia,,333\n".encode())
    assert (first.facts["phone"], second.facts["phone"]) == ("111", "333")


KEY = "https://www.linkedin.com/in/ACwAAB1234567890123456789"


def test_a_public_id_comes_before_a_members_key_and_a_key_is_better_than_none():
    content = f"Nome,Profile URL,LinkedIn URL\nAna,{KEY},linkedin.com/in/ana-lima\nBia,{KEY}0,\n".encode()
    found = [contact.facts["linkedin_public_id"] for contact in read(content)]
    assert found == ["ana-lima", "ACwAAB12345678901234567890"]


def test_a_state_is_a_place_beside_a_city_or_a_country():
    assert read_one(Nome="Ana", State="connected").facts == {"name": "Ana"}
    assert read_one(Nome="Ana", City="Campinas", State="SP").facts["location"] == "Campinas, SP"
    assert read_one(Nome="Ana", UF="SP").facts["location"] == "SP"


def test_stars_are_no_level_and_not_silent_and_a_picture_is_a_name():
    assert note_of(Nome="Ana", **{"Nível de interesse": "★★★"}) == ("contact.interest_level", "unknown_level", "★★★")
    assert read_one(Nome="😀", LinkedIn="ana-lima").facts["name"] == "😀"


def test_the_mark_against_formulas_is_taken_off_again():
    assert read_one(Nome="Ana", Telefone="'+55 11 9").facts["phone"] == "+55 11 9"
    assert read_one(Nome="'Ana", Cargo="'x").facts == {"name": "'Ana", "role": "'x"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not_json"),
        ("{" * 100_000, "not_json"),
        ('{"contact": {"name": "Ana", "interest_level": 1, "interest_level": 3}}', "repeated_field"),
        ('{"contact": []}', "not_an_object"),
        ('{"contact": {"name": 7}}', "not_a_text"),
        ('{"contact": {"name": ""}}', "required"),
        ('{"contact": {"name": "Ana\\ud800"}}', "surrogate"),
    ],
)
def test_a_bad_line_of_json_is_named(line, problem):
    with pytest.raises(InvalidContact) as refused:
        read(line.encode() + b"\n")
    assert refused.value.problem == problem


@pytest.mark.parametrize(
    ("line", "problem", "said"),
    [
        ('{"contact": {"name": "Ana", "interest_level": 4}}', "unknown_level", "4"),
        ('{"contact": {"name": "Ana", "interest_level": true}}', "unknown_level", "true"),
        ('{"contact": {"name": "Ana"}, "campaign": "x"}', "not_an_object", "x"),
        ('{"contact": {"name": "Ana", "invite_date": "ontem"}}', "not_a_date", "ontem"),
        ('{"contact": {"name": "Ana", "skills": [7]}}', "not_a_list", "[7]"),
        ('{"contact": {"name": "Ana"}, "messages": {}}', "not_a_list", "{}"),
    ],
)
def test_a_part_of_a_line_of_json_that_cannot_be_read_never_loses_the_contact(line, problem, said):
    (reading,) = readings(line.encode() + b"\n")
    assert reading.item is not None
    assert [(note.problem, note.said) for note in reading.notes] == [(problem, said)]


def test_every_field_and_every_problem_has_words():
    assert set(FIELD_WORDS) == {*FIELDS, *own_columns(titles_of("pt"))}
    assert set(KIND_WORDS) == {"portal", "linkedin", "hubspot", "pipedrive", "piperun", "rdstation", "generic", "jsonl"}
    assert {"contact.name", "contact.email", "contact_owner.email", "campaign.name"} <= set(PATH_WORDS)
    assert {"required", "unknown_level", "not_an_email", "not_a_date", "too_long"} <= set(PROBLEM_WORDS)


def test_messages_of_a_table_have_their_lines_dates_and_senders():
    (ana,) = read_table(
        "Nome;Mensagem 1;Data da mensagem 1;Remetente 1;Mensagem 2;Data da mensagem 2;Remetente 2\n"
        'Ana;"Oi!\nTudo bem?";05/03/2024 10:00;Bia; Claro ;06/03/2024;Ana\n'
    )
    assert ana.messages is not None
    assert [(each["sender_name"], each["message"]) for each in ana.messages] == [
        ("Bia", "Oi!\nTudo bem?"),
        ("Ana", "Claro"),
    ]
    assert [each["date"].day for each in ana.messages] == [5, 6]


def test_an_empty_message_is_none_and_a_description_goes_to_its_campaign():
    ana, bia = read_table(
        "Nome,Campanha,Descrição da campanha,Última mensagem\nAna,Verão,Fábricas do sul,\nBia,Verão,,Oi\n"
    )
    assert (ana.messages, ana.campaign_facts) == (None, {"description": "Fábricas do sul"})
    assert bia.messages is not None
    assert (bia.messages[0]["message"], bia.messages[0]["date"]) == ("Oi", None)


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("Jos&eacute; &amp; Cia", "José & Cia"),
        ("AT&T; x", "AT&T; x"),
        ('=HIPERLINK("http://x.test";"Ana Lima")', "Ana Lima"),
    ],
)
def test_a_cell_says_what_a_program_meant(cell, read):
    assert read_label(read_text(cell)) == read


def test_a_total_in_words_under_the_column_of_e_mails_is_no_contact():
    first, total, third = readings(b"Email,Nome\nana@x.test,Ana\nTotal: 2 leads,\ntotal@x.test,Bia\n")
    assert (first.item is None, total.item, third.item is None) == (False, None, False)
    assert [note.problem for note in total.notes] == ["footer"]


@pytest.mark.parametrize(
    "title",
    """Novembro 2026|NOV/26|março de 2026|Novembro|Semana 2|2ª quinzena|1º trimestre|Q4 2026|2026|Week 2 - November
    Segunda-feira 3 de março de 2026|Equipe Sul|Região Norte|Vendedor: Bruno|Leads de novembro|Quentes""".replace(
        "\n    ", "|"
    ).split("|"),
)
def test_a_title_between_the_rows_is_no_contact_and_is_said(title):
    first, alone, last = readings(f"Nome,E-mail,Cargo\nAna,ana@x.test,\n{title},,\nBia,,CEO\n".encode())
    assert (first.item is None, alone.item, last.item is None) == (False, None, False)
    assert [(note.problem, note.said) for note in alone.notes] == [("title", title)]


@pytest.mark.parametrize(
    "name", ["Abril", "Marco", "Julio", "June", "Dia Souza", "Regina", "Juliana 22", "Tim Sul", "Leads2b"]
)
def test_a_name_that_stands_alone_is_somebodys(name):
    assert [item.facts["name"] for item in read_table(f"Nome,E-mail\n{name},\nBia,bia@x.test\n")] == [name, "Bia"]


def test_what_reads_like_a_title_is_a_contact_where_the_row_says_more():
    ana, team = read_table("Nome,E-mail\nNovembro,ana@x.test\nEquipe Sul,sul@x.test\n")
    assert (ana.facts["name"], team.facts["name"]) == ("Novembro", "Equipe Sul")


def test_a_phone_or_a_date_alone_is_a_bad_row_and_no_title():
    for row in (",1133334444,", ",,12/11/2026"):
        with pytest.raises(InvalidContact, match="required"):
            readings(f"Nome,Telefone,Conectado em\nAna,11 3333-4444,10/11/2026\n{row}\n".encode())


def test_a_total_under_the_column_of_e_mails_is_no_contact():
    found = readings(b"Nome,E-mail\nAna,ana@x.test\nTotal de leads,1\n")
    assert [reading.item and reading.item.facts["name"] for reading in found] == ["Ana", None]


@pytest.mark.parametrize(
    ("cell", "phone"),
    [
        ("0", None),
        ("(11) 98888-7777 / 3333-4444", "(11) 98888-7777"),
        ("113", "113"),
        ("p:+5511988887777", "+5511988887777"),
        ("tel:+5511988887777", "+5511988887777"),
        ("11988887777.0", "11988887777"),
        ("' 11988887777 '", "11988887777"),
        ("12", None),
        ("(85) 98888-0000, (85) 3333-0000", "(85) 98888-0000"),
        ("98888-0000,3333-0000,3333-1111", "98888-0000"),
        ("98888-0000, celular (85) 3333-0000", "98888-0000"),
        ("+55 11 98765,4321", "+55 11 98765,4321"),
        ("+55 11 98765,4321, 11 3333-4444", "+55 11 98765,4321"),
        ("11,987654321", "11,987654321"),
        ("11 3333-4444, 5555", "11 3333-4444, 5555"),
        ("11 3333-4444, ramal 12", "11 3333-4444, ramal 12"),
        ("55,11,987654321", "55,11,987654321"),
    ],
)
def test_a_phone_has_some_digits(cell, phone):
    assert read_phone(cell) == phone


@pytest.mark.parametrize(
    ("cell", "name", "email", "left"),
    [
        ("Ana Lima (ana@x.example);Bia Sá (bia@x.example)", "Ana Lima", "ana@x.example", "Bia Sá (bia@x.example)"),
        ("Ana Lima <ana@x.example>, Bia <bia@x.example>; C", "Ana Lima", "ana@x.example", "Bia <bia@x.example>; C"),
        ("«Ana Lima» <ana@x.example>;", "Ana Lima", "ana@x.example", None),
        ("Ana; Bia (bia@x.example)", "Ana; Bia (bia@x.example)", None, None),
        ("“” <ana@x.example>", "“” <ana@x.example>", None, None),
    ],
)
def test_of_several_people_in_a_cell_the_first_enters_and_the_others_are_said(cell, name, email, left):
    *_, reading = readings(f'Nome\nEva Paz\nRui Sá\n"{cell}"\n'.encode())
    assert (reading.item.facts["name"], reading.item.facts.get("email")) == (name, email)
    said = [(note.field, note.problem, note.said) for note in reading.notes]
    assert said == ([("contact.name", "first_of_several", left)] if left else [])


EVERY_CELL = {
    "name": ("Ana Lima", None),
    "first_name": ("Ana", None),
    "middle_name": ("de", None),
    "last_name": ("Lima", None),
    "linkedin": ("https://www.linkedin.com/in/ana-lima", ("linkedin_public_id", "ana-lima")),
    "email": ("ana@acme.test", ("email", "ana@acme.test")),
    "phone": ("98765-4321", ("phone", "(81) 98765-4321")),
    "area_code": ("81", None),
    "current_company": ("Acme", ("current_company", "Acme")),
    "current_company_link": ("https://acme.test", ("current_company_link", "https://acme.test")),
    "role": ("Diretora", ("role", "Diretora")),
    "location": ("Recife", ("location", "Recife")),
    "city": ("Olinda", None),
    "state": ("PE", None),
    "country": ("Brasil", None),
    "interest_level": ("Alto", None),
    "owner_name": ("Bia Mota", None),
    "owner_email": ("bia@x.test", None),
    "campaign": ("Feira", None),
    "campaign_description": ("De março", None),
    **{name: (f"0{day}/02/2026", (name, datetime(2026, 2, day, 3, tzinfo=UTC))) for day, name in enumerate(DATES, 1)},
    "message": ("Olá", None),
    "message_date": ("09/02/2026", None),
    "message_sender": ("Caio", None),
}
"""A cell for each field, and the fact that it becomes by itself."""


def read_fields(cells: dict[str, str]) -> ContactItem:
    layout = Layout("generic", "utf-8", ",", 1, tuple(cells))
    order = Order(layout=layout, columns=tuple(cells), user_id=0, campaign="Outra")
    reader = RowReader(order, zone=ZONE, people=PEOPLE)
    found = reader.read(Record(2, list(cells.values())))
    assert (found.notes, found.item is None) == ((), False)
    return found.item


def test_a_row_that_fills_every_column_says_all_of_it():
    assert set(EVERY_CELL) == set(FIELDS)
    item = read_fields({field: cell for field, (cell, _) in EVERY_CELL.items()})
    facts = dict(fact for _, fact in EVERY_CELL.values() if fact)
    said_at = datetime(2026, 2, 9, 3, tzinfo=UTC)
    assert item == ContactItem(
        None,
        facts={"name": "Ana Lima"} | facts,
        owner=OwnerItem("bia@x.test", "Bia Mota"),
        campaign="Feira",
        campaign_facts={"description": "De março"},
        messages=[{"sender_name": "Caio", "message": "Olá", "date": said_at, "pending": False}],
        level=3,
    )


@pytest.mark.parametrize(
    ("cells", "owner"),
    [
        ({"owner_email": "bia@x.test"}, OwnerItem("bia@x.test", None)),
        ({"owner_name": "BRUNO TAVARES"}, OwnerItem("bruno@example.com", "BRUNO TAVARES")),
        ({"owner_name": "bia@x.test"}, OwnerItem("bia@x.test", None)),
        ({"owner_name": ""}, None),
    ],
)
def test_an_owner_is_named_by_either_cell(cells, owner):
    assert read_fields({"name": "Ana", "email": "a@x.test"} | cells).owner == owner


@pytest.mark.parametrize(
    ("cells", "location"),
    [
        ({"city": "Olinda", "state": "PE", "country": "Brasil"}, "Olinda, PE, Brasil"),
        ({"country": "Brasil", "city": "Olinda"}, "Olinda, Brasil"),
        ({"location": "Recife", "city": "Olinda"}, "Recife"),
    ],
)
def test_a_place_is_put_together_from_the_smallest_on(cells, location):
    assert read_fields({"name": "Ana"} | cells).facts["location"] == location


def test_what_names_no_campaign_goes_to_the_one_that_was_chosen():
    item = read_fields({"name": "Ana", "campaign": "", "campaign_description": "De março"})
    assert (item.campaign, item.campaign_facts) == ("Outra", {"description": "De março"})


@pytest.mark.parametrize(
    ("cell", "is_said"),
    [
        ("ana@x.example; bia@x.example", True),
        ("ana@x.example, mariana@x.example", True),
        ("ana@x.example / ANA@x.example", False),
        ("ana@x.example; @bia", False),
    ],
)
def test_of_several_e_mails_in_a_cell_the_first_enters_and_that_there_are_more_is_said(cell, is_said):
    *_, reading = readings(f'Nome,E-mail\nEva Paz,eva@x.example\nAna Lima,"{cell}"\n'.encode())
    assert reading.item.facts["email"] == "ana@x.example"
    assert [(note.field, note.problem) for note in reading.notes] == [("contact.email", "first_email")] * is_said


@pytest.mark.parametrize(
    ("cell", "is_said"),
    [
        ("11 91234-5678 / 11 3333-4444", True),
        ("11 91234-5678; 3333-4444", True),
        ("11 91234-5678, 11 3333-4444", True),
        ("11 91234-5678 ::: 11 3333-4444", True),
        ("11 91234-5678 / +55 (11) 91234-5678", False),
        ("11 91234-5678; ramal 1234567", False),
        ("11 91234-5678", False),
    ],
)
def test_of_several_phones_in_a_cell_the_first_enters_and_that_there_are_more_is_said(cell, is_said):
    *_, reading = readings(f'Nome,Telefone\nEva Paz,11 95555-0000\nAna Lima,"{cell}"\n'.encode())
    assert reading.item.facts["phone"] == "11 91234-5678"
    said = [("contact.phone", "first_phone", cell)] * is_said
    assert [(note.field, note.problem, note.said) for note in reading.notes] == said


@pytest.mark.parametrize("field", ["name", "first_name", "current_company", "role", "city", "campaign", "owner_name"])
@pytest.mark.parametrize(
    ("first", "second", "is_said"),
    [
        ("Acme Ltda", "Beta", True),
        ("Acme", "Acme Ltda", True),
        ("Acme Ltda", "ACME", False),
        ("Acme", "n/a", False),
        ("", "Beta", False),
        ("Beta", "", False),
    ],
)
def test_of_several_columns_of_a_field_the_first_enters_and_what_another_says_is_told(field, first, second, is_said):
    cells = {7: first, 9: second}
    said_of = {"email": [(0, "ana@x.example")], field: [(column, text) for column, text in cells.items() if text]}
    notes = list(note_other_columns({name: said for name, said in said_of.items() if said}))
    assert notes == [Note(f"contact.{field}", "first_value", 9, second)] * is_said


def test_two_columns_of_companies_that_disagree_are_told_of_a_row():
    content = b"Nome,Empresa,Empresa atual\nEva Paz,Acme,Acme\nAna Lima,Acme,Beta\n"
    same, other = readings(content)
    assert (same.notes, other.item.facts["current_company"]) == ((), "Acme")
    said = [(note.field, note.problem, note.column, note.said) for note in other.notes]
    assert said == [("contact.current_company", "first_value", 2, "Beta")]


@pytest.mark.parametrize(("name", "fact"), [("Empresa", "current_company"), ("Cargo", "role")])
def test_an_address_behind_a_company_or_a_role_stays_out_and_is_said(name, fact):
    _, reading = readings(f"Nome,{name}\nEva Paz,Acme\nAna Lima,Acme <a@x.example>\n".encode())
    assert reading.item.facts[fact] == "Acme"
    said = [(note.field, note.problem, note.column, note.said) for note in reading.notes]
    assert said == [(f"contact.{fact}", "first_value", 1, "Acme <a@x.example>")]


@pytest.mark.parametrize(
    ("names", "cells", "said"),
    [
        ("Telefone,Celular", ("11 3333-4444", "11 91234-5678"), ("phone", "11 3333-4444 / 11 91234-5678")),
        ("Telefone,Celular", ("", "11 91234-5678"), None),
        ("Telefone,Celular", ("não tem", "11 91234-5678"), None),
        ("Telefone,Celular", ("11 91234-5678", "+55 (11) 91234-5678"), None),
        ("Telefone,Celular", ("11912345678", "11912345678.0"), None),
        ("E-mail 1,E-mail 2", ("ana@x.example", "mariana@x.example"), ("email", "ana@x.example / mariana@x.example")),
        ("E-mail 1,E-mail 2", ("ana@x.example", "Ana@X.example"), None),
        ("E-mail 1,E-mail 2", ("", "ana@x.example"), None),
    ],
)
def test_of_several_columns_with_a_phone_or_an_e_mail_the_first_enters_and_that_there_are_more_is_said(
    names, cells, said
):
    first, second = cells
    _, reading = readings(f"Nome,{names}\nEva Paz,{first},\nAna Lima,{first},{second}\n".encode())
    fact = "phone" if names.startswith("Tel") else "email"
    assert reading.item.facts[fact] == (second if first in ("", "não tem") else first)
    notes = [(f"contact.{said[0]}", f"first_{said[0]}", said[1])] if said else []
    assert [(note.field, note.problem, note.said) for note in reading.notes] == notes


@pytest.mark.parametrize(
    ("campaigns", "chosen", "said"),
    [
        (("Feira", "", "", "Outra", ""), None, [0, 1, 1, 0, 1]),
        (("", "Feira", ""), None, [1, 0, 1]),
        (("", "", *[""] * 600, "Feira"), None, [1] * 602 + [0]),
        (("", "", ""), None, [0, 0, 0]),
        (("Feira", "", ""), "Verão", [0, 0, 0]),
    ],
)
def test_a_row_without_a_campaign_above_or_below_one_that_has_it_is_said_where_none_was_chosen(campaigns, chosen, said):
    rows = "".join(f"{name},ana{line}@x.example,Ana\n" for line, name in enumerate(campaigns))
    found = readings(f"Campanha,E-mail,Nome\n{rows}".encode(), campaign=chosen)
    assert [each.item.campaign for each in found] == [name or chosen for name in campaigns]
    problems = [[(note.field, note.problem) for note in each.notes] for each in found]
    assert problems == [[("campaign.name", "no_campaign")] * number for number in said]
