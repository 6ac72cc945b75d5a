"""Who somebody is, from whatever somebody typed, copied or exported."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.rules.identity import MAX_LOOKED_AT, clean_text, email_address, has_marks, linkedin_id, says_nothing


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
