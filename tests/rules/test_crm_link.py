"""Where an answer says an id, and the address that it makes: what is found, and what is never opened."""

import json
import tracemalloc

import pytest

from portal.rules.crm_link import (
    MAX_VALUE,
    MOST_PLACES,
    InvalidTemplate,
    build_address,
    check_template,
    find,
    places_of,
    read_answer,
)

ANSWER = {
    "ok": True,
    "data": {"a/b": [{"id": 7}, {"~": "x"}], "n": None, "f": 1.5, "blank": " "},
    "big": 2**60,
    "~1": "y",
}


def test_every_place_that_is_offered_is_found_again() -> None:
    places = places_of(read_answer(json.dumps(ANSWER).encode()))
    assert places == {"/data/a~1b/0/id": "7", "/data/a~1b/1/~0": "x", "/big": str(2**60), "/~01": "y"}
    assert {pointer: find(ANSWER, pointer) for pointer in places} == places
    assert list(places) == ["/data/a~1b/0/id", "/data/a~1b/1/~0", "/big", "/~01"], "as they stand in the answer"


@pytest.mark.parametrize(
    "pointer", ["/data", "/ok", "/none", "/data/a~1b/2/id", "/data/a~1b/-1/id", "/big/x", "/data/a~1b/²"]
)
def test_what_is_no_id_is_not_found(pointer: str) -> None:
    assert find(ANSWER, pointer) is None


@pytest.mark.parametrize(
    ("body", "places"), [(b"41", {"": "41"}), (b'"x"', {"": "x"}), (b"OK", {}), (b"", {}), (b"{", {})]
)
def test_an_answer_may_be_the_id_or_nothing(body: bytes, places: dict[str, str]) -> None:
    assert places_of(read_answer(body)) == places


def test_hostile_answers_are_bounded() -> None:
    assert places_of(read_answer(b"[" * 16_000)) == {}
    assert places_of(read_answer(b"9" * 16_000)) == {}
    assert len(places_of(read_answer(json.dumps(list(range(5000))).encode()))) == MOST_PLACES
    assert places_of(["x" * (MAX_VALUE + 1), "a\u202eb", "a\nb"]) == {}


def test_a_long_name_is_not_written_again_for_each_that_it_holds() -> None:
    answer = {"x" * 8000: list(range(4000))}
    tracemalloc.start()
    assert places_of(answer) == {}
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("text", ["https://crm.example/leads/{id}", " https://crm.example:8443/?l={id}#{id} ", "{id}"])
def test_a_template_is_https_with_a_slot_behind_the_host(text: str) -> None:
    assert check_template(text) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://crm.example/leads",
        "http://crm.example/{id}",
        "javascript:alert({id})",
        "https://{id}.example/",
        "https://{id}",
        "https://crm.example@{id}/",
        "https://user@crm.example/{id}",
        "https:///{id}",
        "https://crm.example/{id}/{other}",
        "https://crm.example/a b/{id}",
        "https://crm.example\\{id}",
        'https://crm.example/"{id}',
        "https://[::1/{id}",
        "https://crm.example/" + "x" * 1000 + "{id}",
    ],
)
def test_no_other_template_is_taken(text: str) -> None:
    with pytest.raises(InvalidTemplate):
        check_template(text)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("7", "https://crm.example/leads/7"),
        ("a/../b?c#d", "https://crm.example/leads/a%2F..%2Fb%3Fc%23d"),
        ('"><script>', "https://crm.example/leads/%22%3E%3Cscript%3E"),
        ("ação", "https://crm.example/leads/a%C3%A7%C3%A3o"),
        (".", None),
        ("..", None),
        ("...", "https://crm.example/leads/..."),
    ],
)
def test_an_id_is_escaped_wherever_it_goes(value: str, address: str | None) -> None:
    assert build_address("https://crm.example/leads/{id}", value) == address


@pytest.mark.parametrize(
    ("value", "is_opened"),
    [
        ("https://crm.example/leads/7?x=1", True),
        ("http://crm.example/7", False),
        ("javascript:alert(1)", False),
        ("HTTPS://crm.example", False),
        ("https://me@crm.example/7", False),
        ("//crm.example/7", False),
        ("https://ação.example/7", True),
        ("https://a..é.com/x", False),
        (f"https://{'x' * 64}.com/", False),
        ("7", False),
    ],
)
def test_an_answer_s_own_link_is_opened_over_https_alone(value: str, is_opened: bool) -> None:
    assert build_address("{id}", value) == (value if is_opened else None)


@pytest.mark.parametrize("key", ["\\ud800", "\\u0000", "\\u202e"])
def test_a_key_that_cannot_be_shown_is_no_place(key: str) -> None:
    assert places_of(read_answer(f'{{"{key}": "1", "id": "2"}}'.encode())) == {"/id": "2"}


def test_what_is_as_long_as_it_may_be_is_taken_and_no_more() -> None:
    assert list(places_of(["x" * MAX_VALUE, "y" * (MAX_VALUE + 1)])) == ["/0"]
    assert [find(["a", "b"], pointer) for pointer in ("/00001", "/000001")] == ["b", None]
