"""What each act of the audit log is called, and was about. A test fails for an action that has no words here."""

from collections.abc import Callable, Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.forms.people import ROLE_WORDS
from portal.forms.settings import SCOPE_WORDS
from portal.rules.reasons.answers import WARNING_TITLES
from portal.web.presentation import reason_title

CODES: Mapping[str, Any] = {**ROLE_WORDS, **SCOPE_WORDS, **WARNING_TITLES}

ACTION_WORDS: Mapping[str, Any] = {
    "login.succeeded": _l("Entrou no portal"),
    "login.proxied": _l("Entrou pelo proxy da organização"),
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
    "email.change_asked": _l("Pediu a troca de um e-mail"),
    "email.changed": _l("Trocou um e-mail"),
    "password.refused": _l("Errou a senha atual na própria conta"),
    "second_factor.enabled": _l("Ligou a verificação em duas etapas"),
    "second_factor.codes_made": _l("Gerou códigos de recuperação"),
    "second_factor.removed": _l("Desligou a verificação em duas etapas"),
    "token.created": _l("Criou um token da API"),
    "token.revoked": _l("Revogou um token da API"),
    "webhook.address_checked": _l("Mandou conferir uma URL"),
    "webhook.url_set": _l("Salvou a URL do webhook"),
    "webhook.crm_changed": _l("Disse que o webhook leva a outro CRM: contatos que deixaram de estar em dia"),
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
    "webhook.link_set": _l("Disse como abrir os contatos no CRM"),
    "webhook.link_removed": _l("Tirou o link para o CRM"),
    "chat.set": _l("Salvou o chat que recebe avisos"),
    "chat.removed": _l("Removeu o chat que recebe avisos"),
    "inspector.opened": _l("Criou o endereço de teste do inspetor"),
    "inspector.closed": _l("Apagou o endereço de teste do inspetor"),
    "delivery.resent": _l("Reenviou uma entrega"),
    "deliveries.resent": _l("Reenviou várias entregas"),
    "contacts.classified": _l("Classificou vários contatos"),
    "contacts.assigned": _l("Passou vários contatos a outra pessoa ou campanha"),
    "contacts.imported": _l("Importou contatos"),
    "contacts.import_undone": _l("Desfez uma importação"),
    "contact.exported": _l("Baixou os dados de um contato"),
    "delivery.viewed": _l("Abriu o conteúdo de uma entrega"),
    "company.changed": _l("Mudou o nome ou o fuso horário da empresa"),
    "company.exported": _l("Baixou os dados da empresa"),
    "company.closed": _l("Encerrou a empresa"),
    "company.erased": _l("Apagou os dados de uma empresa encerrada"),
    "retention.changed": _l("Mudou por quanto tempo guardar os dados"),
    "contact.erased": _l("Apagou os dados de um contato"),
    "campaign.changed": _l("Mudou uma campanha"),
    "contact.merged": _l("Uniu dois contatos"),
    "contact.sent": _l("Enviou os dados atuais de um contato"),
    "contacts.synced": _l("Pôs o CRM em dia"),
    "cause.noted": _l("Anotou algo sobre um motivo de falha ou aviso"),
    "warning.settled": _l("Conferiu no CRM um contato recebido com aviso"),
    "warnings.settled": _l("Conferiu no CRM os contatos recebidos com um aviso"),
    "contacts.exported": _l("Baixou a lista de contatos"),
    "report.exported": _l("Baixou o relatório"),
    "deliveries.exported": _l("Baixou o registro de entregas"),
    "backup.made": _l("Fez uma cópia de segurança"),
    "backup.overdue": _l("Notou que falta uma cópia de segurança recente"),
    "backup.told": _l("Avisou por e-mail que falta uma cópia de segurança recente"),
    "backup.restored": _l("Restaurou uma cópia de segurança"),
    "database.moved": _l("Levou o banco de dados do SQLite para o PostgreSQL"),
    "audit.exported": _l("Baixou o registro de auditoria"),
}


def action_words(action: str) -> str:
    """The act in the reader's language; one that has no words any more speaks for itself."""
    return str(ACTION_WORDS.get(action, action))


def subject_words(action: str, subject: str | None) -> str:
    """What the act was about: roles, scopes and reasons are called as the other pages call them."""
    say = SUBJECTS.get(action)
    return say(subject) if say and subject else subject or ""


def word_of(code: str) -> str:
    """A role, a scope, a warning or a reason in words; what is none of them stays as it is."""
    return str(CODES[code]) if code in CODES else reason_title(code)


def _invited(subject: str) -> str:
    email, _colon, role = subject.rpartition(": ")
    return f"{email}: {word_of(role)}"


def _new_role(subject: str) -> str:
    email, _colon, roles = subject.rpartition(": ")
    return f"{email}: {' → '.join(map(word_of, roles.split(' -> ')))}"


def _new_token(subject: str) -> str:
    before, comma, scope = subject.removesuffix(")").rpartition(", ")
    return f"{before}{comma}{word_of(scope)})" if comma and scope in SCOPE_WORDS else subject


def _settled(subject: str) -> str:
    number, _space, warning = subject.partition(" ")
    return f"{word_of(warning)} ({number})"


def _noted(subject: str) -> str:
    cause, _colon, text = subject.partition(": ")
    return f"{word_of(cause)}: {text}"


def _kept(subject: str) -> str:
    bodies, log, entries = subject.split(", ")
    facts = {"bodies": bodies, "log": log, "entries": entries}
    return str(_("conteúdos %(bodies)s dias, registro %(log)s, auditoria %(entries)s", **facts))


# Acts whose subject holds codes, each with what reads the subject as it is recorded.
SUBJECTS: Mapping[str, Callable[[str], str]] = {
    "user.invited": _invited,
    "user.role_changed": _new_role,
    "token.created": _new_token,
    "webhook.failing": reason_title,
    "webhook.stopped": reason_title,
    "cause.noted": _noted,
    "warnings.settled": _settled,
    "retention.changed": _kept,
}
