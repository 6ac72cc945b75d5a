"""What to do about an HTTP status: the advice that is more exact than the reason's own."""

from flask_babel import lazy_gettext as _

_MOVED = _("O endereço mudou: abra a URL no navegador, copie o endereço em que ela termina e salve-o na configuração.")
_LOGIN = _(
    "Muitas vezes é uma tela de login ou um endereço provisório: confira se a URL abre sem login "
    "e se foi criada para receber webhooks."
)
_NO_ACCESS = _(
    "O destino exige login ou permissão: use a URL pública feita para webhooks e confira se a chave de acesso nela "
    "ainda vale. Uma chave que vai em um cabeçalho se cadastra na página Webhook. No Google Apps Script, o acesso "
    "deve ser para “Qualquer pessoa”."
)
_BAD_GATEWAY = _(
    "O servidor de entrada do destino não conseguiu falar com o sistema por trás dele. "
    "Costuma passar sozinho; se continuar, avise o responsável pelo destino."
)
_CLOUDFLARE = _(
    "O Cloudflare não conseguiu falar com o servidor do destino, que fica por trás dele. "
    "Costuma passar sozinho; se continuar, avise o responsável pelo destino."
)
_CLOUDFLARE_TLS = _(
    "O Cloudflare não aceitou a conexão segura (https) do servidor do destino, que fica por trás dele: o certificado "
    "desse servidor pode ter vencido ou ser de outro nome. Peça ao responsável pelo destino que o renove."
)

ADVICE_BY_STATUS: dict[tuple[str, int | None], str] = {
    ("status_2xx", 201): _(
        "O destino diz que criou um registro, então o CRM pode ter recebido os dados. "
        "Configure-o para responder com o código 200."
    ),
    ("status_2xx", 202): _(
        "O destino diz que recebeu e vai processar depois. No Power Automate, acrescente ao fluxo a ação “Resposta” "
        "(Response) com o código 200; em outros sistemas, configure a resposta com o código 200."
    ),
    ("status_2xx", 204): _(
        "O destino diz que recebeu e não tem nada a responder. Configure-o para responder com o código 200; "
        "no n8n, isso se faz no nó “Respond to Webhook” ou no código de resposta do nó Webhook."
    ),
    ("redirect", 301): _MOVED,
    ("redirect", 302): _LOGIN,
    ("redirect", 303): _LOGIN,
    ("redirect", 307): _LOGIN,
    ("redirect", 308): _MOVED,
    ("redirect", 304): _(
        "O código 304 diz que uma página não mudou desde a última visita: quem respondeu foi um cache ou um site, e "
        "não um webhook. Confira com o responsável pelo destino se a URL está certa."
    ),
    ("client_error", 400): _(
        "O destino não entendeu ou não aceitou os dados. Confira se ele espera o formato descrito "
        "na página Integração; se espera outro, coloque um intermediário, como o Zapier, para converter."
    ),
    ("client_error", 401): _NO_ACCESS,
    ("client_error", 403): _NO_ACCESS,
    ("client_error", 404): _(
        "Não existe nada nesta URL neste momento. Confira se ela está completa; no n8n, ative o fluxo "
        "e use a URL de produção, porque a de teste só funciona enquanto o editor está escutando."
    ),
    ("client_error", 405): _(
        "Esta URL não aceita dados enviados (pedidos POST): provavelmente é uma página, e não um webhook. "
        "Use a URL criada para receber webhooks."
    ),
    ("client_error", 408): _(
        "O destino desistiu de esperar pelos dados. Costuma passar sozinho; se continuar, avise o responsável por ele."
    ),
    ("client_error", 413): _(
        "O destino achou os dados grandes demais. Peça ao responsável por ele que aumente o tamanho aceito."
    ),
    ("client_error", 415): _(
        "O destino não aceita dados em JSON. Configure-o para aceitar o tipo application/json, "
        "que é o formato do webhook."
    ),
    ("client_error", 422): _(
        "O destino leu os dados, mas algum campo não serve para ele. Veja na resposta qual é: "
        "costuma ser um campo obrigatório que está vazio no contato."
    ),
    ("client_error", 419): _(
        "É a proteção CSRF do Laravel, feita para formulários: no programa do destino, acrescente a rota do webhook "
        "às exceções dela (validateCsrfTokens)."
    ),
    ("server_error", 501): _(
        "O destino não sabe receber dados (pedidos POST): provavelmente é um servidor de páginas ou arquivos. "
        "Use a URL criada para receber webhooks."
    ),
    ("server_error", 502): _BAD_GATEWAY,
    ("server_error", 503): _(
        "O destino está fora do ar, em manutenção ou sobrecarregado. Costuma passar sozinho; "
        "se continuar, avise o responsável por ele."
    ),
    ("server_error", 504): _BAD_GATEWAY,
    **{("server_error", status): _CLOUDFLARE for status in (520, 521, 522, 523, 524, 530)},
    **{("server_error", status): _CLOUDFLARE_TLS for status in (525, 526)},
}
