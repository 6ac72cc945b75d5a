"""What is found in a file, and what is wrong with it, in the reader's language."""

from collections.abc import Callable, Sequence

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.importing.encoding import FileProblem, NoName, UnknownName
from portal.importing.findings import Finding

KIND_WORDS = {
    "linkedin": _l("Conexões do LinkedIn"),
    "hubspot": _l("HubSpot"),
    "pipedrive": _l("Pipedrive"),
    "piperun": _l("PipeRun"),
    "rdstation": _l("RD Station"),
    "portal": _l("Contatos deste portal"),
    "generic": _l("Lista de contatos"),
    "jsonl": _l("JSON, um contato por linha"),
}

ENCODING_WORDS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252",
    "mac_roman": "Mac Roman",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp850": "DOS (850)",
    "mixed": _l("UTF-8, com trechos em Windows-1252"),
}

DELIMITER_WORDS = {",": _l("vírgula"), ";": _l("ponto e vírgula"), "\t": _l("tabulação"), "|": _l("barra vertical")}

FIELD_WORDS = {
    "name": _l("Nome completo"),
    "first_name": _l("Primeiro nome"),
    "middle_name": _l("Nome do meio"),
    "last_name": _l("Sobrenome"),
    "linkedin": _l("Perfil no LinkedIn"),
    "email": _l("E-mail"),
    "phone": _l("Telefone"),
    "area_code": _l("DDD do telefone"),
    "current_company": _l("Empresa atual"),
    "current_company_link": _l("Endereço da empresa"),
    "role": _l("Cargo"),
    "location": _l("Localização"),
    "city": _l("Cidade"),
    "state": _l("Estado"),
    "country": _l("País"),
    "interest_level": _l("Nível de interesse"),
    "owner_email": _l("E-mail do responsável"),
    "owner_name": _l("Nome do responsável"),
    "campaign": _l("Campanha"),
    "campaign_description": _l("Descrição da campanha"),
    "portal_number": _l("Número no portal"),
    "skills": _l("Competências"),
    "experiences": _l("Experiências"),
    "messages": _l("Mensagens"),
    "message": _l("Mensagem"),
    "message_date": _l("Data da mensagem"),
    "message_sender": _l("Remetente da mensagem"),
    "invite_date": _l("Convite enviado em"),
    "accept_date": _l("Convite aceito em"),
    "collect_date": _l("Inserido no sistema em"),
    "reply_date": _l("Respondeu em"),
}

# What is said of a contact that changed: of lists only how long they are.
DIFFERENCE_WORDS = FIELD_WORDS | {
    "linkedin_public_id": FIELD_WORDS["linkedin"],
    "owner": FIELD_WORDS["owner_email"],
}

GROUP_WORDS = {
    "created": _l("Novos"),
    "changed": _l("Alterados"),
    "unchanged": _l("Iguais"),
    "elsewhere": _l("Já estão em outra campanha"),
    "doubtful": _l("Podem ser a mesma pessoa"),
    "kept": _l("Nível escolhido no portal, mantido"),
    "renamed": _l("Passaram a ter outro nome"),
    "missing": _l("Não estão mais no arquivo"),
}

PATH_WORDS = {
    "contact.linkedin_public_id": FIELD_WORDS["linkedin"],
    "contact_owner.email": FIELD_WORDS["owner_email"],
    "contact_owner.name": FIELD_WORDS["owner_name"],
    "campaign.name": FIELD_WORDS["campaign"],
    "campaign.description": FIELD_WORDS["campaign_description"],
    **{f"contact.{name}": words for name, words in FIELD_WORDS.items()},
}

