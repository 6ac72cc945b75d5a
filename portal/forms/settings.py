"""A company's settings: the webhook, how long data is kept, tokens of the API."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, IntegerField, PasswordField, SelectField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import NumberRange, Optional

from portal.company.header import HeaderChoice, basic_header, bearer_header, read_header
from portal.forms.fields import TimezoneField, any_text, line_field, url_field
from portal.forms.opened import OpenedForm
from portal.forms.people import ROLE_WORDS, current_password_field
from portal.models import User

MOST_DAYS = 3650


def typed_field(label: Any) -> StringField:
    return StringField(label, render_kw={"autocomplete": "off", "spellcheck": "false"})


class CompanyForm(OpenedForm):
    name = line_field(_l("Nome da empresa"), 200)
    timezone = TimezoneField(
        _l("Fuso horário"),
        [any_text],
        description=_l(
            "O fuso das datas que vão para o CRM, e dos horários de quem não escolheu outro na própria conta. Para "
            "mudar, apague e digite o nome da cidade."
        ),
    )


class CloseForm(FlaskForm):
    name = line_field(_l("Nome da empresa"), 200, description=_l("Digite-o como está acima."), autocomplete="off")
    current = current_password_field()


HEADER_KINDS = [
    SelectChoice("none", _l("Nenhum")),
    SelectChoice("bearer", _l("Authorization: Bearer (token)")),
    SelectChoice("basic", _l("Authorization: Basic (usuário e senha)")),
    SelectChoice("other", _l("Outro, como X-Api-Key")),
]


class WebhookForm(OpenedForm):
    url = url_field(
        _l("URL de destino"),
        4000,
        description=_l("O endereço que o seu CRM ou a sua automação criou para receber webhooks."),
    )
    header_kind = SelectField(_l("Cabeçalho fixo"), choices=HEADER_KINDS, validate_choice=False)
    header_name = typed_field(_l("Nome do cabeçalho"))
    header_user = typed_field(_l("Usuário"))
    header_value = PasswordField(
        _l("Valor, token ou senha"),
        render_kw={"autocomplete": "new-password", "spellcheck": "false"},
        description=_l("Fica guardado com criptografia e não aparece mais em nenhuma tela."),
    )

    def tell_changed(self, name: str, value: Any) -> None:
        """Say of the fixed header, whose value nobody sees again, only that it is another."""
        if name == "header_kind":
            self.header_value.errors = [
                _(
                    "Depois que você abriu esta página, alguém mudou o cabeçalho fixo. Para trocar pelo seu, salve de "
                    "novo."
                )
            ]
        else:
            super().tell_changed(name, value)

    def offer_saved(self, name: str) -> None:
        """Offer the saved header too; nothing of its value is shown."""
        self.header_kind.choices = [SelectChoice("saved", _("O que está salvo: %(name)s", name=name)), *HEADER_KINDS]

    def ask_again(self, name: str, shown: str) -> None:
        """Choose the kind of a header that was typed for a test, so that its value is asked for when it is saved."""
        kinds = {"Bearer": "bearer", "Basic": "basic"} if name == "Authorization" else {}
        self.header_kind.data, self.header_name.data = kinds.get(shown.partition(" ")[0], "other"), name

    def header(self) -> HeaderChoice:
        """The header that the form asks for. Raises HeaderRefused."""
        kind, value = self.header_kind.data, self.header_value.data or ""
        if kind == "bearer":
            return bearer_header(value)
        if kind == "basic":
            return basic_header(self.header_user.data or "", value)
        if kind == "other":
            return read_header(self.header_name.data or "", value)
        return None if kind == "none" else "saved"


class ChatForm(FlaskForm):
    url = url_field(
        _l("Endereço do chat"),
        2000,
        description=_l("A URL que o chat mostra quando você cria nele um webhook de entrada (incoming webhook)."),
    )


def days_field(label: Any, description: Any) -> IntegerField:
    return IntegerField(
        label,
        [any_text, NumberRange(1, MOST_DAYS, _l("São de %(min)d a %(max)d dias."))],
        description=description,
        render_kw={"inputmode": "numeric"},
    )


class RetentionForm(OpenedForm):
    keep_bodies_days = days_field(
        _l("Conteúdos e respostas, em dias"),
        _l("O que foi enviado e o que o CRM respondeu. Depois disso uma entrega não pode mais ser reenviada."),
    )
    keep_log_days = days_field(
        _l("Registro de entregas, em dias"), _l("Quando, para onde e com que resultado, sem o conteúdo.")
    )
    keep_audit_days = days_field(_l("Auditoria, em dias"), _l("Quem fez o quê no portal."))

    def validate_keep_log_days(self, field: IntegerField) -> None:
        if field.data and self.keep_bodies_days.data and field.data < self.keep_bodies_days.data:
            raise ValidationError(_l("O registro não pode durar menos do que os conteúdos que estão nele."))

    def agrees_with(self, saved: Mapping[str, Any]) -> bool:
        """The same, where what comes of both is in order, too."""
        if not super().agrees_with(saved):
            return False
        try:
            self.validate_keep_log_days(self.keep_log_days)
        except ValidationError as error:
            self.keep_log_days.errors = [*self.keep_log_days.errors, *error.args]
        return not self.keep_log_days.errors


SCOPE_WORDS: Mapping[str, Any] = {
    "read": _l("Ler"),
    "classify": _l("Ler, e mudar contatos e níveis"),
    "manage": _l("Tudo o que a pessoa pode"),
}


class TokenForm(FlaskForm):
    label = line_field(
        _l("Para que serve"),
        100,
        description=_l("Um nome para reconhecer o token depois, como “n8n” ou “planilha do financeiro”."),
        autocomplete="off",
    )
    user = SelectField(
        _l("Em nome de quem"),
        coerce=int,
        description=_l("O token pode o mesmo que esta pessoa, e o que ele fizer fica registrado em nome dela."),
    )

    scope = SelectField(_l("O que pode fazer"), choices=[SelectChoice(*each) for each in SCOPE_WORDS.items()])
    last_day = DateField(
        _l("Último dia"), [Optional()], description=_l("Depois deste dia o token não vale mais. Vazio: sem fim.")
    )

    def offer(self, people: Sequence[User]) -> None:
        """The people who may log in."""
        words = "{0.name} ({0.email}), {1}"
        self.user.choices = [SelectChoice(each.id, words.format(each, ROLE_WORDS[each.role or ""])) for each in people]
