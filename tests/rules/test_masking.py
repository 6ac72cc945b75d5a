"""Masked texts show nobody, wherever a receiver repeats them, and keep what support needs."""

import html
import json
import re
import time
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from portal.rules.escapes import decode_escapes
from portal.rules.folding import fold
from portal.rules.masking import Masker, mask, mask_body, mask_query
from portal.rules.payload import encode_body

PERSONAL = {
    "contact.name": "Mariângela d'Ávila Quintão",
    "contact.linkedin_public_id": "mariangela-quintao-7a1",
    "contact.current_company": "Açúcar & Filhos Ltda",
    "contact.current_company_link": "https://acucarfilhos.com.br/sobre/nós",
    "contact.role": "Diretora de operações e logística",
    "contact.location": "Uberlândia, Minas Gerais, Brasil",
    "contact.email": "mariangela.q+crm@acucarfilhos.com.br",
    "contact.phone": "+55 (34) 99871-2345",
    "contact.skills.skill": "Roteirização",
    "contact.experiences.experience": "Coordenadora na Transportes Vilhena",
    "contact.experiences.company_link": "http://vilhena.example/",
    "contact_owner.name": "Otávio Bragança",
    "contact_owner.email": "otavio@vendas.example",
    "campaign.name": "Atacadistas do Triângulo",
    "campaign.description": "Quem compra acima de dez toneladas por mês",
    "messages.sender_name": "Mariângela Quintão",
    "messages.message": 'Oi "Otávio", me liga no 34 99871-2345 depois das seis?\nObrigada <3',
}
DATES = "2026-03-10 12:00:00"


def payload() -> dict[str, Any]:
    def of(prefix: str, **others: Any) -> dict[str, Any]:
        named = {key.removeprefix(prefix): text for key, text in PERSONAL.items() if key.startswith(prefix)}
        return {key: text for key, text in named.items() if "." not in key} | others

    contact = of("contact.", id=4711, invite_date=DATES, reply_date=None, interest_level=3)
    contact["skills"] = [of("contact.skills.", endorsements=12)]
    contact["experiences"] = [of("contact.experiences.")]
    return {
        "contact": contact,
        "contact_owner": of("contact_owner.", id=7),
        "campaign": of("campaign.", id=9),
        "messages": [of("messages.", date=DATES, pending_message=0)],
    }


BODY = encode_body(payload())
WORDS = {
    fold(word)
    for text in PERSONAL.values()
    for word in re.findall(r"[^\W\d_]{3,}", text)
    if word.lower() not in ("com", "das", "ltda", "https", "http", "example")
}


