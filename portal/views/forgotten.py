"""Who forgot the password asks for a link by e-mail; without a mail server the page says whom to ask."""

from flask import abort, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.database.db import db
from portal.forms.fields import text_of
from portal.forms.people import ForgottenForm
from portal.people import logging_in
from portal.web import access, link_mail
from portal.web.redirects import see_other

bp = access.Pages("forgotten", __name__, url_prefix="/forgotten")


@bp.get("", access="public")
def show() -> ResponseReturnValue:
    return render_template(
        "auth/forgotten.html",
        form=ForgottenForm(formdata=None),
        can_mail=link_mail.is_possible(),
        is_sent="sent" in request.args,
    )


@bp.post("", access="public")
def ask() -> ResponseReturnValue:
    """Mail a link, if somebody logs in with the address. The answer is the same if nobody does."""
    form, ip = ForgottenForm(), request.remote_addr or ""
    if not link_mail.is_possible():
        return see_other(url_for(".show"))
    if not form.validate_on_submit():
        return render_template("auth/forgotten.html", form=form, can_mail=True), 422
    email = text_of(form.email).strip().lower()
    try:
        logging_in.count_guess(db.session, f"forgotten by {email}", ip=ip)
    except logging_in.TooManyFailures:
        abort(429)
    db.session.commit()
    answer = make_response(see_other(url_for(".show", sent="yes")))
    link_mail.mail_reset_after(answer, email, ip=ip)
    return answer
