"""The API's own sentences: what each status and each code mean. Message ids are Brazilian Portuguese."""

from flask_babel import lazy_gettext as _l

from portal.company.refusals import NoAddress
from portal.database.troubles import TROUBLES
from portal.deliveries.resending import BodyPurged, NotForTests, PersonErased
from portal.report import BadSpan

TITLES = {
    400: _l("Pedido inválido"),
    401: _l("Não autenticado"),
    403: _l("Não permitido"),
    404: _l("Não encontrado"),
    405: _l("Método não permitido"),
    409: _l("Conflito"),
    413: _l("Pedido grande demais"),
    415: _l("Tipo de conteúdo não aceito"),
    422: _l("Dados não aceitos"),
    429: _l("Pedidos demais"),
    500: _l("Erro interno"),
    503: _l("Indisponível por um momento"),
}

DETAILS = {
    "bad_request": _l("O pedido não pôde ser entendido."),
    "malformed_json": _l("O corpo do pedido não é um JSON válido."),
    "not_utf8": _l("O corpo do pedido não está em UTF-8."),
    "too_deep": _l("O JSON do pedido tem níveis demais."),
    "missing_token": _l("Envie o cabeçalho Authorization: Bearer com um token da API."),
    "invalid_token": _l("O token não existe, foi revogado ou o seu usuário não tem mais acesso."),
    "token_over": _l("O último dia deste token já passou. Crie outro."),
    "scope_missing": _l("Isto precisa de um token com o alcance “%(scope)s”; o deste é “%(own)s”."),
    "forbidden": _l("Somente um token de administrador pode fazer isto."),
    "not_found": _l("Não existe nada neste endereço, ou não pertence à sua empresa."),
    "method_not_allowed": _l("Este endereço não aceita este método; o cabeçalho Allow diz quais aceita."),
    "conflict": _l("Outro pedido salvou o mesmo ao mesmo tempo; nada deste foi salvo. Repita o pedido."),
    "request_under_way": _l("O primeiro pedido com esta Idempotency-Key ainda não terminou. Repita em instantes."),
    "idempotency_key_reused": _l("Esta Idempotency-Key já foi usada em outro pedido. Use uma nova para cada pedido."),
    "webhook_unset": NoAddress.words,
    "secret_unreadable": _l("O segredo guardado está danificado ou foi cifrado com outra chave. Gere outro."),
    "body_purged": BodyPurged.words,
    "person_erased": PersonErased.words,
    "test_delivery": NotForTests.words,
    "request_too_large": _l("O corpo do pedido é maior do que o limite. Envie menos contatos por vez."),
    "unsupported_media_type": _l("O corpo do pedido precisa ser JSON: Content-Type: application/json."),
    "invalid_fields": _l("Um ou mais campos não foram aceitos; nada foi salvo."),
    "too_many_calls": _l("Pedidos demais com este token. Espere os segundos do cabeçalho Retry-After."),
    "internal_error": _l("Algo falhou do nosso lado. O registro do servidor diz o quê, sob o error_id."),
    **{code: trouble.sentence for code, trouble in TROUBLES.items()},
}

QUERY_REFUSED = _l("Um ou mais campos não foram aceitos.")  # the detail of `invalid_fields` for calls that save nothing

FIELD_SENTENCES = {
    "invalid": _l("Este valor não é aceito."),
    "required": _l("É obrigatório."),
    "null": _l("Não pode ser null."),
    "unknown_field": _l("Este campo não existe."),
    "repeated_field": _l("Este campo veio mais de uma vez: não se sabe qual vale."),
    "unknown": _l("Não existe contato com este número na sua empresa."),
    "unknown_level": _l("O nível de interesse é 1, 2, 3 ou null."),
    "unknown_value": _l("Não é um dos valores possíveis."),
    "not_an_object": _l("Precisa ser um objeto."),
    "not_a_list": _l("Precisa ser uma lista."),
    "not_an_integer": _l("Precisa ser um número inteiro."),
    "not_a_text": _l("Precisa ser um texto."),
    "not_a_count": _l("Precisa ser um número inteiro de 0 a 2147483647."),
    "not_a_boolean": _l("Precisa ser true ou false."),
    "not_a_flag": _l("Precisa ser 0 ou 1."),
    "not_a_date": _l("Não é uma data como 2026-01-31 12:00:00."),
    "not_a_time": _l("Não é um momento como 2026-01-31T12:00:00Z."),
    "not_an_email": _l("Não é um e-mail."),
    "not_a_key": _l("Só pode ter letras, números e sinais do ASCII, sem espaços."),
    "out_of_range": _l("Precisa estar entre %(least)s e %(most)s."),
    "too_long": _l("São no máximo %(most)s caracteres."),
    "too_many": _l("São no máximo %(most)s itens."),
    "no_address": _l("É a URL que leva a outro CRM: sem URL, não há o que dizer dela."),
    "nul": _l("Contém o caractere U+0000, que não pode ser salvo."),
    "surrogate": _l("Contém metade de um par substituto, que não é um caractere."),
    BadSpan.code: BadSpan.words,
    "invalid_cursor": _l("Não é um cursor que uma página anterior tenha dado."),
}
