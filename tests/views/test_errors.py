"""Pages that say what went wrong: with the menu for whoever is logged in, in the reader's language."""

import pytest

from portal.database.db import db
from portal.models import User
from portal.web.bodies import FORM_BYTES
from tests.factories import classify_contact, make_contact

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


REFUSED = [
    ("/contacts/assign?contact={one}&contact={two}", {}, "/contacts/assign?contact={one}&contact={two}"),
    ("/contacts/assign?level=1", {}, "/contacts/assign?level=1"),
    ("/contacts/{one}/send", {}, "/contacts/{one}"),
    ("/contacts/send", {"contact": "{one}"}, "/contacts"),
    ("/contacts/{one}/merge", {"other": "{one}"}, "/contacts/{one}/merge"),
    ("/sync", {}, "/sync"),
    ("/sync/contacts?level=1", {}, "/sync/contacts?level=1"),
]
"""A form of a company that has no address: where it goes, what it holds, and the page that stands nearest."""

REFERERS = [
    (None, None),
    ("http://localhost/contacts?search=ana", "/contacts?search=ana"),
    ("http://evil.test/contacts?search=ana", "/contacts?search=ana"),  # ours of that name, never theirs
    ("http://evil.test/nowhere", None),
    ("http://localhost//evil.test/x", None),
    ("//evil.test/x", None),
    ("http://localhost/contacts/send", None),  # no page
]


@pytest.mark.parametrize(("referer", "before"), REFERERS)
@pytest.mark.parametrize(("address", "form", "nearest"), REFUSED, ids=[each[0] for each in REFUSED])
def test_a_refusal_leads_to_the_page_that_asked_else_to_the_nearest(admin, address, form, nearest, referer, before):
    company = db.session.get(User, admin.id).company
    ids = dict(
        zip(("one", "two"), (classify_contact(make_contact(company), 1).contact_id for _ in range(2)), strict=True)
    )
    form = {name: value.format(**ids) for name, value in form.items()}
    headers = {"Referer": referer} if referer else {}
    answer = admin.post(address.format(**ids), form, headers=headers)
    assert (answer.status_code, answer.location) == (303, before or nearest.format(**ids))