PROBLEM_WORDS = {
    "required": _l("está em branco, e é obrigatório."),
    "unknown_level": _l("só pode ser 1, 2 ou 3; baixo, médio ou alto."),
    "not_a_phone": _l("não é um telefone."),
    "rounded": _l("a planilha arredondou este número, e os últimos algarismos se perderam."),
    "formula": _l("é uma fórmula cujo resultado não veio no arquivo: abra-o na planilha, salve e envie de novo."),
    "first_of_several": _l("a célula diz mais do que uma pessoa com o seu e-mail: só a primeira entrou."),
    "told_before": _l("uma linha acima diz outra coisa desta pessoa, e é a que vale."),
    "described_before": _l("uma linha acima descreve a campanha de outro modo, e é o que vale."),
    "no_campaign": _l(
        "está em branco, e outras linhas dizem a sua: quem é novo entra na campanha Geral. Se a célula era mesclada, "
        "repita a campanha em cada linha."
    ),
    "first_email": _l("a linha tem mais de um e-mail: só o primeiro entrou."),
    "first_value": _l("a linha diz mais de um valor: só o primeiro entrou."),
    "first_phone": _l("a linha tem mais de um telefone: só o primeiro entrou."),
    "marks_removed": _l("tinha caracteres invisíveis, que foram tirados."),
    "not_an_email": _l("não é um endereço de e-mail."),
    "example_email": _l("parece o de um exemplo de como preencher; o contato entra como está."),
    "not_a_profile": _l("não é o endereço de um perfil, como linkedin.com/in/maria-silva."),
    "link_lost": _l("mostra um link cujo endereço não veio no arquivo: escreva o endereço, ou envie um XLSX."),
    "not_a_site": _l("não é o endereço de um site."),
    "not_a_date": _l("não é uma data como 31/01/2026."),
    "not_a_text": _l("não é um texto."),
    "not_a_count": _l("não é um número de confirmações."),
    "not_a_flag": _l("só pode ser 0 ou 1."),
    "not_a_list": _l("não é uma lista."),
    "not_an_object": _l("não tem a forma do corpo do webhook."),
    "too_long": _l("é longo demais."),
    "too_many": _l("tem itens demais."),
    "unknown": _l("não existe na sua empresa."),
    "not_of_company": _l("ninguém da sua empresa tem este e-mail; o contato ficou com outro responsável."),
    "unknown_owner": _l(
        "ninguém da sua empresa tem este nome, ou mais de uma pessoa tem; o contato ficou com outro responsável."
    ),
    "thread_full": _l(
        "a conversa já tem 2.000 mensagens ou 500.000 caracteres: só as mais novas ficam, e estas não couberam."
    ),
    "perhaps_title": _l("é só o que a linha diz: se for o título das que vêm abaixo, e não alguém, exclua o contato."),
    "name_hidden": _l("o LinkedIn não mostrou o nome desta pessoa a quem fez o arquivo."),
    "nul": _l("contém um byte nulo."),
    "surrogate": _l("contém um caractere quebrado."),
}

ROW_WORDS = {
    "unclosed_quote": _l("As aspas abertas nesta linha nunca se fecham."),
    "extra_cells": _l("A linha tem mais colunas do que o cabeçalho: falta pôr aspas em um texto com o separador."),
    "line_too_long": _l("A linha é longa demais."),
    "too_many_columns": _l("A linha tem mais de 500 colunas."),
    "no_contact": _l("A linha não tem nada de um contato."),
    "footer": _l("A linha é do rodapé ou do total de um relatório, e não é um contato."),
    "title": _l("A linha é só o título das que vêm abaixo, e não é um contato."),
    "other_table": _l("A linha começa outra tabela, com outras colunas: as linhas dela não entram."),
    "of_other_table": _l(
        "A linha é de outra tabela, que começa acima com outras colunas: ponha-a em um arquivo ou uma aba própria."
    ),
    "repeated_header": _l("A linha repete o cabeçalho, e não é um contato."),
    "explains_columns": _l("A linha explica as colunas, e não é um contato."),
    "example_row": _l("A linha é um exemplo de como preencher, e não é um contato."),
    "row_joined": _l("A linha continua na de baixo: juntas são um contato."),
    "nuls_removed": _l("A linha tinha bytes nulos, que foram tirados."),
    "not_json": _l("A linha não é um JSON válido."),
    "unknown_fields": _l("A linha tem campos que o corpo do webhook não tem: ficaram de fora."),
    "repeated_field": _l("A linha tem um campo mais de uma vez no mesmo objeto: não se sabe qual vale."),
    "merged_away": _l(
        "Esta pessoa foi unida a outro contato: a linha só acrescenta a ele mensagens e o que ele tem em branco."
    ),
    "not_saved": _l("O banco de dados recusou esta linha."),
}

# What is said of a row that has to do with the one in another line.
LINE_WORDS = {
    "told_before": _l("a linha %(line)s diz outra coisa desta pessoa, e é a que vale."),
    "described_before": _l("a linha %(line)s descreve a campanha de outro modo, e é o que vale."),
    "row_joined": _l("A linha continua na %(line)s: juntas são um contato."),
}

