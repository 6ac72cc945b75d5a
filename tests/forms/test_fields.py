"""What each field takes: of a text as much as its column holds and not one character more, and nothing where it may."""

import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask_wtf import FlaskForm
from wtforms import Field, FieldList, Form, FormField, PasswordField, SelectField, StringField

from portal.contacts.items import MAX_TEXT, TEXT_FIELDS
from portal.contacts.notes import MAX_NOTE
from portal.forms import contacts, people, settings
from portal.forms.fields import TimezoneField
from portal.forms.opened import OpenedForm
from portal.models import ApiToken, Campaign, Company, Contact, Message, User

COLUMNS: Mapping[str, Any] = {
    **{f"ContactForm.{name}": getattr(Contact, name) for name in TEXT_FIELDS},
    "MessageForm.sender_name": Message.sender_name,
    **dict.fromkeys(("ContactForm.campaign", "CampaignForm.name"), Campaign.name),
    **dict.fromkeys(("SetUpForm.company", "CompanyForm.name", "CloseForm.name"), Company.name),
    **dict.fromkeys(("SetUpForm.name", "InvitationForm.name", "ProfileForm.name"), User.name),
    **dict.fromkeys((f"{form}.email" for form in ("SetUpForm", "InvitationForm", "ChangeEmailForm")), User.email),
    **dict.fromkeys((f"{form}.email" for form in ("LogInForm", "ForgottenForm", "OtherEmailForm")), User.email),
    "TokenForm.label": ApiToken.label,
}
"""Where the text of a field goes."""
LENGTHS = {name: column.type.length for name, column in COLUMNS.items()} | {
    "MessageForm.message": MAX_TEXT,
    "CampaignForm.description": MAX_TEXT,
    "NoteForm.text": MAX_NOTE,
    **dict.fromkeys(("CodeForm.code", "TurnOnForm.code"), 40),
    "WebhookForm.url": 4000,
    "ChatForm.url": 2000,
}
ELSEWHERE = {
    *("ContactForm.skills", "ContactForm.experiences"),
    *("WebhookForm.header_name", "WebhookForm.header_user"),
}
"""Texts that are judged by who saves them."""
MAY_BE_EMPTY = {
    *(f"ContactForm.{name}" for name in (*TEXT_FIELDS, "skills", "experiences") if name != "name"),
    *(f"ContactForm.{name}" for name in ("invite_date", "accept_date", "collect_date", "reply_date")),
    *(f"MessageForm.{name}" for name in ("sender_name", "date", "message", "pending")),
    *("CampaignForm.description", "NoteForm.text", "ProfileForm.timezone", "TokenForm.last_day"),
    *("InvitationForm.role", "RoleForm.role"),  # a member's, where nobody says another
    *(f"WebhookForm.{name}" for name in ("header_kind", "header_name", "header_user", "header_value")),
}


EVERY_CODE, EVERY_ADDRESS = "CodeForm.code TurnOnForm.code", "WebhookForm.url ChatForm.url"
NEW_PASSWORDS = "SetUpForm.password NewPasswordForm.password ChangePasswordForm.password"
TOLD_BROWSERS: Mapping[str, Mapping[Any, str]] = {
    "autocomplete": {
        "username": "LogInForm.email ForgottenForm.email SetUpForm.email",
        "current-password": "LogInForm.password ChangePasswordForm.current ChangeEmailForm.current TurnOnForm.current "
        "TurnOffForm.current CloseForm.current",
        "new-password": f"{NEW_PASSWORDS} WebhookForm.header_value",
        "one-time-code": EVERY_CODE,
        "name": "SetUpForm.name ProfileForm.name",
        "email": "ChangeEmailForm.email",
        "organization": "SetUpForm.company",
        "off": "InvitationForm.name InvitationForm.email OtherEmailForm.email CloseForm.name TokenForm.label "
        f"WebhookForm.header_name WebhookForm.header_user {EVERY_ADDRESS}",
    },
    "inputmode": {
        "url": f"ContactForm.current_company_link {EVERY_ADDRESS}",
        "tel": "ContactForm.phone",
        "numeric": f"{EVERY_CODE} RetentionForm.keep_bodies_days RetentionForm.keep_log_days "
        "RetentionForm.keep_audit_days",
    },
    "spellcheck": {
        "false": f"{EVERY_CODE} {EVERY_ADDRESS} WebhookForm.header_name WebhookForm.header_user "
        "WebhookForm.header_value"
    },
    "placeholder": {
        "https://": EVERY_ADDRESS,
        "maria-silva": "ContactForm.linkedin_public_id",
        "O da empresa": "ProfileForm.timezone",
    },
    "autofocus": {"True": "LogInForm.email CodeForm.code"},
    "list": {"campanhas": "ContactForm.campaign"},
    "minlength": {"8": NEW_PASSWORDS},
    "maxlength": {"128": NEW_PASSWORDS},
    "step": {
        "1": "ContactForm.invite_date ContactForm.accept_date ContactForm.collect_date ContactForm.reply_date "
        "MessageForm.date"
    },
}
"""What somebody else's password, a code or an address of a machine must not be filled with, corrected or cut."""


