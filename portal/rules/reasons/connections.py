"""The words for what ends a try before the request goes out, or beside HTTP: address, name, connection, TLS."""

from flask_babel import lazy_gettext as _

from portal.rules.reasons.words import Words

_NOTHING_SENT = _("Sem uma conexão, nada chega a ser enviado.")
_NO_ADDRESS = _("Sem o endereço do servidor, nada chega a ser enviado.")
_UNIDENTIFIED = _("O portal não envia dados de contatos a um servidor que não consegue identificar; nada foi enviado.")
_NO_SAFE_CONNECTION = _("Sem uma conexão segura completa, nenhum dado de contato é enviado.")

CONNECTIONS = {
    "invalid_url": Words(
        title=_("URL inválida"),
        seen=_("A URL do webhook não está escrita de um modo que possa ser usado."),
        rule=_("O portal só envia a URLs completas, que começam com https:// ou http://; nada foi enviado."),
        advice=_("Corrija a URL na configuração do webhook: o melhor é copiá-la de novo de onde foi criada."),
    ),
    "blocked_address": Words(
        title=_("Endereço não permitido"),
        seen=_("A URL leva a uma rede interna, ou a uma porta reservada a outros serviços."),
        rule=_("Por segurança, o portal só envia a endereços públicos da internet; nada foi enviado."),
        advice=_(
            "Use a URL pública do destino. Se ele fica na rede da sua empresa, "
            "peça a quem opera o portal que libere essa rede."
        ),
    ),
    "dns_failure": Words(
        title=_("Nome não encontrado"),
        seen=_("O nome do servidor que está na URL não foi encontrado na internet."),
        rule=_NO_ADDRESS,
        advice=_("Confira a URL letra por letra. Se estiver certa, pode ser uma falha passageira da rede."),
    ),
    "dns_unavailable": Words(
        title=_("Serviço de nomes falhou"),
        seen=_(
            "O serviço de nomes (DNS) não conseguiu dizer agora onde fica o servidor do destino. "
            "Isso não quer dizer que o nome não existe."
        ),
        rule=_NO_ADDRESS,
        advice=_(
            "Costuma passar sozinho. Se continuar, quem opera o portal deve conferir a rede e o serviço de nomes (DNS) "
            "da máquina do portal; se só este nome falha, avise o responsável pelo destino."
        ),
    ),
    "dns_timeout": Words(
        title=_("Nome sem resposta"),
        seen=_("A busca do endereço do servidor pelo nome não teve resposta em %(connect)s segundos."),
        rule=_("Esse é o limite da busca, e sem o endereço nada chega a ser enviado."),
        advice=_(
            "Costuma passar sozinho. Se continuar, quem opera o portal deve conferir o serviço de nomes (DNS) "
            "da máquina do portal; se só este nome falha, avise o responsável pelo destino."
        ),
    ),
    "not_connected": Words(
        title=_("Não conectou"),
        seen=_("O servidor do destino não aceitou a conexão em %(connect)s segundos: não houve resposta nenhuma."),
        rule=_("Esse é o limite para conectar, e sem conexão nada chega a ser enviado."),
        advice=_(
            "A causa mais comum é um firewall no caminho: peça ao responsável pelo destino que libere o acesso "
            "a partir do portal. O servidor também pode estar desligado, ou a porta da URL pode ser outra."
        ),
    ),
    "unreachable": Words(
        title=_("Rede sem caminho"),
        seen=_("A rede não encontrou um caminho até o servidor do destino."),
        rule=_NOTHING_SENT,
        advice=_(
            "Um firewall pode estar barrando o acesso, ou a rede do portal ou a do destino está fora do ar. "
            "Se outros envios também falham, quem opera o portal deve conferir a rede dele."
        ),
    ),
    "connection_refused": Words(
        title=_("Conexão recusada"),
        seen=_("O servidor do destino foi encontrado, mas recusou a conexão."),
        rule=_NOTHING_SENT,
        advice=_(
            "O sistema pode estar desligado, reiniciando ou protegido por um firewall: "
            "confira com o responsável pelo destino."
        ),
    ),
    "connection_reset": Words(
        title=_("Conexão cortada"),
        seen=_("A conexão com o servidor do destino foi cortada assim que começou, antes de o pedido sair."),
        rule=_NOTHING_SENT,
        advice=_(
            "Pode ser um firewall ou antivírus no caminho, ou um servidor que só atende a certos endereços: "
            "confira com o responsável pelo destino."
        ),
    ),
    "connection_failed": Words(
        title=_("Conexão falhou"),
        seen=_("A conexão com o destino terminou sem uma resposta da web (HTTP)."),
        rule=_("Sem resposta não há confirmação, por isso o envio conta como falha."),
        advice=_(
            "Pode ser uma falha passageira da rede. Se continuar, confira com o responsável pelo destino; "
            "se a URL começa com http://, esta porta pode ser só de https."
        ),
        leaves_doubt=True,
    ),
    "not_http": Words(
        title=_("Não é serviço web"),
        seen=_(
            "O que atende nesta porta não é um serviço web: respondeu como servidor de outro tipo (SSH, e-mail, FTP)."
        ),
        rule=_("O portal só entrega a serviços web (HTTP), por isso o envio conta como falha."),
        advice=_("Confira o número da porta na URL (depois dos dois-pontos) ou peça a URL certa ao responsável."),
    ),
    "tls_expected": Words(
        title=_("Porta só com https"),
        seen=_("A URL começa com http://, mas nesta porta o destino só fala https."),
        rule=_("O destino não entende um pedido sem a conexão segura, por isso nada foi entregue."),
        advice=_("Troque http:// por https:// na URL do webhook."),
    ),
    "tls_missing": Words(
        title=_("Porta sem https"),
        seen=_("A URL começa com https://, mas nesta porta o destino não fala https."),
        rule=_NO_SAFE_CONNECTION,
        advice=_(
            "Confira a porta na URL: a de https costuma ser a 443, que nem precisa ser escrita. "
            "Se o destino só atende por http, troque https:// por http://, sabendo que os dados vão sem criptografia."
        ),
    ),
    "tls_timeout": Words(
        title=_("Conexão segura parada"),
        seen=_(
            "O servidor do destino aceitou a conexão, mas a conexão segura (https) não ficou pronta "
            "em %(connect)s segundos."
        ),
        rule=_("Esse é o limite para conectar; nada foi enviado."),
        advice=_(
            "Pode ser um firewall ou antivírus que inspeciona o tráfego, uma porta que não é de https, "
            "ou um servidor travado: confira com o responsável pelo destino."
        ),
    ),
    "tls_version": Words(
        title=_("Versão de TLS antiga"),
        seen=_("O servidor do destino só oferece versões antigas e inseguras da conexão segura (TLS 1.0 ou 1.1)."),
        rule=_("O portal exige TLS 1.2 ou mais novo para proteger os dados dos contatos; nada foi enviado."),
        advice=_("Peça ao responsável pelo destino que ative o TLS 1.2 ou 1.3 no servidor."),
    ),
    "tls_refused": Words(
        title=_("Conexão segura recusada"),
        seen=_("O servidor do destino recusou a conexão segura (https) antes de ela ficar pronta."),
        rule=_NO_SAFE_CONNECTION,
        advice=_(
            "Ele pode exigir um certificado de cliente (mTLS), que o portal não tem, não conhecer o nome da URL "
            "ou só aceitar métodos de criptografia antigos: confira com o responsável pelo destino."
        ),
    ),
    "tls_client_certificate": Words(
        title=_("Exige certificado de cliente"),
        seen=_("O servidor do destino exige que o portal apresente um certificado de cliente (mTLS)."),
        rule=_("O portal não tem certificado de cliente; sem ele o destino não lê nenhum pedido, e nada foi entregue."),
        advice=_("Peça ao responsável pelo destino uma URL para webhooks que não exija certificado de cliente."),
    ),
    "tls_expired": Words(
        title=_("Certificado vencido"),
        seen=_("O certificado de segurança (https) do destino, ou um dos que o assinam, está vencido."),
        rule=_UNIDENTIFIED,
        advice=_(
            "Peça ao responsável pelo destino que renove o certificado. Se ele estiver em dia, "
            "quem opera o portal deve conferir a data e a hora da máquina do portal."
        ),
    ),
    "tls_not_yet_valid": Words(
        title=_("Certificado ainda não vale"),
        seen=_("O certificado de segurança (https) do destino só começa a valer em uma data futura."),
        rule=_UNIDENTIFIED,
        advice=_(
            "Quase sempre é um relógio errado: quem opera o portal deve conferir a data e a hora da máquina do portal, "
            "e o responsável pelo destino, as do servidor."
        ),
    ),
    "tls_wrong_name": Words(
        title=_("Certificado de outro nome"),
        seen=_("O certificado de segurança (https) do destino é de outro nome, diferente do que está na URL."),
        rule=_UNIDENTIFIED,
        advice=_(
            "Confira se a URL tem o nome certo, com ou sem www, e não um número de IP. "
            "Se estiver certa, peça ao responsável pelo destino que inclua esse nome no certificado."
        ),
    ),
    "tls_self_signed": Words(
        title=_("Certificado autoassinado"),
        seen=_("O certificado de segurança (https) do destino é autoassinado: nenhuma autoridade responde por ele."),
        rule=_UNIDENTIFIED,
        advice=_(
            "Peça ao responsável pelo destino um certificado de uma autoridade conhecida, como a Let's Encrypt, "
            "que é gratuita. Se o servidor é da sua empresa, quem opera o portal pode aceitar este certificado "
            "com a configuração PORTAL_CA_FILE."
        ),
    ),
    "tls_untrusted": Words(
        title=_("Autoridade não reconhecida"),
        seen=_(
            "O certificado de segurança (https) do destino vem de uma autoridade particular, que o portal não conhece."
        ),
        rule=_UNIDENTIFIED,
        advice=_(
            "Se é a autoridade da sua empresa, peça a quem opera o portal que a acrescente com a configuração "
            "PORTAL_CA_FILE. Se não é, o destino precisa de um certificado de uma autoridade conhecida."
        ),
    ),
    "tls_incomplete_chain": Words(
        title=_("Certificado sem intermediário"),
        seen=_(
            "O servidor do destino enviou o certificado sem os intermediários que o ligam a uma autoridade conhecida."
        ),
        rule=_UNIDENTIFIED,
        advice=_(
            "Peça ao responsável pelo destino que instale o certificado completo (“fullchain”): o Chrome completa o "
            "que falta, e por isso a página abre nele. Se a autoridade é da sua empresa, quem opera o portal pode "
            "acrescentá-la com a configuração PORTAL_CA_FILE."
        ),
    ),
    "tls_failure": Words(
        title=_("Conexão segura falhou"),
        seen=_("A conexão segura (https) com o destino falhou antes de ficar pronta."),
        rule=_NO_SAFE_CONNECTION,
        advice=_(
            "Se não passar sozinho, mostre o detalhe técnico ao responsável pelo destino: "
            "pode ser o certificado do servidor, ou um firewall que interrompe a conexão."
        ),
    ),
}
