"""What each act of the audit log is called. A test fails for an action in the code that has no words here."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

ACTION_WORDS: Mapping[str, Any] = {
    "login.succeeded": _l("Entrou no portal"),
    "login.recovered": _l("Entrou com um código de recuperação"),
    "login.failed": _l("Errou a senha ao entrar"),
    "login.code_refused": _l("Errou o código ao entrar"),
    "access.denied": _l("Tentou abrir uma página de administradores"),
    "company.created": _l("Criou a empresa"),
    "user.added": _l("Deu acesso a uma pessoa"),
    "user.invited": _l("Convidou uma pessoa"),
    "user.role_changed": _l("Mudou o papel de uma pessoa"),
    "user.disabled": _l("Desativou o acesso de uma pessoa"),
    "user.enabled": _l("Reativou o acesso de uma pessoa"),
    "invitation.issued": _l("Criou um link de convite"),
    "invitation.accepted": _l("Aceitou o convite"),
    "reset.issued": _l("Criou um link para senha nova"),
    "reset.requested": _l("Pediu um link para senha nova"),
    "password.reset": _l("Trocou a senha por um link"),
    "password.changed": _l("Trocou a própria senha"),
    "password.refused": _l("Errou a senha atual na própria conta"),
    "second_factor.enabled": _l("Ligou a verificação em duas etapas"),
    "second_factor.codes_made": _l("Gerou códigos de recuperação"),
    "second_factor.removed": _l("Desligou a verificação em duas etapas"),
    "token.created": _l("Criou um token da API"),
    "token.revoked": _l("Revogou um token da API"),
    "webhook.address_checked": _l("Mandou conferir uma URL"),
    "webhook.url_set": _l("Salvou a URL do webhook"),
    "webhook.url_removed": _l("Removeu a URL do webhook"),
    "webhook.header_set": _l("Salvou o cabeçalho fixo do webhook"),
    "webhook.header_removed": _l("Removeu o cabeçalho fixo do webhook"),
    "webhook.paused": _l("Pausou o envio"),
    "webhook.failing": _l("Viu que o destino não recebe"),
    "webhook.stopped": _l("Parou de enviar sozinho"),
    "webhook.recovered": _l("Viu o destino receber de novo"),
    "webhook.resumed": _l("Retomou o envio"),
    "webhook.secret_shown": _l("Viu o segredo de assinatura"),
    "webhook.secret_rotated": _l("Trocou o segredo de assinatura"),
    "inspector.opened": _l("Criou o endereço de teste do inspetor"),
    "inspector.closed": _l("Apagou o endereço de teste do inspetor"),
    "delivery.resent": _l("Reenviou uma entrega"),
    "deliveries.resent": _l("Reenviou várias entregas"),
    "contacts.classified": _l("Classificou vários contatos"),
    "contacts.imported": _l("Importou contatos"),
    "contacts.import_undone": _l("Desfez uma importação"),
    "contact.exported": _l("Baixou os dados de um contato"),
    "delivery.viewed": _l("Abriu o conteúdo de uma entrega"),
    "company.changed": _l("Mudou o nome ou o fuso horário da empresa"),
    "retention.changed": _l("Mudou por quanto tempo guardar os dados"),
    "contact.erased": _l("Apagou os dados de um contato"),
    "campaign.changed": _l("Mudou uma campanha"),
    "contact.merged": _l("Uniu dois contatos"),
    "contact.sent": _l("Enviou os dados atuais de um contato"),
    "contacts.synced": _l("Pôs o CRM em dia"),
    "warning.settled": _l("Conferiu no CRM um contato recebido com aviso"),
    "warnings.settled": _l("Conferiu no CRM os contatos recebidos com um aviso"),
    "contacts.exported": _l("Baixou a lista de contatos"),
    "deliveries.exported": _l("Baixou o registro de entregas"),
    "backup.made": _l("Fez uma cópia de segurança"),
    "backup.overdue": _l("Avisou que falta uma cópia de segurança recente"),
    "backup.restored": _l("Restaurou uma cópia de segurança"),
    "database.moved": _l("Levou o banco de dados do SQLite para o PostgreSQL"),
    "audit.exported": _l("Baixou o registro de auditoria"),
}


def action_words(action: str) -> str:
    """The act in the reader's language; one that has no words any more speaks for itself."""
    return str(ACTION_WORDS.get(action, action))
