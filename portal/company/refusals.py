"""What the room refuses to do, and the sentence about it: the same on pages, in the API and in a terminal."""

from flask_babel import lazy_gettext as _l

from portal.webhook import Outcome


class Refusal(Exception):
    """An act that was not done. `code` is stable; nothing was changed."""

    code: str
    words: str

    @property
    def sentence(self) -> str:
        """Why, in the reader's language."""
        return str(self.words)


class NoAddress(Refusal):
    """The company has no address to send to."""

    code = "webhook_unset"
    words = _l("Nenhuma URL de destino está configurada. Configure o webhook primeiro.")


class TooManyTests(Refusal):
    """The company had as many addresses looked at as a minute allows."""

    code = "too_many_tests"

    def __init__(self, most: int, *, wait_seconds: int) -> None:
        super().__init__(most)
        self.wait_seconds = wait_seconds
        self.words = _l(
            "Em um minuto, uma empresa pode salvar, testar e retomar URLs %(max)d vezes ao todo. Espere um pouco.",
            max=most,
        )


class NotDelivered(Refusal):
    """Sending is not resumed, since the test of the address did not arrive. `message` says what came of it."""

    code = "test_failed"
    words = _l("O teste não deu certo: o envio continua como estava.")

    def __init__(self, webhook_id: str, outcome: Outcome, message: str) -> None:
        super().__init__(webhook_id)
        self.webhook_id, self.outcome, self.message = webhook_id, outcome, message

    @property
    def sentence(self) -> str:
        return f"{super().sentence} {self.message}"


class ChangedMeanwhile(Refusal):
    """Somebody set another address, or paused, while the test was on its way: it says nothing about that."""

    code = "conflict"
    words = _l("A configuração do webhook mudou durante o teste, por isso nada foi retomado. Confira e tente de novo.")


class HeaderRefused(Refusal):
    """A fixed header that is not sent. `part` is `name`, `value` or `user`; `problem` a stable code."""

    code = "invalid_header"

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(problem)
        self.part, self.problem, self.words = part, problem, HEADER_SENTENCES[problem]


HEADER_SENTENCES = {
    "required": _l("Falta o nome, o usuário ou o valor do cabeçalho."),
    "not_a_header_name": _l("O nome do cabeçalho só pode ter letras sem acento, números e hífens, como X-Api-Key."),
    "reserved_header": _l("Este cabeçalho já é definido pelo próprio envio e não pode ser trocado."),
    "too_long": _l("O valor do cabeçalho é longo demais: são no máximo 4096 caracteres."),
    "not_a_header_value": _l(
        "O valor do cabeçalho só pode ter letras sem acento, números e sinais, em uma linha. Copie-o de novo."
    ),
    "colon": _l("O usuário não pode ter dois-pontos."),
    "no_address": _l("Um cabeçalho vai sempre com uma URL: sem URL, não há para onde enviá-lo."),
}
