"""What to do about an answer that betrays its cause (`rules.clues`): more exact than the advice about its status."""

from flask_babel import lazy_gettext as _

CLUES = {
    "redirect_slash": _(
        "É o mesmo endereço; só a barra do fim muda. O destino atende em %(target)s. "
        "Use esse endereço na configuração do webhook."
    ),
    "redirect_https": _("O destino só atende por https, em %(target)s. Use esse endereço na configuração do webhook."),
    "redirect_www": _(
        "O destino atende com outro começo do nome, com ou sem www: %(target)s. "
        "Use esse endereço na configuração do webhook."
    ),
    "redirect_moved": _(
        "O destino indica outro endereço: %(target)s. Se for o certo, use-o na configuração do webhook."
    ),
    "redirect_home": _(
        "O destino levou à página inicial do site, %(target)s: em geral, a URL não existe mais. "
        "Copie de novo a URL do webhook de onde ela foi criada."
    ),
    "redirect_loop": _(
        "O destino desvia para este mesmo endereço, sem fim: costuma esperar o cookie de um login. Use a URL que foi "
        "criada para webhooks, ou peça ao responsável que ela responda sem desviar."
    ),
    "redirect_login": _(
        "O destino levou a uma tela de login (%(host)s). A URL precisa receber dados sem login: use a que foi criada "
        "para webhooks, ou torne o acesso público."
    ),
    "redirect_parking": _(
        "O destino levou a uma página de domínio à venda ou suspenso (%(host)s): o domínio ou a hospedagem "
        "pode ter vencido. Avise o responsável pelo destino."
    ),
    "parking_page": _(
        "A página é de um domínio à venda ou de uma hospedagem suspensa: um dos dois pode ter vencido. Avise o "
        "responsável pelo destino."
    ),
    "login_page": _(
        "A página é uma tela de login. A URL precisa receber dados sem login: use a que foi criada para webhooks, "
        "ou torne o acesso público."
    ),
    "crm_key": _(
        "Este é um endereço do %(name)s, que exige uma chave de acesso. Cadastre-a como cabeçalho fixo, na página "
        "Webhook; se já está lá, confira o nome e o valor."
    ),
    "crm_key_in_url": _(
        "Este é um endereço do %(name)s, que leva a chave de acesso na própria URL, e não a aceitou. Copie a URL do "
        "webhook de novo, inteira, de onde ela foi criada."
    ),
    "basic_key": _(
        "O destino pede usuário e senha (autenticação Basic). Cadastre-os como cabeçalho fixo, na página Webhook; se "
        "já estão lá, confira-os."
    ),
    "bearer_key": _(
        "O destino pede uma chave de acesso (Bearer). Cadastre-a como cabeçalho fixo, na página Webhook; se já está "
        "lá, confira-a."
    ),
    "bot_wall": _(
        "Uma proteção contra robôs (%(name)s) barrou o pedido antes de ele chegar ao sistema. Peça ao responsável "
        "pelo destino que libere nela os pedidos do portal a esta URL."
    ),
    "body_too_long": _(
        "Esta entrega tem %(size)s bytes, e o destino aceita menos. Peça ao responsável por ele que aumente "
        "o tamanho aceito (no nginx, client_max_body_size)."
    ),
    "https_wanted": _("Esta porta só atende por https: troque http:// por https:// na URL do webhook."),
    "client_certificate_wanted": _(
        "O destino exige um certificado de cliente (mTLS), que o portal não tem. "
        "Peça ao responsável uma URL para webhooks que não o exija."
    ),
    "host_refused": _(
        "O programa do destino só atende aos nomes que estão na lista dele (ALLOWED_HOSTS no Django, allowedHosts no "
        "Vite): acrescente nela o nome que está na URL."
    ),
    "django_csrf": _(
        "É a proteção CSRF do Django, feita para formulários: no programa do destino, marque a view do webhook "
        "com @csrf_exempt."
    ),
    "php_error": _(
        "O script PHP do destino parou com um erro. A mensagem dele está na resposta: corrija o que ela aponta."
    ),
    "php_warning": _(
        "O script PHP do destino escreveu um aviso na resposta. Corrija o que ele aponta ou desligue a opção "
        "display_errors, e responda apenas OK."
    ),
    "hook_rules": _(
        "O programa “webhook” do destino recebeu o pedido e não executou nada, porque as regras dele (trigger-rule) "
        "não foram satisfeitas. Confira essas regras."
    ),
    "n8n_inactive": _(
        "O n8n diz que este webhook não está registrado: ative o fluxo (“Publish”, nas versões novas) e use a URL de "
        "produção; a de teste só funciona enquanto o editor está escutando."
    ),
    "n8n_method": _(
        "O webhook existe no n8n, mas para outro método: no nó Webhook, escolha POST em “HTTP Method”, e ative o fluxo "
        "de novo."
    ),
    "n8n_no_answer": _(
        "O n8n recebeu o pedido, e o fluxo não tem com que responder: acrescente o nó “Respond to Webhook”, ou escolha "
        "“Immediately” em “Respond”, no nó Webhook."
    ),
    "n8n_unused_answer": _(
        "O fluxo do n8n tem um nó “Respond to Webhook”, e o nó Webhook não o usa: no nó Webhook, escolha em “Respond” "
        "a opção “Using 'Respond to Webhook' Node”, ou apague o outro nó."
    ),
    "n8n_key": _(
        "O nó Webhook do n8n recusou o pedido. Se ele pede autenticação, cadastre como cabeçalho fixo, na página "
        "Webhook, o mesmo nome e valor que estão nele, ou confira-os. Se não pede, desligue nele a opção “Ignore "
        "Bots”, que recusa o portal."
    ),
    "n8n_address": _(
        "O nó Webhook do n8n só aceita pedidos de certos endereços IP: acrescente o do portal na opção “IP(s) "
        "Allowlist”, ou apague essa opção."
    ),
    "queue_full": _(
        "A fila do destino está cheia (no Make, “Queue is full”): ligue o cenário, ou apague da fila o que ele não vai "
        "mais usar. Os dados desta entrega não entraram nela."
    ),
    "flow_off": _(
        "O destino diz que o que está por trás desta URL está desligado (um fluxo, cenário, Zap ou projeto): ligue-o "
        "lá. Depois, reenvie o que falhou sem novas tentativas."
    ),
    "flow_failed": _(
        "O fluxo ou programa do destino começou e parou com um erro, ou sem chegar à resposta: veja no histórico de "
        "execuções dele em que passo foi."
    ),
    "cloudflare_dns": _(
        "O Cloudflare não encontra o servidor do destino: o endereço dele está errado no DNS do domínio. Peça ao "
        "responsável pelo destino que o corrija lá."
    ),
    "flow_private": _(
        "O fluxo do Power Automate só aceita quem entra com uma conta. No gatilho dele, escolha “Qualquer pessoa” "
        "(Anyone) em “Quem pode disparar o fluxo”, e use a URL completa, com o parâmetro sig."
    ),
    "function_private": _(
        "A função na nuvem não é pública: peça ao responsável que permita chamadas sem autenticação (na AWS, “Auth "
        "type: NONE”; no Google Cloud, “Allow unauthenticated”), e que ela confira a assinatura do webhook."
    ),
    "aws_no_route": _(
        "O API Gateway da AWS responde assim quando não existe a rota ou ela não aceita POST: confira o caminho da "
        "URL, com o estágio (como /prod)."
    ),
    "key_wanted": _(
        "O destino pede uma chave de acesso em um cabeçalho. Cadastre-a como cabeçalho fixo, na página Webhook; se já "
        "está lá, confira o nome e o valor."
    ),
    "csrf": _(
        "É uma proteção CSRF, feita para formulários: no programa do destino, isente dela a rota do webhook (no Rails, "
        "skip_forgery_protection; no Odoo, csrf=False; no Spring, ignoringRequestMatchers)."
    ),
    "wordpress_route": _(
        "O WordPress respondeu que esta rota não existe: ative o plugin que a cria, e copie dele a URL de novo."
    ),
    "apps_script_no_post": _(
        "O script do Google não tem a função doPost, ou foi implantado antes de tê-la: acrescente-a e faça uma nova "
        "implantação como app da Web."
    ),
    "apps_script_error": _(
        "O script do Google parou com um erro, que está na resposta: corrija-o e faça uma nova implantação como app da "
        "Web. O que ele fez antes do erro ficou feito."
    ),
    "server_page": _(
        "É a página inicial de um servidor recém-instalado: o programa que deve receber o webhook não está neste "
        "endereço. Confira o domínio e o caminho na URL."
    ),
    "pipedream_page": _(
        "O Pipedream recebeu os dados e respondeu com uma página. No gatilho HTTP, em “HTTP Response”, escolha uma "
        "resposta estática ou do fluxo, com um texto curto, como OK."
    ),
    "app_missing": _(
        "A hospedagem (%(name)s) diz que não há nenhuma aplicação neste endereço: foi apagada, ou mudou de nome. Peça "
        "a URL nova ao responsável pelo destino."
    ),
    "tunnel_closed": _("O túnel (%(name)s) está desligado, ou o programa por trás dele: ligue-os de novo."),
}
