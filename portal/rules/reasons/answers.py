"""The words for what became of a request that could be answered: what was seen, which rule decided, what to do."""

from flask_babel import lazy_gettext as _

from portal.rules.reasons.words import Words

_NOTHING_TO_DO = _("Não é preciso fazer nada.")
_ONLY_200 = _("Pela regra da integração, só o código 200 confirma que a entrega foi recebida.")
_ANSWER_BRIEFLY = _("Configure o destino para responder apenas um texto curto, como OK.")

ANSWERS = {
    "ok_empty": Words(
        title=_("Recebida, resposta vazia"),
        seen=_("O destino respondeu com o código 200 e sem texto."),
        rule=_("Pela regra da integração, o código 200 com resposta vazia vale como entrega."),
        advice=_NOTHING_TO_DO,
    ),
    "ok_json": Words(
        title=_("Recebida, resposta JSON"),
        seen=_("O destino respondeu com o código 200 e dados em JSON."),
        rule=_("Pela regra da integração, o código 200 com JSON vale como entrega."),
        advice=_NOTHING_TO_DO,
    ),
    "ok_text": Words(
        title=_("Recebida, resposta em texto"),
        seen=_("O destino respondeu com o código 200 e um texto."),
        rule=_("Pela regra da integração, o código 200 com um texto que não é página HTML vale como entrega."),
        advice=_NOTHING_TO_DO,
    ),
    "status_2xx": Words(
        title=_("Código diferente de 200"),
        seen=_("O destino respondeu com o código %(status)s."),
        rule=_(
            "Pela regra da integração, só o código 200 confirma a entrega; "
            "outros códigos de sucesso, como 201, 202 e 204, não valem."
        ),
        advice=_("O CRM pode ter recebido os dados. Configure o destino para responder com o código 200."),
    ),
    "redirect": Words(
        title=_("Redirecionamento"),
        seen=_("O destino respondeu com o código %(status)s, que é de redirecionamento."),
        rule=_(
            "O portal não segue desvios, para que os dados dos contatos não acabem em um lugar que ninguém conferiu."
        ),
        advice=_("Peça ao responsável pelo destino a URL final, a que responde sem desviar."),
    ),
    "client_error": Words(
        title=_("Recusada pelo destino"),
        seen=_("O destino recusou o pedido com o código %(status)s."),
        rule=_ONLY_200,
        advice=_("Veja na resposta o motivo da recusa e confira com o responsável pelo destino se a URL está certa."),
    ),
    "gone": Words(
        title=_("Endereço desativado (410)"),
        seen=_("O destino respondeu com o código 410: este endereço foi desativado."),
        rule=_("Com esse código as novas tentativas param, porque o próprio destino diz que o endereço não volta."),
        advice=_(
            "Crie um novo webhook no seu CRM e salve a nova URL. No Make, um webhook que fica alguns dias "
            "sem cenário é desativado: ligue-o de novo a um cenário."
        ),
    ),
    "rate_limited": Words(
        title=_("Limite do destino (429)"),
        seen=_("O destino respondeu com o código 429: recebeu pedidos demais em pouco tempo."),
        rule=_("Quando o destino diz quanto esperar, o portal respeita esse tempo, até 24 horas."),
        advice=_("Se acontecer com frequência, veja no destino se o seu plano permite um limite maior."),
    ),
    "server_error": Words(
        title=_("Erro no destino"),
        seen=_("O destino respondeu com o código %(status)s: o problema está do lado dele."),
        rule=_ONLY_200,
        advice=_(
            "Veja os erros registrados no destino (no fluxo, na automação ou no CRM) "
            "ou avise o responsável por ele, com a hora do envio."
        ),
    ),
    "html_page": Words(
        title=_("Página HTML na resposta"),
        seen=_("O destino respondeu com o código 200, mas com uma página HTML, como as de um site."),
        rule=_(
            "Pela regra da integração, uma página HTML não vale como entrega: sites, planilhas e telas de login "
            "respondem 200 sem processar nada."
        ),
        advice=_(
            "Confira se a URL foi criada para receber webhooks e abre sem login. Se for um programa seu, "
            "leia a resposta: pode ser uma mensagem de erro dele."
        ),
    ),
    "binary_body": Words(
        title=_("Resposta não é texto"),
        seen=_(
            "O destino respondeu com o código 200, mas com uma imagem, um arquivo ou outro conteúdo que não é texto."
        ),
        rule=_("Pela regra da integração, só valem como entrega uma resposta vazia, um JSON ou um texto."),
        advice=_("Confira se a URL não aponta para um arquivo. Se ela estiver certa, faça o destino responder OK."),
    ),
    "too_large": Words(
        title=_("Resposta grande demais"),
        seen=_("A resposta do destino passou de 1 MB, e a leitura foi interrompida."),
        rule=_("O portal lê no máximo 1 MB, e uma resposta que não foi lida até o fim não pode ser conferida."),
        advice=_ANSWER_BRIEFLY,
        leaves_doubt=True,
    ),
    "undecodable": Words(
        title=_("Resposta ilegível"),
        seen=_("A resposta do destino veio comprimida, ou codificada, de um modo que não foi possível abrir."),
        rule=_("Uma resposta que não pode ser lida não pode ser conferida, por isso não vale como entrega."),
        advice=_("Peça ao responsável pelo destino que responda sem compressão nem codificação."),
        leaves_doubt=True,
    ),
    "incomplete": Words(
        title=_("Resposta incompleta"),
        seen=_("O destino começou a responder, mas a conexão terminou antes do fim da resposta."),
        rule=_("Só uma resposta completa confirma a entrega."),
        advice=_("Costuma ser uma queda passageira; se continuar, avise o responsável pelo destino."),
        leaves_doubt=True,
    ),
    "malformed_body": Words(
        title=_("Resposta mal formada"),
        seen=_("O destino começou a responder, mas o conteúdo da resposta não segue as regras da web (HTTP)."),
        rule=_("Só uma resposta que pode ser lida até o fim confirma a entrega."),
        advice=_(
            "Peça ao responsável pelo destino que veja o servidor ou o proxy: costuma ser uma resposta em partes "
            "(“chunked”) montada à mão."
        ),
        leaves_doubt=True,
    ),
    "timeout": Words(
        title=_("Sem resposta a tempo"),
        seen=_("O destino não respondeu por completo em %(seconds)s segundos."),
        rule=_("Cada tentativa espera no máximo esse tempo, para que um destino lento não atrase os outros envios."),
        advice=_("Configure o destino para responder logo que recebe os dados e processá-los depois."),
        leaves_doubt=True,
    ),
    "protocol_error": Words(
        title=_("Resposta fora do padrão"),
        seen=_("O servidor respondeu algo que não segue as regras da web (HTTP)."),
        rule=_("Uma resposta assim não pode ser entendida, por isso não vale como entrega."),
        advice=_("Confira se o servidor e a porta da URL são mesmo os de um serviço web."),
        leaves_doubt=True,
    ),
    "interrupted": Words(
        title=_("Envio interrompido"),
        seen=_("O portal foi desligado no meio do envio, e não se sabe se o destino recebeu os dados."),
        rule=_("Na dúvida, o portal envia de novo, com a mesma identificação e o mesmo conteúdo, para nada se perder."),
        advice=_("Não é preciso fazer nada; se o contato aparecer duas vezes no CRM, a causa é esta."),
    ),
    "internal_error": Words(
        title=_("Erro no portal"),
        seen=_("O portal teve um erro próprio e não conseguiu preparar este envio."),
        rule=_("Um erro do portal não se resolve com novas tentativas, por isso elas param."),
        advice=_("Avise quem opera o portal. Depois do conserto, reenvie esta entrega."),
    ),
}

