"""Turning the second factor on and off: one's own, and, for admins, off for somebody who lost the phone."""

import segno
from flask import flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.database.db import db
from portal.forms.fields import text_of
from portal.forms.people import TurnOffForm, TurnOnForm
from portal.people import second_factor
from portal.runtime import runtime
from portal.views.account import own_user
from portal.views.team import get_user_or_404
from portal.web import access, sessions
from portal.web.redirects import done, see_other

bp = access.Pages("second_factor", __name__)


@bp.get("/account/second-factor", access="member")
def show() -> ResponseReturnValue:
    """What it is, and a secret to scan; it counts only once a code proves that it was scanned."""
    if current_user.totp_secret is not None:
        return turn_off_page(TurnOffForm(formdata=None))
    return scan_page(TurnOnForm(formdata=None), drafted_secret() or draft_secret())


@bp.post("/account/second-factor", access="member")
def turn_on() -> ResponseReturnValue:
    form, secret = TurnOnForm(), drafted_secret()
    if current_user.totp_secret is not None:
        return see_other(url_for(".show"))
    if secret is None:
        flash(_("Esta chave perdeu a validade. Escaneie a nova."), "warning")
        return see_other(url_for(".show"))
    if not form.validate_on_submit() or not sessions.is_confirmed(form.current):
        return scan_page(form, secret), 422
    user, actor = own_user(), access.current_actor()
    if not second_factor.turn_on(
        db.session, user, text_of(form.code), secret=secret, vault=runtime().vault, actor=actor
    ):
        form.code.errors = [_("Este código não confere. Veja se o relógio do celular está certo e digite o próximo.")]
        return scan_page(form, secret), 422
    codes = second_factor.make_recovery_codes(db.session, user, actor=actor)
    sessions.begin(user)
    flash(_("Verificação em duas etapas ligada. Da próxima vez, o portal pede também o código."), "success")
    return render_template("account/recovery_codes.html", codes=codes)


@bp.post("/account/second-factor/codes", access="member")
def make_codes() -> ResponseReturnValue:
    """New recovery codes, for whoever knows the password, shown this once."""
    form, user = TurnOffForm(), own_user()
    if user.totp_secret is None:
        return see_other(url_for(".show"))
    if not form.validate_on_submit() or not sessions.is_confirmed(form.current):
        return turn_off_page(TurnOffForm(formdata=None), form), 422
    codes = second_factor.make_recovery_codes(db.session, own_user(), actor=access.current_actor())
    db.session.commit()
    return render_template("account/recovery_codes.html", codes=codes)


@bp.post("/account/second-factor/remove", access="member")
def turn_off() -> ResponseReturnValue:
    form = TurnOffForm()
    if not form.validate_on_submit() or not sessions.is_confirmed(form.current):
        return turn_off_page(form), 422
    second_factor.turn_off(db.session, own_user(), actor=access.current_actor())
    return done(_("Verificação em duas etapas desligada."), url_for("account.index"))


@bp.post("/team/<int:user_id>/second-factor/remove", access="admin")
def remove(user_id: int) -> ResponseReturnValue:
    user = get_user_or_404(user_id)
    second_factor.turn_off(db.session, user, actor=access.current_actor())
    return done(
        _("%(name)s entra só com a senha, até ligar a verificação de novo.", name=user.name),
        url_for("team.show", user_id=user_id),
    )


def turn_off_page(form: TurnOffForm, renewal: TurnOffForm | None = None) -> str:
    """What is left of the recovery codes, new ones, and turning it off."""
    left = len(own_user().recovery_hashes or [])
    renewal = renewal or TurnOffForm(formdata=None)
    renewal.current.id = "senha-codigos"
    return render_template("account/turn_off.html", form=form, renewal=renewal, left=left)


def draft_secret() -> str:
    """A new secret, kept sealed in the session: no page and no form can choose it."""
    secret, company_id = second_factor.new_secret(), current_user.company_id
    sessions.keep_draft(runtime().vault.seal(secret, purpose="second_factor_draft", company_id=company_id))
    return secret


def drafted_secret() -> str | None:
    """The secret that was drafted for this user a while ago, if it was."""
    sealed, company_id = sessions.kept_draft(), current_user.company_id
    return sealed and runtime().vault.open(sealed, purpose="second_factor_draft", company_id=company_id)


def scan_page(form: TurnOnForm, secret: str) -> str:
    code = segno.make(second_factor.app_address(secret, current_user.email), error="m")
    return render_template(
        "account/turn_on.html",
        form=form,
        image=code.svg_data_uri(light="#fff", border=3, omitsize=True),
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
    )
