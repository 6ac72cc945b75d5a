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
    """The company made all the tests that a minute allows."""

    code = "too_many_tests"
    words = _l("São no máximo %(max)d testes por minuto. Espere um pouco.")

    def __init__(self, most: int, *, wait_seconds: int) -> None:
        super().__init__(most)
        self.most, self.wait_seconds = most, wait_seconds

    @property
    def sentence(self) -> str:
        return super().sentence % {"max": self.most}


class TestFailed(Refusal):
    """Sending is not resumed, since the test of the address did not arrive. `message` says what came of it."""

    code = "test_failed"
    words = _l("O teste não deu certo, por isso o envio continua parado.")

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