def forms() -> list[type[Form]]:
    found = [each for module in (contacts, people, settings) for _, each in inspect.getmembers(module, inspect.isclass)]
    return [
        each for each in dict.fromkeys(found) if issubclass(each, Form) and each not in (Form, FlaskForm, OpenedForm)
    ]


def fields(app: Flask, form: type[Form], **given: str) -> dict[str, Field]:
    """The form's fields, judged, with what was typed."""
    more = {"meta": {"csrf": False}} if issubclass(form, FlaskForm) else {}
    with app.test_request_context(method="POST", data=given):
        made = form(**more) if more else form(data=None)
        made.process(formdata=_Given(given))
        for field in made:
            if isinstance(field, SelectField) and field.choices is None:
                field.choices = []
        made.validate()
        return {f"{form.__name__}.{name}": field for name, field in made._fields.items()}


class _Given(dict[str, str]):
    def getlist(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


def is_text(field: Field) -> bool:
    return isinstance(field, StringField) and not isinstance(field, PasswordField | TimezoneField)


@pytest.fixture
def all_fields(app: Flask) -> dict[str, Field]:
    """Every field of every form, when nothing was typed."""
    found = {name: field for form in forms() for name, field in fields(app, form).items()}
    typed = {name: field for name, field in found.items() if not name.endswith(".opened")}
    return {name: field for name, field in typed.items() if not isinstance(field, FieldList | FormField)}


def test_every_text_has_its_length(app: Flask, all_fields: dict[str, Field]) -> None:
    assert {name for name, field in all_fields.items() if is_text(field)} == LENGTHS.keys() | ELSEWHERE
    for form in forms():
        names = [name for name in LENGTHS if name.startswith(f"{form.__name__}.")]
        for more, is_taken in ((0, True), (1, False)):
            typed = {name.partition(".")[2]: "x" * (LENGTHS[name] + more) for name in names}
            judged = fields(app, form, **typed)
            assert {name: not judged[name].errors for name in names} == dict.fromkeys(names, is_taken)


def test_a_text_is_taken_without_the_spaces_around_it(app: Flask) -> None:
    for form in forms():
        names = [name for name in LENGTHS if name.startswith(f"{form.__name__}.")]
        judged = fields(app, form, **{name.partition(".")[2]: "  x y \r\n" for name in names})
        assert {name: judged[name].data for name in names} == dict.fromkeys(names, "x y")


@pytest.mark.parametrize(
    ("typed", "line"),
    [("Vendas", 0), ("Vendas; 3\nRedes;", 0), ("Vendas; 3\nRedes; x", 2), ("Vendas; -1", 1), ("Vendas; ٣", 1)],
)
def test_a_skill_s_count_is_a_number_and_its_line_is_named(app: Flask, typed: str, line: int) -> None:
    field = fields(app, contacts.ContactForm, skills=typed)["ContactForm.skills"]
    wrong = [f"Linha {line}: depois do ponto e vírgula vai um número."]
    assert [str(error) for error in field.errors] == (wrong if line else [])


@pytest.mark.parametrize("typed", ["2026-03-10T09:00", "2026-03-10T09:00:05"])
def test_a_time_is_taken_as_browsers_send_it_with_seconds_or_without(app: Flask, typed: str) -> None:
    judged = fields(app, contacts.ContactForm, invite_date=typed)
    assert judged["ContactForm.invite_date"].data == datetime.fromisoformat(typed)


def test_what_must_be_filled_says_so(all_fields: dict[str, Field]) -> None:
    assert {name for name, field in all_fields.items() if not field.errors} == MAY_BE_EMPTY
    other = {name for name, field in all_fields.items() if {*map(str, field.errors)} - {"Preencha este campo."}}
    assert other == {"ContactForm.owner", "ProfileForm.language", "TokenForm.scope", "TokenForm.user"}, "choices"


def test_browsers_and_phones_are_told_what_a_field_is_for(app: Flask, all_fields: dict[str, Field]) -> None:
    told: dict[str, dict[str, set[str]]] = {name: {} for name in TOLD_BROWSERS}
    for name, field in all_fields.items():
        for key, value in (field.render_kw or {}).items():
            told[key].setdefault(str(value), set()).add(name)
    assert told == {key: {value: {*names.split()} for value, names in of.items()} for key, of in TOLD_BROWSERS.items()}


@pytest.mark.parametrize(
    ("bodies", "log", "audit", "wrong"),
    [
        (1, 1, 1, ""),
        (30, 30, 1, ""),
        (3650, 3650, 3650, ""),
        (30, 29, 30, "keep_log_days"),
        (0, 30, 30, "keep_bodies_days"),
        (3651, 3650, 3650, "keep_bodies_days keep_log_days"),
        (1, 3651, 1, "keep_log_days"),
        (1, 1, 0, "keep_audit_days"),
        (1, 1, 3651, "keep_audit_days"),
    ],
)
def test_data_are_kept_for_a_day_to_ten_years_and_no_longer_than_their_log(
    app: Flask, bodies: int, log: int, audit: int, wrong: str
) -> None:
    days = {"keep_bodies_days": bodies, "keep_log_days": log, "keep_audit_days": audit}
    judged = fields(app, settings.RetentionForm, **{name: str(number) for name, number in days.items()})
    assert [name.partition(".")[2] for name, field in judged.items() if field.errors] == wrong.split()