FILE_WORDS = {
    "empty": _l("O arquivo não tem nenhuma linha com dados."),
    "zip": _l("Isto é um ZIP. Abra-o e envie o arquivo que está dentro: do LinkedIn, o Connections.csv."),
    "compressed": _l("Isto é um arquivo compactado. Abra-o e envie o que está dentro, em CSV ou XLSX."),
    "pdf": _l("Isto é um PDF. Exporte os contatos como CSV ou XLSX no programa que o fez."),
    "vcard": _l(
        "Isto são cartões de visita (vCard). Nos contatos do Google, do Outlook ou do celular, exporte como CSV."
    ),
    "html": _l("Isto é uma página HTML com nome de planilha. Abra-a na planilha e salve como XLSX ou CSV."),
    "xml": _l("Isto é um XML. Abra-o na planilha e salve como XLSX ou CSV."),
    "broken_spreadsheet": _l("Esta planilha está quebrada ou tem senha. Abra-a e salve de novo, ou como CSV."),
    "spreadsheet_too_large": _l(
        "Esta planilha fica grande demais quando é aberta. Salve só a aba dos contatos, como CSV."
    ),
    "no_such_sheet": _l("A planilha não tem uma aba com este nome."),
    "no_such_column": _l("O arquivo não tem uma coluna com este nome."),
    "no_such_field": _l("Um contato não tem um campo com este nome."),
    "no_columns": _l("Um arquivo JSON não tem colunas."),
    "no_encoding": _l("A própria planilha diz como escreve os caracteres: não há codificação a escolher."),
    "no_sheets": _l("Isto é um texto, e não uma planilha: não tem abas."),
    "binary": _l("Isto não é um arquivo de texto. Exporte os contatos como CSV."),
    "undecodable": _l("O começo do arquivo diz uma codificação, e o resto tem outra. Salve-o de novo como CSV UTF-8."),
    "json_list": _l(
        "Isto é uma lista em JSON. Ponha cada contato em uma linha, sem os colchetes e sem vírgulas entre eles."
    ),
    "no_header": _l("Não foi encontrada a linha com os nomes das colunas."),
    "too_many_columns": _l("O arquivo tem mais de 500 colunas."),
    "too_many_rows": _l("O arquivo tem mais de 200.000 linhas. Divida-o em partes menores."),
    "too_many_files": _l(
        "A empresa já tem 20 arquivos à espera ou em importação. Comece ou descarte algum antes de enviar outro."
    ),
    "too_large": _l("O arquivo tem mais de 50 MB. Divida-o em partes menores."),
    "no_name": _l("Nenhuma coluna foi escolhida para o nome do contato. Escolha a que o diz."),
    "gone": _l("O arquivo não está mais guardado. Envie-o de novo."),
    "erased": _l(
        "Uma pessoa deste arquivo foi apagada do portal, e a importação parou para não a trazer de volta. "
        "Tire-a do arquivo e envie-o de novo; o que já foi salvo fica."
    ),
    "interrupted": _l("A importação foi interrompida e parou. O que já foi salvo fica."),
    "internal_error": _l(
        "Algo falhou no portal e a importação parou. O que já foi salvo fica; o registro do servidor diz o que foi."
    ),
}


def row_explainer() -> Callable[[Finding], str]:
    """What says what is wrong with a row, as one sentence, in the language of now.

    The words are looked up here once, for a report of many rows, and for what is written when the request is over.
    """
    rows, problems, paths, lines = (
        {key: str(word) for key, word in words.items()} for words in (ROW_WORDS, PROBLEM_WORDS, PATH_WORDS, LINE_WORDS)
    )

    def explain(found: Finding) -> str:
        said = rows.get(found.problem) or problems.get(found.problem, found.problem)
        if found.other_line:
            said = lines[found.problem] % {"line": found.other_line}
        return said if found.problem in rows else f"{paths.get(found.field, found.field)}: {said}"

    return explain


def explain_file(reason: str) -> str:
    """Why a file cannot be imported."""
    return str(FILE_WORDS.get(reason, FILE_WORDS["internal_error"]))


def explain_problem(problem: FileProblem) -> str:
    """Why a file cannot be imported as somebody asked; where a name is wrong, which ones there are."""
    said = explain_file(problem.reason)
    if isinstance(problem, NoName) and problem.likely:
        return " ".join((said, _("Pode ser: %(names)s.", names=", ".join(problem.likely))))
    if isinstance(problem, UnknownName | NoName):
        said = " ".join((said, _("Há: %(names)s.", names=", ".join(problem.known))))
    return f"{problem.name}: {said}" if isinstance(problem, UnknownName) else said


def column_names(header: Sequence[str]) -> list[str]:
    """What the columns are called: those without a name by their number."""
    return [name or _("Coluna %(number)d", number=number) for number, name in enumerate(header, 1)]
