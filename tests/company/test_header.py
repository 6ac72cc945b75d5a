"""The fixed header: which may be sent, where its value goes, and that nobody sees it afterwards."""

import base64

import pytest
from flask import Flask
from sqlalchemy import inspect, select, text

from portal.company import endpoint as endpoints
from portal.company.header import FixedHeader, HeaderChoice, basic_header, bearer_header, read_header
from portal.company.refusals import HEADER_SENTENCES, HeaderRefused
from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.models import AuditEntry, Company, Delivery, Endpoint
from portal.rules.credentials import blot, credentials_of
from portal.runtime import runtime
from tests import factories
from tests.conftest import BOTH, running_worker

VALUE = "s3cr3t/key+0123456789"
IN_PHP = VALUE.replace("/", "\\/")
HEADER = FixedHeader("X-Api-Key", VALUE)


@pytest.fixture
def company(app: Flask, receiver: Receiver) -> Company:
    company = factories.make_company(url=receiver.url)
    save(company, receiver.url, HEADER)
    return company


def save(company: Company, url: str, header: HeaderChoice = "saved") -> list[str]:
    """Returns the codes of what there is to mind."""
    address = endpoints.set_address(db.session, runtime(), factories.actor_of(company), url, header=header)
    db.session.commit()
    return [advice.code for advice in address.advice]


def everything_stored() -> str:
    """Every value of every table as text."""
    names = inspect(db.engine).get_table_names()
    with db.engine.connect() as connection:
        rows = [row for name in names for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
    return "\n".join(
        bytes(v).decode("latin-1") if isinstance(v, bytes | memoryview) else str(v) for r in rows for v in r
    )


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-type", "Content-Length", "Connection", "Transfer-Encoding", "TE", "Trailer", "Expect"),
        *("Upgrade", "Accept", "accept-encoding", "Cookie", "User-Agent", "Proxy-Authorization", "Keep-Alive"),
        *("webhook-id", "Webhook-Signature", "svix-id"),
    ],
)
def test_what_the_request_sets_or_what_frames_it_is_refused(name: str) -> None:
    with pytest.raises(HeaderRefused) as refused:
        read_header(name, "value")
    assert (refused.value.part, refused.value.problem) == ("name", "reserved_header")


@pytest.mark.parametrize(
    ("name", "value", "part", "problem"),
    [
        ("X Key", "v", "name", "not_a_header_name"),
        ("X-Key:", "v", "name", "not_a_header_name"),
        ("X-Chavé", "v", "name", "not_a_header_name"),
        ("X-Key\r\nHost", "v", "name", "not_a_header_name"),
        ("x" * 101, "v", "name", "not_a_header_name"),
        (" ", "v", "name", "required"),
        ("X-Key", " ", "value", "required"),
        ("X-Key", "a\r\nHost: b", "value", "not_a_header_value"),
        ("X-Key", "a\nb", "value", "not_a_header_value"),
        ("X-Key", "a\0b", "value", "not_a_header_value"),
        ("X-Key", "chavé", "value", "not_a_header_value"),
        ("X-Key", "ключ", "value", "not_a_header_value"),
        ("X-Key", "v" * 4097, "value", "too_long"),
    ],
)
def test_what_is_no_header_is_refused(app: Flask, name: str, value: str, part: str, problem: str) -> None:
    with pytest.raises(HeaderRefused) as refused:
        read_header(name, value)
    assert (refused.value.part, refused.value.problem) == (part, problem)
    with app.test_request_context():
        assert refused.value.sentence


def test_a_header_may_be_as_long_as_its_limits() -> None:
    assert read_header("x" * 100, " " + "v" * 4096 + " ") == FixedHeader("x" * 100, "v" * 4096)


def test_a_value_stands_in_no_representation() -> None:
    assert VALUE not in repr(read_header("X-Api-Key", f" {VALUE}\n"))


def test_a_token_and_a_pair_become_the_header_that_servers_read() -> None:
    assert bearer_header(" abc ") == bearer_header("Bearer abc") == FixedHeader("Authorization", "Bearer abc")
    basic = basic_header("ana", "sénha:1")
    assert base64.b64decode(basic.value.removeprefix("Basic ")).decode() == "ana:sénha:1"
    for user, problem in (("", "required"), ("a:b", "colon")):
        with pytest.raises(HeaderRefused) as refused:
            basic_header(user, "x")
        assert (refused.value.part, refused.value.problem) == ("user", problem)


def test_every_refusal_has_its_sentence() -> None:
    assert {"required", "not_a_header_name", "reserved_header", "too_long", "not_a_header_value"} <= set(
        HEADER_SENTENCES
    )


@BOTH
def test_deliveries_tests_and_the_test_of_a_resume_carry_it(app: Flask, company: Company, receiver: Receiver) -> None:
    factories.make_delivery(factories.make_contact(company))
    db.session.rollback()
    with running_worker(app):
        assert receiver.wait_for(1)
    factories.send_test(company)
    endpoints.pause(db.session, factories.actor_of(company))
    db.session.commit()
    factories.resume(company)
    assert [received.headers["X-Api-Key"] for received in receiver.received] == [VALUE] * 3


