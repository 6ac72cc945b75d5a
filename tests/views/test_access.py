"""Who may open what: every page, for nobody, a member, an admin, and the admin of another company."""

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from portal.database.db import db
from portal.models import ApiToken, AuditEntry, Classification, Delivery, User
from portal.people import tokens
from portal.web.headers import CONTENT_SECURITY_POLICY
from tests.factories import (
    classify_contact,
    make_bulk_classification,
    make_contact,
    make_import,
    make_user,
    set_url,
)

TAKES_FROM_ANYBODY = {"inspector.receive"}
"""Views that other systems post to: they know a secret address, and no form."""
OF_ONE_PERSON = {"account.confirm_email"}
"""Views behind a link that was made for one person: tests/views/test_emails.py opens them."""
LEADS_ON = {"contacts.in_crm"}
"""Views that have no page of their own."""
GOES_ON = {"triage.choose"}
"""Views that lead to the next contact where there is none of that number, whether it is gone or another company's."""
OF_ONE_COMPANY = {"campaign_id", "contact_id", "job_id", "task_id", "token_id", "user_id", "webhook_id"}
"""What stands in an address for something that one company has."""
REFUSED, FORBIDDEN, ABSENT = 302, 403, 404


@pytest.fixture
def urls(app: Flask, company, receiver) -> list[tuple[Rule, str]]:
    """An address of each page, of a contact and a delivery that the company has."""
    set_url(company, receiver.url)
    contact = make_contact(company)
    classify_contact(contact, 2)
    values = {
        "contact_id": contact.id,
        "campaign_id": contact.campaign_id,
        "webhook_id": db.session.query(Delivery).one().webhook_id,
        "task_id": make_import(company).id,
        "job_id": make_bulk_classification(contact).id,
        "token": "unknown",
        "token_id": make_token(company),
        "user_id": make_user(company, role="member").id,
        "digest": "0123456789abcdef",
        "filename": "app.css",
        "group": "created",
    }
    with app.test_request_context():
        return [(rule, rule.build(values, append_unknown=False)[1]) for rule in page_rules(app)]


def make_token(company) -> int:
    tokens.create_token(db.session, make_user(company), label="CRM")
    db.session.commit()
    return db.session.query(ApiToken).one().id


def page_rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/api/")]


def access_of(app: Flask, rule: Rule) -> str | None:
    return "public" if rule.endpoint == "static" else getattr(app.view_functions[rule.endpoint], "access", None)


def sweep(app, urls, wanted_access, methods=("GET",), without=frozenset()):
    for rule, url in urls:
        if access_of(app, rule) in wanted_access and rule.endpoint not in without | OF_ONE_PERSON:
            for method in rule.methods & set(methods):
                yield method, url


def test_every_page_says_who_may_open_it(app):
    assert [rule.rule for rule in page_rules(app) if access_of(app, rule) not in ("public", "member", "admin")] == []


def test_nobody_is_sent_to_log_in(app, urls, nobody):
    for _, url in sweep(app, urls, ("member", "admin")):
        answer = nobody.get(url)
        assert (answer.status_code, answer.location.partition("?")[0]) == (REFUSED, "/login"), url


@pytest.mark.slow
def test_a_member_opens_what_members_may_and_nothing_of_admins(app, urls, member):
    for _, url in sweep(app, urls, ("member",), without=LEADS_ON):
        assert member.get(url).status_code == 200, url
    for _, url in sweep(app, urls, ("admin",)):
        assert member.get(url).status_code == FORBIDDEN, url
    for _, url in sweep(app, urls, ("admin",), methods=("POST",)):
        assert member.post(url).status_code == FORBIDDEN, url


def test_an_admin_opens_everything(app, urls, admin):
    for _, url in sweep(app, urls, ("member", "admin"), without=LEADS_ON):
        assert admin.get(url).status_code == 200, url


def test_another_company_finds_nothing_of_ours(app, urls, stranger):
    ours = [(rule, url) for rule, url in urls if rule.arguments & OF_ONE_COMPANY]
    assert {name for rule, _ in ours for name in rule.arguments} >= OF_ONE_COMPANY
    for method, url in sweep(app, ours, ("member", "admin"), methods=("GET", "POST"), without=GOES_ON):
        answer = stranger.get(url) if method == "GET" else stranger.post(url, {"level": "1"})
        assert answer.status_code == ABSENT, (method, url)
    known = db.session.scalars(select(Classification.id)).all()
    for rule, url in ours:
        if rule.endpoint in GOES_ON:
            assert stranger.post(url, {"level": "1"}).location.startswith("/triage?"), url
    assert db.session.scalars(select(Classification.id)).all() == known


def test_who_asks_for_a_page_of_admins_stands_in_the_audit_log(member):
    assert member.get("/team").status_code == FORBIDDEN
    refused = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "access.denied")).one()
    assert (refused.actor, refused.subject) == (db.session.get_one(User, member.id).email, "/team")


def test_lists_and_searches_of_another_company_show_nothing_of_ours(urls, company, stranger):
    name = make_contact(company, name="Zuleica Rara").name
    classify_contact(db.session.merge(make_contact(company)), 1)
    for url in ("/", "/contacts", "/contacts?search=Zuleica", "/deliveries", "/contacts/live?id=1&left=3"):
        page = stranger.get(url).text
        assert name not in page
        assert "msg_" not in page
        assert "sync-1" not in page


def test_what_changes_something_needs_the_token_of_a_form(app, urls, admin):
    changing, everybody = ("POST", "PUT", "PATCH", "DELETE"), ("public", "member", "admin")
    for _, url in sweep(app, urls, everybody, methods=changing, without=TAKES_FROM_ANYBODY):
        answer = admin.open(url, method="POST", data={"level": "1"})
        assert answer.status_code == 400, url
        assert "perdeu a validade" in answer.text


def test_every_answer_carries_the_security_headers(app, urls, admin, nobody):
    answers = [admin.get(url) for _, url in urls] + [nobody.get("/missing"), admin.open("/webhook", method="POST")]
    for answer in answers:
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in answer.headers, "a portal without TLS would be shut out for a year"


def test_pages_are_not_kept_by_browsers(admin):
    assert admin.get("/contacts").headers["Cache-Control"] == "no-store"


def test_a_demoted_admin_is_a_member_at_the_next_click(admin, company):
    db.session.get(User, admin.id).role = "member"
    db.session.commit()
    assert admin.get("/webhook").status_code == FORBIDDEN


def test_a_host_name_that_is_not_ours_is_refused(nobody):
    assert nobody.get("/login", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "path", ["/contacts/99999999999999999999", "/imports/-1", "/contacts/1234567890123456789/edit"]
)
def test_a_number_that_no_row_can_have_is_no_address(member, path):
    assert member.get(path).status_code == ABSENT
