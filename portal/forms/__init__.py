"""What people type into pages: the fields, and what is wrong with them in the reader's language."""

from portal.forms.causes import NoteForm
from portal.forms.contacts import ContactForm
from portal.forms.fields import text_of
from portal.forms.people import (
    ACCOUNT_WORDS,
    ROLE_WORDS,
    ChangeEmailForm,
    ChangePasswordForm,
    CodeForm,
    ForgottenForm,
    InvitationForm,
    LogInForm,
    NewPasswordForm,
    OtherEmailForm,
    ProfileForm,
    RoleForm,
    SetUpForm,
    TurnOffForm,
    TurnOnForm,
)
from portal.forms.settings import SCOPE_WORDS, ChatForm, CloseForm, CompanyForm, RetentionForm, TokenForm, WebhookForm

__all__ = [
    "ACCOUNT_WORDS",
    "ROLE_WORDS",
    "SCOPE_WORDS",
    "ChangeEmailForm",
    "ChangePasswordForm",
    "ChatForm",
    "CloseForm",
    "CodeForm",
    "CompanyForm",
    "ContactForm",
    "ForgottenForm",
    "InvitationForm",
    "LogInForm",
    "NewPasswordForm",
    "NoteForm",
    "OtherEmailForm",
    "ProfileForm",
    "RetentionForm",
    "RoleForm",
    "SetUpForm",
    "TokenForm",
    "TurnOffForm",
    "TurnOnForm",
    "WebhookForm",
    "text_of",
]
