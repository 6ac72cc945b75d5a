"""The company's API tokens: whose they are, when they were last used, and making and revoking them."""

from typing import Any

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.company.refusals import Refusal
from portal.database.db import db
from portal.forms.people import ROLE_WORDS
from portal.forms.settings import SCOPE_WORDS, TokenForm
from portal.people import users
from portal.people.logging_in import may_log_in
from portal.people.tokens import create_token, get_token, is_over, revoke_token, tokens_of
from portal.web import access
from portal.web.redirects import done

bp = access.Pages("tokens", __name__, url_prefix="/tokens")


@bp.get("", access="admin")
def index() -> ResponseReturnValue:
    return page(make_form(formdata=None, user=current_user.id))


@bp.post("", access="admin")
def create() -> ResponseReturnValue:
    """Make a token; the answer shows it, this once."""
    form = make_form()
    if not form.validate_on_submit():
        return page(form), 422
    user = access.own_or_404(users.get_user, form.user.data)
    try:
        given = {name: form[name].data for name in ("label", "scope", "last_day")}
        token = create_token(db.session, user, **given, actor=access.current_actor())
    except Refusal as refusal:
        form.last_day.errors = [refusal.sentence]
        return page(form), 422
    db.session.commit()
    return page(make_form(formdata=None, user=user.id), token=token)


@bp.post("/<int:token_id>/revoke", access="admin")
def revoke(token_id: int) -> ResponseReturnValue:
    token = access.own_or_404(get_token, token_id)
    revoke_token(db.session, token, actor=access.current_actor())
    return done(_("O token “%(label)s” não vale mais.", label=token.label), url_for(".index"))


def make_form(**options: Any) -> TokenForm:
    """The form, with the company's people who may log in."""
    form = TokenForm(**options)
    people = users.people_of(db.session, current_user.company_id)
    form.offer([person for person in people if may_log_in(person)])
    return form


def page(form: TokenForm, *, token: str | None = None) -> str:
    tokens = tokens_of(db.session, current_user.company_id)
    return render_template(
        "tokens/index.html",
        form=form,
        token=token,
        tokens=tokens,
        is_over=is_over,
        may_log_in=may_log_in,
        role_words=ROLE_WORDS,
        scope_words=SCOPE_WORDS,
    )
