"""What the words of one reason are made of."""

from dataclasses import dataclass

from flask_babel import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class Words:
    """Texts of one reason, not yet translated; `%(status)s`, `%(connect)s` and `%(seconds)s` may stand in them."""

    title: str
    seen: str
    rule: str
    advice: str
    leaves_doubt: bool = False  # whether the receiver may have got a request of which we know only that it was sent


MAY_HAVE_ARRIVED = _(
    "O pedido já tinha sido enviado, então o CRM pode ter recebido os dados: "
    "um novo envio leva a mesma identificação e o mesmo conteúdo."
)
