"""Answers that change shape are flagged on the delivery, and fail nothing."""

import pytest

from portal.models import Company, Delivery
from portal.outbox.shapes import remember
from portal.rules.verdict import judge, shape_of
from portal.webhook import Outcome
from tests import factories
from tests.conftest import BOTH, URL
from tests.outbox.test_outbox import attempts_of, claim_due, settle

KEYS = b'{"success":true,"id":12}'


def shape(body: bytes) -> str | None:
    return shape_of(judge(200, body).reason, body)


@pytest.mark.parametrize(
    ("body", "other"),
    [
        (KEYS, b'{"id": 99, "success": false}'),
        (b'{"contact_12": 1}', b'{"contact_9000": 2}'),
        (b"OK", b"Webhook recebido."),
        (b"", b" \n"),
        (b"[1]", b"[]"),
        (b"1", b"null"),
        (b"\xef\xbb\xbf" + KEYS, KEYS),
    ],
)
def test_answers_that_differ_in_their_values_alone_have_one_shape(body: bytes, other: bytes) -> None:
    assert shape(body) == shape(other)


def test_answers_with_other_keys_or_of_another_kind_have_other_shapes() -> None:
    bodies = [KEYS, b'{"success":true}', b'{"error":{}}', b"[]", b'"OK"', b"OK", b"", b"1"]
    assert len({shape(body) for body in bodies}) == len(bodies)


def test_a_shape_is_short_and_says_nothing_of_the_answer() -> None:
    body = b'{"' + b"maria@example.com" * 500 + b'":1}'
    assert "maria" not in str(shape(body))
    assert len(str(shape(body))) < 20


def test_an_answer_that_does_not_count_has_no_shape() -> None:
    assert shape(b"<html>") is None
    assert shape_of("server_error", KEYS) is None


def settle_with(company: Company, body: bytes, *, url: str = URL) -> Delivery:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    verdict = judge(200, body)
    outcome = Outcome(
        started_at=factories.NOON,
        duration_ms=1,
        url=url,
        reason=verdict.reason,
        status_code=200,
        warning=verdict.warning,
        shape=shape_of(verdict.reason, body),
    )
    return settle(claim, outcome)


def warnings(company: Company, *bodies: bytes) -> list[str | None]:
    return [settle_with(company, body).warning for body in bodies]


@BOTH
def test_an_answer_that_looks_like_none_before_is_flagged_once_and_delivered(company: Company) -> None:
    assert settle_with(company, KEYS).warning is None
    changed = settle_with(company, b"Accepted")
    assert (changed.status, changed.warning) == ("delivered", "shape_changed")
    assert [attempt.warning for attempt in attempts_of(changed)] == ["shape_changed"]
    assert warnings(company, b"Accepted", KEYS, b"OK") == [None, None, None]


def test_a_more_exact_warning_goes_first(company: Company) -> None:
    assert warnings(company, KEYS, b'{"error":"no such field"}') == [None, "error_in_json"]


def test_another_address_begins_anew(company: Company) -> None:
    settle_with(company, KEYS)
    factories.set_url(company, "http://127.0.0.1:9999/other")
    assert factories.endpoint_of(company).answer_shape is None
    assert settle_with(company, b"OK", url="http://127.0.0.1:9999/other").warning is None


def test_only_so_many_shapes_are_remembered() -> None:
    known = None
    for number in range(50):
        known = remember(known, [f"object:{number:08x}"])
    assert known is not None
    assert len(known) < 200
    assert known.endswith("object:00000031")
