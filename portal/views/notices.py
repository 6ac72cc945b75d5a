"""Notices: who gets them by mail, the chat that gets them too, why the last did not arrive, and trials."""

from flask import flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.company.chat import get_chat, remove_chat, set_chat, take_trial
from portal.company.refusals import TooManyTests
from portal.database.db import db
from portal.egress import AddressError, open_session
from portal.forms.fields import text_of
from portal.forms.settings import ChatForm
from portal.mail import MailError
from portal.notices.chat import ChatError, post_to_chat
from portal.notices.letters import recipients_of, write_trial
from portal.notices.telling import explain_chat_error, explain_error, post
from portal.runtime import runtime
from portal.web import access
from portal.web.presentation import company_endpoint
from portal.web.redirects import done, told

bp = access.Pages("notices", __name__, url_prefix="/notices")


@bp.get("", access="admin")
def index() -> ResponseReturnValue:
    return page(ChatForm(formdata=None))


@bp.post("/test", access="admin")
def test() -> ResponseReturnValue:
    """Mail a trial to the reader, the way notices go."""
    settings, recipient = runtime().settings, current_user.email
    letter = write_trial(current_user.company, recipient)
    db.session.rollback()  # a mail server may be slow: no transaction waits for it
    if settings.smtp_url is None:
        return told(_("Nenhum servidor de e-mail está configurado."), "error", url_for(".index"))
    try:
        post(letter, settings)
    except MailError as error:
        words = _("O e-mail não foi enviado. %(reason)s", reason=explain_error(str(error)))
        return told(words, "error", url_for(".index"))
    return told(_("Enviamos um e-mail de teste a %(email)s.", email=recipient), "success", url_for(".index"))


@bp.post("/chat", access="admin")
def save_chat() -> ResponseReturnValue:
    form = ChatForm()
    if not form.validate_on_submit():
        return page(form), 422
    set_chat(db.session, runtime(), access.current_actor(), text_of(form.url))
    return done(_("Chat salvo. Envie uma mensagem de teste para ver se ela chega."), url_for(".index"))


@bp.post("/chat/test", access="admin")
def test_chat() -> ResponseReturnValue:
    """Post a trial, the way notices go."""
    trial = write_trial(current_user.company, "").text
    chat = take_trial(db.session, access.current_actor())
    if chat is None:
        return told(_("Nenhum chat está configurado."), "error", url_for(".index"))
    try:
        post_to_chat(open_session(runtime().egress), chat, trial, vault=runtime().vault)
    except ChatError as error:
        words = _("A mensagem não chegou ao chat. %(reason)s", reason=explain_chat_error(str(error)))
        return told(words, "error", url_for(".index"))
    return told(_("Enviamos uma mensagem de teste ao chat. Veja se ela apareceu."), "success", url_for(".index"))


@bp.post("/chat/remove", access="admin")
def drop_chat() -> ResponseReturnValue:
    remove_chat(db.session, access.current_actor())
    return done(_("Chat removido. Os avisos não vão mais para lá."), url_for(".index"))


@bp.errorhandler(AddressError)
def explain_address(error: AddressError) -> ResponseReturnValue:
    """The form as it was sent; its field says why the address is refused."""
    form = ChatForm()
    form.url.errors = [error.sentence]
    return page(form), 422


@bp.errorhandler(TooManyTests)
def explain_limit(refusal: TooManyTests) -> ResponseReturnValue:
    db.session.rollback()
    flash(refusal.sentence, "warning")
    return page(ChatForm()), 429


def page(form: ChatForm) -> str:
    company_id = current_user.company_id
    return render_template(
        "notices/index.html",
        explain_error=explain_error,
        explain_chat_error=explain_chat_error,
        form=form,
        has_mail_server=runtime().settings.smtp_url is not None,
        recipients=recipients_of(db.session, company_id),
        mail_error=company_endpoint().notice_error,
        chat=get_chat(db.session, company_id),
    )