WARNING_TITLES = {
    "error_in_json": _("a resposta indica um erro"),
    "invalid_json": _("o JSON está mal escrito"),
    "source_code": _("é o código-fonte do script"),
    "error_words": _("o texto fala em erro"),
    "shape_changed": _("a resposta mudou de forma"),
}
ANSWER_WARNINGS = {
    "error_in_json": _(
        "A entrega foi aceita, mas a resposta do destino indica um erro. Leia a resposta e confira no CRM "
        "se o contato foi salvo."
    ),
    "invalid_json": _(
        "A entrega foi aceita, mas a resposta parece um JSON e não está bem escrita. Confira no destino "
        "se o processamento terminou bem."
    ),
    "source_code": _(
        "A entrega foi aceita, mas a resposta é o código-fonte do script, e não o resultado dele: o servidor do "
        "destino não o executou. Peça ao responsável que ative nele o PHP, ou a linguagem do script, e depois reenvie."
    ),
    "error_words": _(
        "A entrega foi aceita, mas o texto da resposta fala em erro. Leia a resposta e confira no CRM "
        "se o contato foi salvo."
    ),
    "shape_changed": _(
        "A entrega foi aceita, mas a resposta não se parece com as anteriores deste destino. Se ninguém o mudou, "
        "confira no CRM se o contato foi salvo."
    ),
}
