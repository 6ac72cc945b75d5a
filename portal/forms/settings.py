"""A company's settings: the webhook, how long data is kept, tokens of the API."""

from collections.abc import Sequence
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import NumberRange

from portal.forms.fields import any_text, at_most, required, strip, timezone_choices
from portal.forms.people import ROLE_WORDS
from portal.models import User

MOST_DAYS = 3650


class CompanyForm(FlaskForm):
    name = StringField(_l("Nome da empresa"), [required, at_most(200)], filters=[strip])
    timezone = SelectField(
        _l("Fuso horário"),
        choices=timezone_choices(),
        description=_l("Em que vão as datas para o CRM, e os horários de quem não escolheu outro na própria conta."),
    )


class WebhookForm(FlaskForm):
    url = StringField(
        _l("URL de destino"),
        [required, at_most(4000)],
        filters=[strip],
        description=_l("O endereço que o seu CRM ou a sua automação criou para receber webhooks."),
        render_kw={"inputmode": "url", "autocomplete": "off", "spellcheck": "false", "placeholder": "https://"},
    )


def days_field(label: Any, description: Any) -> IntegerField:
    return IntegerField(
        label,
        [any_text, NumberRange(1, MOST_DAYS, _l("São de %(min)d a %(max)d dias."))],
        description=description,
        render_kw={"inputmode": "numeric"},
    )


class RetentionForm(FlaskForm):
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


class TokenForm(FlaskForm):
    label = StringField(
        _l("Para que serve"),
        [required, at_most(100)],
        filters=[strip],
        description=_l("Um nome para reconhecer o token depois, como “n8n” ou “planilha do financeiro”."),
        render_kw={"autocomplete": "off"},
    )
    user = SelectField(
        _l("Em nome de quem"),
        coerce=int,
        description=_l("O token pode o mesmo que esta pessoa, e o que ele fizer fica registrado em nome dela."),
    )

    def offer(self, people: Sequence[User]) -> None:
        """The people who may log in."""
        self.user.choices = [SelectChoice(each.id, f"{each.name}, {ROLE_WORDS[each.role or '']}") for each in people]
