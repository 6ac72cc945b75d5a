"""Sentences about addresses: why one is refused (`AddressError.problem`), and what is odd about one that is not."""

from flask_babel import lazy_gettext as _

PROBLEMS = {
    "scheme": _("A URL precisa começar com https:// (ou http://). Copie-a de novo, inteira, de onde ela foi criada."),
    "https_required": _(
        "Este portal só aceita URLs que começam com https://, porque elas protegem os dados no caminho."
    ),
    "no_host": _("Falta o nome do servidor na URL. Ela deve se parecer com https://crm.exemplo.com/webhook."),
    "bad_host": _("O nome do servidor na URL não é um nome válido. Confira letras, hífens e pontos."),
    "userinfo": _(
        "A URL não pode levar usuário e senha antes do sinal @. "
        "Use o endereço próprio para webhooks que o destino oferece, sem a senha."
    ),
    "character": _(
        "A URL tem um espaço ou outro caractere que não pode ficar ali, talvez invisível. "
        "Apague o campo e copie a URL de novo."
    ),
    "port": _(
        "A porta indicada na URL (o número depois dos dois-pontos) é reservada a outros serviços. "
        "Use a porta normal da web ou peça outra ao responsável pelo destino."
    ),
    "numeric_host": _(
        "O número escrito no lugar do nome do servidor não está na forma usual. "
        "Use o nome do servidor ou um endereço como 203.0.113.7."
    ),
    "percent_host": _("O nome do servidor na URL não pode ter o sinal de porcentagem. Copie a URL de novo."),
    "unparsable": _("Não foi possível entender esta URL. Copie-a de novo, inteira, de onde ela foi criada."),
    "too_long": _("A URL tem mais de 2048 caracteres, que é o máximo. Confira se o campo tem só a URL, uma vez."),
    "local_name": _(
        "Este nome só existe dentro de uma rede interna, e o portal envia pela internet. Use a URL pública do destino."
    ),
    "not_public": _(
        "Este endereço fica em uma rede interna ou reservada, para onde o portal não envia, por segurança. "
        "Use a URL pública do destino ou peça a quem opera o portal que libere essa rede."
    ),
}

WARNINGS = {
    "plain_http": _(
        "Esta URL usa http, sem criptografia: os dados dos contatos podem ser lidos no caminho. "
        "Se o destino também atende por https, use https."
    ),
    "unresolved": _(
        "O nome do servidor ainda não foi encontrado na internet. Confira se ele está escrito certo; "
        "se for novo, pode levar algumas horas até funcionar."
    ),
}
