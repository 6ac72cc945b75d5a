"""The company's people: who may log in, as what, and the links by which they choose a password."""

from collections import Counter
from functools import partial

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.company.refusals import Refusal
from portal.contacts import assigning
from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import COUNT_CAP, count_contacts
from portal.database.db import db
from portal.database.paging import row_number
from portal.forms.fields import said, text_of
from portal.forms.people import ROLE_WORDS, InvitationForm, OtherEmailForm, RoleForm
from portal.models import Company, User
from portal.people import emails, links, passwords, second_factor, users
from portal.people.logging_in import may_log_in
from portal.people.users import USER_STATES, state_of
from portal.rules.folding import fold
from portal.web import access
from portal.web.link_mail import link_to, mail_shown_link
from portal.web.presentation import show_form
from portal.web.redirects import done, see_other, told

MAX_SHOWN = 200

bp = access.Pages("team", __name__, url_prefix="/team")
get_user_or_404 = partial(access.own_or_404, users.get_user)


@bp.get("", access="admin")
def index() -> ResponseReturnValue:
    """The people of one state, active ones at first, narrowed by name or e-mail."""
    state = request.args.get("state") or "active"
    search = request.args.get("search", "").strip()
    people = users.people_of(db.session, current_user.company_id)
    found = [person for person in people if state_of(person) == state and is_found(person, search)]
    return render_template(
        "team/index.html",
        people=found[:MAX_SHOWN],
        found=len(found),
        counts=Counter(state_of(person) for person in people),
        state=state,
        wanted={"unknown": () if state in USER_STATES else ("state",)},
        search=search,
        role_words=ROLE_WORDS,
    )


@bp.route("/new", methods=["GET", "POST"], access="admin")
def new() -> ResponseReturnValue:
    """Invite somebody; the answer shows the link, this once."""
    form = InvitationForm()
    if form.validate_on_submit():
        try:
            return invite(current_user.company, **said(form))
        except passwords.InvalidAccount as error:
            db.session.rollback()
            form[error.field].errors = [error.sentence]
    return show_form("team/new.html", form)


@bp.get("/<int:user_id>", access="admin")
def show(user_id: int) -> ResponseReturnValue:
    return page(get_user_or_404(user_id))


@bp.post("/<int:user_id>/link", access="admin")
def issue_link(user_id: int) -> ResponseReturnValue:
    """A new link to choose a password: an invitation for whoever has none yet, else a reset. Shown this once."""
    user = get_user_or_404(user_id)
    if not may_log_in(user):
        abort(400)
    purpose, token = links.issue_link(db.session, user, actor=access.current_actor())
    db.session.commit()
    return page(user, link=link_to("auth.reset" if purpose == "reset" else "auth.accept_invitation", token))


@bp.post("/<int:user_id>/email", access="admin")
def change_email(user_id: int) -> ResponseReturnValue:
    """Another e-mail, or the link by which the person confirms it or accepts the invitation. Shown this once."""
    user, form = get_user_or_404(user_id), OtherEmailForm()
    if not form.validate_on_submit():
        raise passwords.InvalidAccount("email", "not_an_email")
    email = text_of(form.email)
    link = emails.change_for(db.session, user, email, actor=access.current_actor())
    db.session.commit()
    if link is not None and link[0] == "email":
        return page(user, link=link_to("account.confirm_email", link[1]), email=email)
    flash(_("E-mail trocado."), "success")
    if link is not None:
        return page(user, link=link_to("auth.accept_invitation", link[1]))
    return see_other(url_for(".show", user_id=user_id))


@bp.post("/<int:user_id>/role", access="admin")
def set_role(user_id: int) -> ResponseReturnValue:
    """Change the role; who could not log in so far is invited, and the answer shows the link."""
    user, form = get_user_or_404(user_id), RoleForm()
    if not form.validate_on_submit():
        abort(400)
    if user.role is None:
        return invite(user.company, name=user.name, email=user.email, role=form.role.data)
    users.change_role(db.session, user, form.role.data, actor=access.current_actor())
    return done(_("Papel de %(name)s salvo.", name=user.name), url_for(".show", user_id=user_id))


@bp.post("/<int:user_id>/disable", access="admin")
def disable(user_id: int) -> ResponseReturnValue:
    """Shut somebody out; their contacts go to whom the form names, or stay."""
    user, actor = get_user_or_404(user_id), access.current_actor()
    if user.role is None:
        abort(400)
    heir_id = request.form.get("heir", type=row_number)
    heir = get_user_or_404(heir_id) if heir_id and heir_id != user_id else None
    task = assigning.hand_over(db.session, actor, user_id, heir.id) if heir else None
    users.disable(db.session, get_user_or_404(user_id), actor=actor)
    target = url_for("jobs.show", job_id=task.id) if task and task.total else url_for(".show", user_id=user_id)
    return done(_("%(name)s não entra mais no portal.", name=get_user_or_404(user_id).name), target)


@bp.post("/<int:user_id>/enable", access="admin")
def enable(user_id: int) -> ResponseReturnValue:
    user = get_user_or_404(user_id)
    users.enable(db.session, user, actor=access.current_actor())
    return done(_("%(name)s pode entrar de novo.", name=user.name), url_for(".show", user_id=user_id))


@bp.post("/<int:user_id>/second-factor/remove", access="admin")
def remove_second_factor(user_id: int) -> ResponseReturnValue:
    """Let somebody who lost the phone log in with the password alone."""
    user = get_user_or_404(user_id)
    second_factor.turn_off(db.session, user, actor=access.current_actor())
    words = _("%(name)s entra só com a senha, até ligar a verificação de novo.", name=user.name)
    return done(words, url_for(".show", user_id=user_id))


def is_found(person: User, search: str) -> bool:
    """Whether name or e-mail holds what is searched, whatever its case and accents."""
    return fold(search) in fold(f"{person.name} {person.email}")


def invite(company: Company, **facts: str) -> ResponseReturnValue:
    """Give a log-in to somebody new, or to somebody who so far only owned contacts. Raises InvalidAccount."""
    user, token = users.invite(db.session, company, **facts, actor=access.current_actor())
    db.session.commit()
    return page(user, link=link_to("auth.accept_invitation", token))


@bp.errorhandler(Refusal)
def explain_refusal(refusal: Refusal) -> ResponseReturnValue:
    """Back to the person's page, also from where it was shown under another address, and why nothing was changed."""
    db.session.rollback()
    named = request.view_args
    return told(refusal.sentence, "error", url_for(".show", **named) if named else url_for(".new"))


def page(user: User, *, link: str | None = None, email: str | None = None) -> str:
    """`email` is the one that the link confirms."""
    form = RoleForm(formdata=None, role=user.role or "member")
    if link is not None:
        mail_shown_link(user, link, email=email)
        user = get_user_or_404(user.id)
    return render_template(
        "team/show.html",
        user=user,
        state=state_of(user),
        may_log_in=may_log_in,
        form=form,
        link=link,
        new_email=email,
        email_form=OtherEmailForm(formdata=None, email=user.email),
        role_words=ROLE_WORDS,
        contacts=count_contacts(db.session, user.company_id, ContactFilter(owner_id=user.id)),
        contact_cap=COUNT_CAP,
        people=users.people_of(db.session, user.company_id),
    )