def is_clean(text: str) -> bool:
    return not {fold(word) for word in re.findall(r"[^\W\d_]+", text)} & WORDS and "99871" not in text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Ana Lima", "Xxx Xxxx"),
        ("joão@ACME.com", "xxéx@XXXX.xxx"),
        ("+55 11 9-8", "+00 00 0-0"),
        ("李 ٣ 🙂", "é 0 é"),
        ("", ""),
    ],
)
def test_the_shape_of_a_text_stays(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_the_body_keeps_its_structure_and_shows_nobody() -> None:
    masked = mask_body(BODY)
    assert is_clean(masked)
    shown, real = json.loads(masked), json.loads(BODY)
    assert shown["contact"]["id"] == 4711
    assert shown["contact"]["invite_date"] == shown["messages"][0]["date"] == DATES
    assert shown["contact"]["reply_date"] is None
    assert list(shown["contact"]) == list(real["contact"])
    assert shown["contact"]["phone"] == "+00 (00) 00000-0000"
    assert len(shown["messages"][0]["message"]) == len(real["messages"][0]["message"])


def test_a_body_that_is_no_json_is_masked_as_a_text() -> None:
    assert mask_body(b"Ana") == "Xxx"


FORMS = {
    "as it is": lambda text: text,
    "in JSON": lambda text: json.dumps(text),
    "in JSON of PHP": lambda text: json.dumps(text).replace("/", "\\/"),
    "in JSON with letters": lambda text: json.dumps(text, ensure_ascii=False),
    "in HTML": lambda text: html.escape(text),
    "in an address": lambda text: f"https://crm.example/?v={quote(text, safe='')}&x=1",
    "in a form": lambda text: f"v={quote_plus(text)}",
    "in capitals": lambda text: text.upper(),
    "read as Latin-1": lambda text: text.encode().decode("latin-1"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", PERSONAL)
def test_what_an_answer_repeats_of_any_field_is_masked(field: str, form: str) -> None:
    repeated = FORMS[form](PERSONAL[field])
    masked = Masker(BODY).mask(f"invalid: {repeated}.")
    assert repeated not in masked
    assert is_clean(masked)
    assert masked.startswith("invalid: ")


@pytest.mark.parametrize(
    "answer",
    [
        "Duplicate entry 'QUINTAO' for key",
        "Olá, Mariangela!",
        '{"phone": "34998712345"}',
        "5534998712345 is not a mobile",
        "message: Oi Otávio, me liga no 34 99...",
        "role 'Diretora de operações e lo' too long",
        "see https://www.linkedin.com/in/mariangela-quintao-7a1/",
        "acucarfilhos.com.br does not resolve",
    ],
)
def test_parts_that_tell_a_person_are_masked(answer: str) -> None:
    assert is_clean(Masker(BODY).mask(answer))


def test_other_peoples_addresses_and_tax_numbers_are_masked() -> None:
    assert Masker(BODY).mask("ask ops@crm.example, CPF 123.456.789-09") == "ask xxx@xxx.xxxxxxx, CPF 000.000.000-00"


@pytest.mark.parametrize(
    "answer",
    [
        '{"error": "field contact.email is required", "code": 1048}',
        "Fatal error: Uncaught TypeError in /var/www/hook.php:17",
        "Erro ao salvar o contato: coluna de telefone não existe",
        "request 0190b2c4-11aa-7def-8001-0f00ba4455aa at 1732500000123",
        "Accepted",
        "",
    ],
)
def test_what_support_needs_stays(answer: str) -> None:
    assert Masker(BODY).mask(answer) == answer


def test_an_empty_body_masks_nothing_but_addresses() -> None:
    assert Masker(b"").mask("OK a@b.cd") == "OK x@x.xx"


def test_keys_of_access_in_an_address_are_not_shown() -> None:
    assert mask_query("https://crm.example/hook?token=abc&b=c%3Dd") == "https://crm.example/hook?token=…&b=…"
    assert mask_query("https://crm.example/hook") == "https://crm.example/hook"


def test_a_long_answer_takes_no_time() -> None:
    masker = Masker(BODY)
    started = time.thread_time()
    for text in ("a@" * 8000, "1 " * 8000, "Ana " * 4000, "x" * 16000, "1." * 8000):
        masker.mask(text)
    assert time.thread_time() - started < 2


def test_the_largest_body_is_learned_within_its_bound_and_hides_everything_beyond_it() -> None:
    """A body of 8 MB is not taken apart; an answer to it is masked as a whole, so that nothing of it shows."""
    payload_ = payload()
    payload_["messages"] = [{"message": "palavra curta " * 10_000} for _ in range(60)]
    body = json.dumps(payload_).encode()
    assert len(body) > 8_000_000
    started = time.thread_time()
    masked = Masker(body).mask("invalid: Quintão, code 17")
    assert masked == "xxxxxxx: Xxxxxéx, xxxx 00"
    assert time.thread_time() - started < 3


@pytest.mark.slow
@pytest.mark.parametrize("repeated", ["Ana ", "a.", "ab1 ", "é ", "x\\u00e3", "%C3%A3 ", "9 ", "a@b.c "])
def test_learning_and_masking_are_linear(repeated: str) -> None:
    def seconds(length: int) -> float:
        text = (repeated * length)[:length]
        body = json.dumps({"contact": {"name": text, "phone": text, "email": text}}).encode()
        started = time.thread_time()
        Masker(body).mask(text)
        return time.thread_time() - started

    seconds(1000)
    small, large = min(seconds(8_000) for _ in range(3)), min(seconds(32_000) for _ in range(3))
    assert large < 10 * small + 0.05


def test_a_name_of_one_letter_or_sign_masks_nothing() -> None:
    assert Masker(b'{"contact": {"name": "A", "role": ".", "current_company": "C++"}}').mask("a c . C") == "a c . C"


def test_the_small_words_of_a_name_tell_nobody_and_its_others_do() -> None:
    body = encode_body({"contact": {"name": "Ana da Costa dos Lagos"}})
    assert Masker(body).mask("Costa, da rua dos bancos") == mask("Costa") + ", da rua dos bancos"


@pytest.mark.parametrize(
    ("field", "given", "answer", "masked"),
    [
        ("phone", "11-234567", "1 1234 567", "0 0000 000"),
        ("phone", "55 11-234567", "+1 (1234) 567", "+0 (0000) 000"),
        ("phone", "55 11-234567", "211234567", "000000000"),
        ("phone", "1-234567", "9 1234 567", "9 1234 567"),
        ("phone", "11-234567", "1 1234 568", "1 1234 568"),
        ("role", "um dois tres quatro", "dois tres quatro", "xxxx xxxx xxxxxx"),
        ("role", "um dois tres quatro", "dois tres cinco", "dois tres cinco"),
        ("role", "um dois", "um dois", "xx xxxx"),
        ("role", "um dois", "um", "um"),
        ("role", "a b", "a b", "a b"),
        ("name", "Ana de Lima 77", "lima de 77 b", "xxxx de 77 b"),
    ],
)
def test_a_repeated_part_is_told_from_its_nearest_neighbour(field: str, given: str, answer: str, masked: str) -> None:
    assert Masker(json.dumps({"contact": {field: given}}).encode()).mask(answer) == masked


@pytest.mark.parametrize("key", ["invite_date", "accept_date", "collect_date", "reply_date"])
def test_every_date_stays_and_no_text_in_its_place(key: str) -> None:
    masked = json.loads(mask_body(encode_body({"contact": {key: DATES, "role": DATES}})))
    assert masked["contact"] == {key: DATES, "role": mask(DATES)}
    assert json.loads(mask_body(encode_body({key: f"{DATES}!"})))[key] == mask(f"{DATES}!")


@pytest.mark.parametrize("key", ["name", "sender_name", "linkedin_public_id", "current_company"])
def test_each_word_of_what_names_somebody_is_masked_by_itself(key: str) -> None:
    assert Masker(encode_body({"contact": {key: "Ana Lima Prado"}})).mask("lima") == "xxxx"


@pytest.mark.parametrize("key", ["name", "description"])
def test_a_word_of_a_campaign_tells_nobody(key: str) -> None:
    masker = Masker(encode_body({"campaign": {key: "Venda direta agora mesmo"}}))
    assert masker.mask("venda: direta agora mesmo") == "xxxxx: xxxxxx xxxxx xxxxx"
    assert masker.mask("venda direta; mesmo") == "venda direta; mesmo"


@pytest.mark.parametrize("word", ["da", "de", "di", "do", "dos", "das", "del", "van", "von", "Ltda", "Inc"])
def test_a_small_word_of_a_name_is_not_masked(word: str) -> None:
    assert Masker(encode_body({"contact": {"name": f"Ana {word} Lima"}})).mask(f"x {word} y") == f"x {word} y"


NOBODY = Masker(b"")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a%40b.cd", "x%00x.xx"),
        ("café.é@b.cd", "xxxé.é@x.xx"),
        ("12.345.678/0001-90", "00.000.000/0000-00"),
        ("123.456.789-09", "000.000.000-00"),
        ("123.456.789", "123.456.789"),
    ],
)
def test_addresses_and_tax_numbers_are_masked_whoever_they_are(text: str, masked: str) -> None:
    assert NOBODY.mask(text) == masked


@pytest.mark.parametrize(
    "written",
    [
        "Jo\\u00e3o",
        "Jo\\u00E3o",
        "Jo%C3%A3o",
        "Jo%E3o",
        "Jo&atilde;o",
        "Jo&#227;o",
        "Jo&#xe3;o",
        "Jo&#XE3;o",
    ],
)
def test_a_name_is_masked_however_it_is_escaped(written: str) -> None:
    masked = Masker(encode_body({"contact": {"name": "João"}})).mask(f"de {written}, sim")
    assert "João" not in html.unescape(masked)
    assert "Jo" not in masked
    assert masked.startswith("de ")
    assert masked.endswith(", sim")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("\\ud83d\\ude00", "\U0001f600"),
        ("\\uD83D\\uDE00", "\U0001f600"),
        ("\\uDBFF\\uDFFF", "\U0010ffff"),
        ("a\\nb", "a b"),
        ('\\"\\/\\\\', '"/\\'),
        ("&amp;&#65;&#x41;", "&AA"),
        ("&#128512;&#x1F600;", "\U0001f600\U0001f600"),
        ("%41%zz", "A%zz"),
    ],
)
def test_every_escape_is_read_as_what_it_means_in_its_place(written: str, meant: str) -> None:
    decoded = decode_escapes(f"x{written}y")
    assert decoded.text == f"x{meant}y"
    assert (decoded.places[0], decoded.places[len(meant) + 1]) == (0, len(written) + 1)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_name_whose_bytes_were_taken_for_another_encoding_is_masked(encoding: str) -> None:
    shown = "Àngela".encode().decode(encoding)
    assert "ngela" not in Masker(encode_body({"contact": {"name": "Àngela Prado"}})).mask(f"oi, {shown}!")
