"""Pages that say what went wrong: with the menu for whoever is logged in, in the reader's language."""

import pytest

from portal.database.db import db
from portal.models import User
from portal.web.bodies import FORM_BYTES

MENU = 'id="navegacao"'


def large(person):
    """A form that is larger than any of ours."""
    return person.post("/account", {"name": "x" * (FORM_BYTES + 1)})


@pytest.mark.parametrize(
    ("ask", "status", "title"),
    [
        (lambda person: person.get("/contacts/999999"), 404, "This page was not found"),
        (lambda person: person.get("/nowhere"), 404, "This page was not found"),
        (lambda person: person.get("/team"), 403, "You have no access to this page"),
        (lambda person: person.get("/logout"), 405, "This address does not open like this"),
        (large, 413, "What was sent is too large"),
        (lambda person: person.get("/contacts?search=%00"), 400, "The request could not be understood"),
    ],
)
def test_an_error_has_the_menu_and_the_reader_s_language(member, nobody, ask, status, title):
    db.session.get(User, member.id).locale = "en"
    db.session.commit()
    answer = ask(member)
    assert answer.status_code == status
    assert MENU in answer.text
    assert title in answer.text


def test_who_is_not_logged_in_sees_no_menu(nobody):
    answer = nobody.get("/nowhere")
    assert answer.status_code == 404
    assert MENU not in answer.text


def test_a_fault_of_ours_has_the_menu_too(app, member, monkeypatch):
    monkeypatch.setitem(app.view_functions, "contacts.index", fail)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    answer = member.get("/contacts")
    assert answer.status_code == 500
    assert MENU in answer.text


def fail():
    raise RuntimeError("on purpose")


fail.access = "member"
