"""One-time links by e-mail: sent to whom an admin invites, and to whoever forgot the password."""

import logging
import threading
from collections.abc import Callable

from flask import Flask, Response, current_app, flash, request
from flask_babel import gettext as _

from portal.database.db import db
from portal.i18n import speaking
from portal.mail import MailError
from portal.models import User
from portal.notices.letters import Letter
from portal.notices.telling import explain_error, post
from portal.people import links
from portal.runtime import runtime, this_app

# How many mails to people who forgot their password may be on their way at a time. Further requests are dropped.
MAX_SENDERS = 4

_senders = threading.BoundedSemaphore(MAX_SENDERS)
logger = logging.getLogger(__name__)


def link_to(view_name: str, token: str) -> str:
    """The whole address of the page that this token opens, under the portal's own name when one is configured."""
    path = current_app.url_map.bind("portal").build(view_name, {"token": token})
    return (runtime().settings.base_url or request.url_root.rstrip("/")) + path


def is_possible() -> bool:
    """Whether a link can be mailed to whoever is not logged in: that takes a mail server, and an address of our own."""
    settings = runtime().settings
    return bool(settings.smtp_url and settings.base_url)


def mail_shown_link(user: User, link: str, *, email: str | None) -> None:
    """Mail the link that an admin is shown, when there is a mail server; the page says whether it went.

    `email` is the one that the link confirms.
    """
    if runtime().settings.smtp_url is None:
        return
    purpose = "email" if email else "reset" if user.password_hash else "invitation"
    recipient = email or user.email
    try:
        send_link(user, link, purpose=purpose, recipient=recipient)
    except MailError as error:
        reason = explain_error(str(error))
        flash(_("O e-mail não foi enviado. %(reason)s Entregue o link você mesmo.", reason=reason), "error")
    else:
        flash(_("Enviamos o link também a %(email)s.", email=recipient), "success")


def mail_reset_after(answer: Response, email: str, *, ip: str) -> None:
    """Once the answer is out, mail a link for a new password to whoever logs in with this address.

    Nobody can tell from the answer, or from the time it takes, whether somebody does.
    """
    app = this_app()
    answer.call_on_close(lambda: _start_sender(app, email, ip))


def _start_sender(app: Flask, email: str, ip: str) -> None:
    if not _senders.acquire(blocking=False):
        logger.warning("Too many links are being mailed; one was not.", extra={"action": "reset_mail_dropped"})
        return
    threading.Thread(target=_mail_reset, args=(app, email, ip), name="reset mail", daemon=True).start()


def _mail_reset(app: Flask, email: str, ip: str) -> None:
    try:
        with app.app_context():
            asked = links.request_reset(db.session, email, ip=ip)
            db.session.commit()
            if asked is None:
                return
            user, token = asked
            send_link(user, link_to("auth.reset", token), purpose="reset", recipient=user.email)
    except MailError as error:
        logger.warning("A link was not mailed: %s", error, extra={"action": "reset_mail_failed"})
    except Exception:  # there is nobody to raise it to: the log says it
        logger.exception("A link was not mailed.", extra={"action": "reset_mail_failed"})
    finally:
        _senders.release()


def send_link(user: User, link: str, *, purpose: str, recipient: str) -> None:
    """Mail a person their link, in their language. Raises MailError."""
    _post(user, lambda facts: write_letter(facts, link, recipient=recipient, purpose=purpose))


def tell_old_address(user: User, old: str) -> None:
    """Tell whoever reads the old address that the account has another one; without a mail server nobody is told."""
    email = user.email
    try:
        _post(user, lambda facts: write_farewell(facts, email, recipient=old))
    except MailError as error:
        logger.warning("The old address was not told: %s", error, extra={"action": "email_notice_failed"})


def _post(user: User, write: Callable[[dict[str, str]], Letter]) -> None:
    settings, company = runtime().settings, user.company
    language, zone = user.locale or company.locale, company.timezone
    facts = {"name": user.name, "company": company.name}
    db.session.rollback()  # a mail server may be slow: no transaction waits for it
    with speaking(this_app(), language, zone):
        letter = write(facts)
    post(letter, settings)


def write_letter(facts: dict[str, str], link: str, *, recipient: str, purpose: str) -> Letter:
    """The mail that brings a link, in the current language."""
    greeting = _("Olá, %(name)s!", **facts)
    if purpose == "invitation":
        subject = _("O seu acesso ao portal da %(company)s", **facts)
        text = _("Você foi convidado para o portal da %(company)s. Escolha uma senha em:", **facts)
        end = _("O link vale uma vez e vence em 7 dias.")
    elif purpose == "reset":
        subject = _("Senha nova para o portal da %(company)s", **facts)
        text = _("Alguém pediu uma senha nova para a sua conta. Se foi você, escolha a senha em:")
        end = _("O link vale uma vez e vence em 24 horas. Se não foi você, ignore esta mensagem: nada muda.")
    else:
        subject = _("O seu e-mail novo no portal da %(company)s", **facts)
        text = _("Para entrar no portal com este e-mail, confirme em:")
        end = _("O link vale uma vez e vence em 24 horas. Se não foi você, ignore esta mensagem: nada muda.")
    return Letter((recipient,), str(subject), f"{greeting}\n\n{text}\n\n{link}\n\n{end}\n")


def write_farewell(facts: dict[str, str], email: str, *, recipient: str) -> Letter:
    """The mail to an address that an account no longer has."""
    greeting = _("Olá, %(name)s!", **facts)
    subject = _("O e-mail da sua conta mudou no portal da %(company)s", **facts)
    text = _("A sua conta agora usa %(email)s, e este e-mail não entra mais no portal.", email=email)
    end = _("Se não foi você, avise já quem administra o portal na sua empresa.")
    return Letter((recipient,), str(subject), f"{greeting}\n\n{text}\n\n{end}\n")