@BOTH
def test_nothing_stored_holds_the_value_even_when_the_receiver_repeats_it(
    app: Flask, company: Company, receiver: Receiver
) -> None:
    receiver.reply = Reply(
        401,
        b'{"got": "%s", "php": "%s"}' % (VALUE.encode(), IN_PHP.encode()),
        "application/json",
        headers=(("X-Echo", f"key={VALUE}"),),
    )
    sent = factories.send_test(company)
    assert receiver.received[0].headers["X-Api-Key"] == VALUE
    assert dict(sent.outcome.request_headers)["X-Api-Key"] == "…"
    assert dict(sent.outcome.response_headers)["X-Echo"] == "key=" + "*" * len(VALUE)
    db.session.rollback()
    stored = everything_stored()
    assert "webhook.header_set" in stored
    assert VALUE not in stored
    assert IN_PHP not in stored
    assert '{"got": "*' in stored


def test_the_password_of_a_pair_is_not_stored_either(company: Company, receiver: Receiver) -> None:
    save(company, receiver.url, basic_header("ana", "correct horse"))
    receiver.reply = Reply(200, b"PHP_AUTH_PW: correct horse")
    sent = factories.send_test(company)
    assert sent.outcome.response_body == b"PHP_AUTH_PW: *************"
    assert dict(sent.outcome.request_headers)["Authorization"] == "Basic …"


def test_a_short_value_does_not_spoil_an_answer() -> None:
    assert blot("status: 1 of 1", credentials_of("1")) == "status: 1 of 1"


def test_a_new_path_of_the_same_origin_keeps_it(company: Company, receiver: Receiver) -> None:
    assert "header_left_out" not in save(company, receiver.url + "new")
    assert factories.endpoint_of(company).header_name == "X-Api-Key"


@pytest.mark.parametrize("other", ["http://127.0.0.2:{port}/", "http://127.0.0.1:9999/", "https://127.0.0.1:{port}/"])
def test_another_origin_makes_it_forgotten_and_says_so(company: Company, receiver: Receiver, other: str) -> None:
    port = receiver.url.rpartition(":")[2].strip("/")
    assert "header_left_out" in save(company, other.format(port=port))
    endpoint = factories.endpoint_of(company)
    assert (endpoint.header_name, endpoint.header_secret, endpoint.header_origin) == (None, None, None)
    actions = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-2:] == ["webhook.url_set", "webhook.header_removed"]


def test_what_takes_its_place_is_no_header_that_was_left_out(company: Company) -> None:
    assert "header_left_out" not in save(company, "http://127.0.0.2:9999/", FixedHeader("X-Other", VALUE))
    assert "header_left_out" not in save(company, "http://127.0.0.3:9999/", None)


def test_a_test_of_another_origin_never_gets_it(company: Company, receiver: Receiver) -> None:
    with Receiver() as thief:
        sent = factories.send_test(company, thief.url)
        assert "X-Api-Key" not in thief.received[0].headers
    assert "header_left_out" in [advice.code for advice in sent.advice]
    assert factories.endpoint_of(company).header_name == "X-Api-Key"


def test_an_origin_that_was_changed_behind_its_back_never_gets_it(
    app: Flask, company: Company, receiver: Receiver
) -> None:
    """The origin is looked at when sending, not only when saving."""
    with Receiver() as thief:
        endpoint = factories.endpoint_of(company)
        endpoint.url = thief.url
        db.session.commit()
        factories.make_delivery(factories.make_contact(company))
        db.session.rollback()
        with running_worker(app):
            assert thief.wait_for(1)
        assert "X-Api-Key" not in thief.received[0].headers


def test_a_header_typed_for_a_test_is_sent_and_not_kept(company: Company, receiver: Receiver) -> None:
    with Receiver() as other:
        factories.send_test(company, other.url, header=FixedHeader("X-Other", "typed for once"))
        assert other.received[0].headers["X-Other"] == "typed for once"
    db.session.rollback()
    assert "typed for once" not in everything_stored()
    assert factories.endpoint_of(company).header_name == "X-Api-Key"


def test_none_is_sent_when_none_is_wanted(company: Company, receiver: Receiver) -> None:
    factories.send_test(company, header=None)
    assert "X-Api-Key" not in receiver.received[0].headers


def test_removing_the_address_forgets_it(company: Company, receiver: Receiver) -> None:
    endpoints.remove_address(db.session, factories.actor_of(company))
    db.session.commit()
    assert factories.endpoint_of(company).header_secret is None


def test_the_sealed_value_is_the_only_one(company: Company) -> None:
    stored = db.session.scalars(select(Endpoint.header_secret)).one()
    assert stored is not None
    assert VALUE not in stored
    assert runtime().vault.open(stored, purpose="webhook_header", company_id=company.id) == VALUE
    assert not db.session.query(Delivery).count()
