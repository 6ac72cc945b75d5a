"""Why a notice did not arrive, in the reader's language. What a server said stays as it said it."""

from flask_babel import gettext as _

from portal.notices.chat import UNREADABLE
from portal.rules.reasons import WORDS, title_of

NO_SUCH_CHAT = ("301", "302", "307", "308", "401", "403", "404", "410")
"""What chats answer at an address that they made no more, or made for something else."""


def explain_error(error: str) -> str:
    """What a MailError or ChatError says, which may have been stored meanwhile."""
    code, _colon, detail = error.partition(": ")
    if code in WORDS:
        return f"{title_of(code)}. {_('Detalhe técnico: %(detail)s.', detail=detail.rstrip('.'))}"
    return str(_("A resposta foi: “%(answer)s”.", answer=error))


def explain_chat_error(error: str) -> str:
    """The same of a ChatError, with what to do where another address helps."""
    if error == UNREADABLE:
        return str(_("O endereço guardado não pode mais ser lido: salve-o de novo."))
    is_gone = error[:3] in NO_SUCH_CHAT
    advice = _("O endereço pode ter sido apagado no chat: crie outro lá e salve-o aqui.") if is_gone else ""
    return f"{explain_error(error)} {advice}".strip()
