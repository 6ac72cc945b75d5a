"""A person is found in any text that names them, however it is written, and in no other; the work stays linear."""

import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from portal.models import Contact
from portal.privacy.traces import Traces

ZU = {
    "name": "Zuleica Conceição",
    "email": "zuleica.q@example.com",
    "linkedin_public_id": "zuleica-q-77",
    "phone": "+55 11 97777-1234",
}

FORMS = {
    "as it is": lambda text: text,
    "in capitals": str.upper,
    "without accents": lambda text: text.replace("çã", "ca"),
    "with accents by themselves": lambda text: text.replace("ç", "c\u0327").replace("ã", "a\u0303"),
    "in JSON": lambda text: json.dumps(text),
    "in JSON in capitals": lambda text: json.dumps(text).replace("\\u00e7", "\\u00E7"),
    "in an address": quote,
    "in an address, all of it": lambda text: quote(text, safe=""),
    "in an old address": lambda text: quote(text, encoding="latin-1"),
    "in a form": quote_plus,
    "in HTML": lambda text: html.escape(text).replace("ç", "&ccedil;").replace("ã", "&#227;"),
    "over two cells": lambda text: text.replace(" ", '";"'),
    "over two lines of JSON": lambda text: text.replace(" ", "\\n"),
}


def test_words_of_one_text_stand_no_further_apart_than_cells_put_them() -> None:
    told = Traces(Contact(name="Zuleica Rara"))
    assert [told.are_in(f"zuleica{';' * number}rara") for number in (1, 5, 6)] == [True, True, False]


@pytest.mark.parametrize("field", ZU)
def test_who_was_merged_into_the_contact_is_found_too(field: str) -> None:
    told = Traces(Contact(name="Ana", merged=[{"id": 7, "name": "Outra"}, {field: ZU[field]}]))
    assert all(told.are_in(f"x;{text};y") for text in ("ana", "OUTRA", ZU[field]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", ZU)
def test_each_field_is_found_in_every_form(field: str, form: Callable[[str], str]) -> None:
    told = Traces(Contact(**({"name": ""} | {field: ZU[field]})))
    for text in ("{}", "Nome,E-mail\n{},x\n", '{{"v": "{}"}}', "?v={}&w=1"):
        assert told.are_in(text.format(FORMS[form](ZU[field])))


@pytest.mark.parametrize(
    "text",
    [
        "Zuleica Conceiçãos",
        "AZuleica Conceição",
        "Zuleica",
        "Conceição Zuleica",
        "Zuleica da Conceição",
        "Zuleica;;;;;;Conceição",
        "Zuleica Conceição-Lima",
        "a.zuleica.q@example.com",
        "a+zuleica.q@example.com",
        "zuleica.q@example.com-x",
        "zuleica-q-7",
        "zuleica-q-771",
        "zuleica-q-77-b",
        "ana-zuleica-q-77",
        "+55 11 97777-12345",
        "",
    ],
)
def test_nothing_is_found_within_something_longer_or_shorter(text: str) -> None:
    assert not Traces(Contact(**ZU)).are_in(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Ana Ana Lima", "ana ana ana lima"),
        ("a b a b c", "a b a b a b c"),
        ("a a b", "a a a a b x"),
        ("Ana Lima", "Ana Lima-Souza, Ana Lima"),
        ("O'Neil d'Ávila", "o'neil d'avila"),
        ("李 小龙", "李 小龙"),
    ],
)
def test_words_that_repeat_are_found_all_the_same(name: str, text: str) -> None:
    assert Traces(Contact(name=name)).are_in(text)


@pytest.mark.parametrize("name", ["...", "." * 300, "!? !?", "-", " "])
def test_a_name_without_letters_tells_nobody(name: str) -> None:
    assert not Traces(Contact(name=name)).are_in("." * 400 + "\n!? !? - \n")


def test_a_person_is_found_where_pieces_meet_and_no_rest_of_a_word_is_taken_for_one() -> None:
    told = Traces(Contact(name="Ana Lima"))
    assert told.are_in_any(["x" * 5000 + " An", "a Lim", "a " + "x" * 5000])
    pieces = ["x" * 100 + "Mariana Lima " + "y" * (4000 - 9), "z"]
    assert pieces[0][-4000:].startswith("ana")
    assert not told.are_in_any(pieces)


ADVERSARIAL = {
    "dots": ("." * 300, "."),
    "words of dots": ("a" + "." * 5 + "a" + "." * 5 + "b", "a....."),
    "one word many times": ("a " * 149 + "b", "a "),
    "nearly a name": ("ab " * 99 + "c", "ab "),
    "accents by themselves": ("é", "e\u0301\u0323"),
    "escapes of JSON": ("João Silva", "Jo\\u00e3o "),
    "escapes of addresses": ("João Silva", "Jo%C3%A3o%20"),
    "half escapes": ("João", "\\u00%C&#;"),
    "entities": ("João", "&a"),
    "one letter": ("a", "a"),
    "e-mail": ("x", "a@"),
}


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_the_work_is_linear_in_the_text(kind: str) -> None:
    name, repeated = ADVERSARIAL[kind]
    told = Traces(Contact(name=name, email="a@" + "b." * 100 + "c"))

    def seconds(length: int) -> float:
        text = (repeated * length)[:length]
        times = []
        for _ in range(3):
            started = time.thread_time()
            told.are_in(text)
            times.append(time.thread_time() - started)
        return min(times)

    small, large = seconds(50_000), seconds(200_000)
    assert large < 10 * small + 0.05, f"4 times the text took {large / small:.0f} times as long"
