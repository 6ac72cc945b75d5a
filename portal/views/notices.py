"""Notices by e-mail, on the webhook's page: who gets them, whether they can be sent, and a trial."""

from dataclasses import dataclass

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.database.db import db
from portal.mail import MailError
from portal.models import Endpoint
from portal.notices import post, recipients_of, write_trial
from portal.runtime import runtime
from portal.web import access
from portal.web.redirects import see_other

bp = Blueprint("notices", __name__, url_prefix="/notices")


@dataclass(frozen=True)
class MailFacts:
    """What the page shows: whether there is a mail server, who gets notices, and why the last was not sent."""

    is_configured: bool
    recipients: tuple[str, ...]
    error: str | None


def facts_of(endpoint: Endpoint) -> MailFacts:
    is_configured = runtime().settings.smtp_url is not None
    return MailFacts(is_configured, recipients_of(db.session, endpoint.company_id), endpoint.notice_error)


@bp.post("/test")
@access.admin
def test() -> ResponseReturnValue:
    """Mail a trial to the reader, the way notices go."""
    settings, recipient = runtime().settings, current_user.email
    letter = write_trial(current_user.company, recipient)
    db.session.rollback()  # a mail server may be slow: no transaction waits for it
    if settings.smtp_url is None or settings.mail_from is None:
        flash(_("Nenhum servidor de e-mail está configurado."), "error")
        return see_other(url_for("webhook.index"))
    try:
        post(letter, server=settings.smtp_url, sender=settings.mail_from)
    except MailError as error:
        flash(_("O servidor de e-mail não aceitou a mensagem: %(error)s", error=error), "error")
    else:
        flash(_("Enviamos um e-mail de teste a %(email)s.", email=recipient), "success")
    return see_other(url_for("webhook.index"))
