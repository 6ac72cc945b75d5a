"""Who somebody is, from whatever somebody typed, copied or exported."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.rules.identity import (
    FILLERS,
    MAX_EMAIL,
    MAX_LOOKED_AT,
    clean_text,
    email_address,
    has_marks,
    is_empty,
    linkedin_id,
    public_id,
    says_nothing,
    shows_link,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://www.linkedin.com/in/maria-silva", "maria-silva"),
        ("Veja linkedin.com/in/maria-silva.", "maria-silva"),
        ("linkedin.com/in/maria-silva/?trk=x#about", "maria-silva"),
        ("https://br.linkedin.com/in/um/?locale=pt_BR", "um"),
        ("http://www.linkedin.com:443//in//dois/en", "dois"),
        ("HTTPS://WWW.LINKEDIN.COM/IN/MariaSilva", "mariasilva"),
        ("https://www.linkedin.com/in/jo%C3%A3o", "joão"),
        ("https://www.linkedin.com/in/jo%25C3%25A3o", "joão"),
        ("https://www.linkedin.com/in/jo%E3o", "joão"),
        ("https://www.linkedin.com/in/joa\u0303o", "joão"),
        ("JOÃO", "joão"),
        ("https://www.linkedin.com/pub/tres/12/345/678", "tres-67834512"),
        ("https://sy.linkedin.com/pub/tres/a7/576/b50?trk=x", "tres-b50576a7"),
        ("https://www.linkedin.com/pub/tres", "tres"),
        ("/in/quatro", "quatro"),
        ("in/quatro/", "quatro"),
        ("https://www.linkedin.com/mwlite/in/cinco", "cinco"),
        ("https://www.linkedin.com/mwlite/profile/in/cinco", "cinco"),
        ("https://www.linkedin.com/comm/in/seis", "seis"),
        ("https://www.linkedin.com/in/seis/overlay/contact-info/", "seis"),
        ('=HYPERLINK("https://www.linkedin.com/in/sete";"ver")', "sete"),
        ("<https://www.linkedin.com/in/oito>", "oito"),
        ("Ana Lira (www.linkedin.com/in/ana-lira)", "ana-lira"),
        ("https://www.linkedin.com/company/xis https://www.linkedin.com/in/ana", "ana"),
        ("https://www.google.com/url?q=https%3A%2F%2Fwww.linkedin.com%2Fin%2Fana&sa=D", "ana"),
        ("@sete-b", "sete-b"),
        (" sete-b\u200b ", "sete-b"),
        ("linkedin.com/in/ACoAABQ11fIBQLGQbB1V1XPBZJsRwfK5r1U2Rzt", "ACoAABQ11fIBQLGQbB1V1XPBZJsRwfK5r1U2Rzt"),
    ],
)  # fmt: skip
def test_a_profile_is_known_by_every_form_of_its_address(text, expected):
    assert linkedin_id(text) == expected


@pytest.mark.parametrize(
    "text", ["", "-", "—", "n/a", "N/D", "null", "None", "não tem", "Sem LinkedIn", "#N/A", "0", "sim"]
)
def test_some_texts_name_nobody_and_say_so(text):
    assert linkedin_id(text) is None
    assert email_address(text) is None
    assert says_nothing(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://www.linkedin.com/company/xis",
        "https://www.linkedin.com/school/usp/",
        "https://www.linkedin.com/sales/lead/ACwAAB12xyz,NAME_SEARCH,ab12",
        "https://www.linkedin.com/sales/people/ACwAAB12",
        "https://www.linkedin.com/search/results/people/?keywords=in/ana",
        "https://www.linkedin.com/pub/dir/Ana/Lira",
        "https://example.com/in/ana",
        "linkedin.com",
        "ana@x.test",
        "Ana Lira",
        "12",
        "https://www.linkedin.com/in/undefined",
        "https://www.linkedin.com/in/me/",
        "https://www.linkedin.com/in/Ana.Lima",
        "x" * 201,
        "https://www.linkedin.com/in/ana" + " " * MAX_LOOKED_AT,
    ],
)
def test_what_is_no_profile_is_none(text):
    assert linkedin_id(text) is None
    assert not says_nothing(text)


def test_an_email_that_grows_in_lower_case_is_still_capped() -> None:
    host = "@" + ".".join(["İ" * 60] * 4) + ".test"
    assert len(host) < len("a" + host) <= MAX_EMAIL < len("a" + host.lower())
    assert email_address("a" + host) is None
    assert email_address("a@x.İ") == "a@x.i\u0307"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ana@X.test", "ana@x.test"),
        ("Bia Mota <bia@x.test>", "bia@x.test"),
        ("mailto:doca@x.test?subject=oi", "doca@x.test"),
        ("rita@x.test ::: r2@x.test", "rita@x.test"),
        ("a@x.test; b@x.test", "a@x.test"),
        ("sem, mas: b@x.test.", "b@x.test"),
        ("'o'neil+x@a-b.co.uk'", "o'neil+x@a-b.co.uk"),
        ("'ana@x.test';'bia@x.test'", "ana@x.test"),
        ("E-mail:'ana@x.test'", "ana@x.test"),
        ("Ana ('ana@x.test')", "ana@x.test"),
        ("arroba", None),
        ("a@b", None),
        ("@x.test", None),
        ("a@x..test", None),
        ("(sem e-mail)", None),
        ("x" * 65 + "@x.test", None),
        ("a@" + "x" * 250 + ".test", None),
    ],
)
def test_an_e_mail_is_the_first_address_in_lower_case(text, expected):
    assert email_address(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Ana \t Lima\n", "Ana Lima"),
        ("\u202eAna\u202c \u200bLima\x00", "Ana Lima"),
        ("\u200b\u200b", ""),
        ("\u3164", ""),
        ("\u2800 \u00ad", ""),
        *((character, "") for character in "\x01\x85\u00ad\ud800\u0301\u0488\u2003\u2028\u2029"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("Ana 👩‍💻", "Ana 👩‍💻"),
    ],
)
def test_what_cannot_be_seen_is_taken_out_of_a_name(text, expected):
    assert clean_text(text) == expected
    assert not has_marks(expected)


texts = st.text(st.sampled_from("aÁß%/ .:@-\u0303\u200bİ2") | st.characters(), max_size=40)


@given(texts | texts.map("https://www.linkedin.com/in/{}".format) | texts.map("a{}@x.test".format))
def test_what_was_read_is_read_the_same_again(text):
    for read in (linkedin_id, email_address, clean_text):
        once = read(text)
        assert not once or read(once) == once


@pytest.mark.parametrize("part", ["a@", "linkedin.com/", "%25", "(", "in/", "a@b.", "'", "\u0303", "=HYPERLINK("])
def test_the_time_is_bounded_whatever_the_text(part):
    begun = time.process_time()
    for length in (MAX_LOOKED_AT, 10 * MAX_LOOKED_AT):
        text = part * (length // len(part))
        linkedin_id(text)
        email_address(text)
    assert time.process_time() - begun < 1


KEY = "ACoA" + "Ab1_-" * 4


@pytest.mark.parametrize(
    ("text", "expected", "public"),
    [
        (f"linkedin.com/in/{KEY}", KEY, None),
        (f"linkedin.com/in/{KEY.replace('o', 'w', 1)}", KEY.replace("o", "w", 1), None),
        (f"linkedin.com/in/{KEY[:-1]}", KEY[:-1].lower(), KEY[:-1].lower()),
        (f"linkedin.com/in/{KEY.replace('o', 'x', 1)}", *[KEY.replace("o", "x", 1).lower()] * 2),
        ("AB", "ab", "ab"),
        ("a1", "a1", "a1"),
        ("123", "123", "123"),
        ("linkedin.com/in/12", None, None),
        ("linkedin.com/in/---", None, None),
        ("linkedin.com/in/link", None, None),
        ("linkedin.com/in/links", "links", "links"),
        ("linkedin.com/in/a%25252Db", "a-b", "a-b"),
        ("linkedin.com/in/a%2525252Db", "a%2db", "a%2db"),
        ("linkedin.com/pub/ana/1/2", "ana", "ana"),
        ("linkedin.com/pub/ana/1/2/3/4", "ana-321", "ana-321"),
        ("linkedin.com/pub/ana/1/2/?", "ana", "ana"),
        ("linkedin.com/in/ana/1/2/3", "ana", "ana"),
        ("linkedin.com/pub/dir", None, None),
        ("linkedin.com/PUB/DIR/Ana/Lira", None, None),
        ("linkedin.com/in/dir", "dir", "dir"),
        ("mobile/in/ana", "ana", "ana"),
        ("x/in/ana", None, None),
    ],
)
def test_an_id_is_told_from_its_nearest_neighbour(text: str, expected: str | None, public: str | None) -> None:
    assert (linkedin_id(text), public_id(text)) == (expected, public)


@pytest.mark.parametrize(
    ("read", "text", "fill"),
    [(is_empty, "#n/a", " "), (shows_link, "Perfil", " "), (says_nothing, "sem x", "x"), (says_nothing, "no x", "x")],
)
def test_what_is_as_long_as_a_real_value_says_something(read, text, fill):
    assert [read(text.ljust(length, fill)) for length in (39, 40)] == [True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 64 + "@x.test", "x" * 64 + "@x.test"),
        ("é" * 64 + "@x.test", "é" * 64 + "@x.test"),
        ("é" * 65 + "@x.test", None),
        (".a@x.test", "a@x.test"),
        ("a.@x.test.", "a.@x.test"),
        ("a@b@x.test", None),
        ("A@X.TEST", "a@x.test"),
    ],
)
def test_an_e_mail_is_told_from_its_nearest_neighbour(text, expected):
    assert email_address(text) == expected


@pytest.mark.parametrize(
    ("text", "nothing"),
    [("#n/a n/d", True), ("#n/a x", False), ("null", True), ("nulo", False), ("★", False), ("- / –", True)],
)
def test_a_cell_is_empty_where_every_word_stands_for_nothing(text, nothing):
    assert is_empty(text) is nothing


@pytest.mark.parametrize("filler", FILLERS)
def test_what_is_drawn_as_nothing_says_nothing_beside_a_dash(filler: str) -> None:
    assert is_empty(f"-{filler}")
    assert not is_empty(f"-{filler}★")


EMPTY = """
n/a n/d n.a. n.d. null undefined (null) (blank) (vazio) <null> [null] #n/a #n/d #null! #ref! #value! #valor! #div/0!
#name? #nome? #num! #getting_data
"""
NOBODY = """
na nd nan nil none nenhum nenhuma nada ninguém sem vazio empty blank missing unknown desconhecido desconocido ninguno
ninguna tbd pendente 0 false true sim não no yes sí ok x xx xxx teste test me linkedin perfil profile ver link url
"""


@pytest.mark.parametrize("word", EMPTY.split())
def test_what_programs_write_into_an_empty_cell_is_empty_and_what_is_nearly_that_is_not(word):
    assert is_empty(f" {word.upper()} ")
    assert not is_empty(f"{word} Lima")


@pytest.mark.parametrize("word", NOBODY.split())
def test_a_word_that_people_write_where_they_have_no_id_names_nobody_and_a_longer_one_does(word):
    assert (linkedin_id(f"linkedin.com/in/{word}"), says_nothing(word.title())) == (None, True)
    assert linkedin_id(f"{word}-silva") == f"{word}-silva"


@pytest.mark.parametrize("said", ["não tenho", "sem perfil", "no email", "not available", "sin correo", "without it"])
def test_a_sentence_that_there_is_none_says_nothing(said):
    assert says_nothing(said)
    assert not says_nothing(f"x{said}")


@pytest.mark.parametrize(
    ("word", "shows"),
    [
        ("LinkedIn", True),
        ("Perfil", True),
        ("profile", True),
        ("ver", True),
        ("link", True),
        ("URL", True),
        ("linked", False),
        ("n/a", False),
    ],
)
def test_what_a_link_shows_is_known(word, shows):
    assert shows_link(word) is shows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linkedin.com.br/in/ana", "ana"),
        ("linkedin.com:8080/in/ana", "ana"),
        ("linkedin.company/in/ana", None),
        ("m/in/ana", "ana"),
        ("linkedin.com/m/in/ana", "ana"),
        ("linkedin.com/public-profile/in/ana", "ana"),
        ("https://br.linkedin.com/in/ana", "ana"),
        ("https://br.linkedin.com/in/me", None),
        ("https://linkedin.com/in/-n/a-", "-n"),
    ],
)
def test_an_address_of_a_profile_has_parts_that_may_be_there(text, expected):
    assert linkedin_id(text) == expected
