"""Whatever we accept means the same to libcurl, which connects, and to urllib, which the rest of the portal may use."""

from urllib.parse import urlsplit

import pycurl
from hypothesis import example, given
from hypothesis import strategies as st

from portal.egress import AddressError, AddressPolicy, parse_address
from portal.egress.address import origin_of

PIECES = (
    "http https :// / \\ @ : # ? [ ] . .. % %2f %00 ; & = _ - xn-- hook.test 127.0.0.1 0x7f ::1 localhost 8443 80 é ß "
    "。 ． ① １ \u200b \u00ad \t \n \x00 a ~ ! $ ' ( ) * + , | ^ ` { } < > \" İ K 🙂"
)
PIECE = st.sampled_from([" ", *PIECES.split(" ")])
URLS = st.one_of(
    st.lists(PIECE, max_size=12).map(lambda parts: "https://" + "".join(parts)),
    st.lists(PIECE, max_size=12).map("".join),
    st.text(max_size=40).map(lambda text: "http://" + text),
)


@given(URLS)
@example("https://hook.test:8443/a?b@c:1#d")
@example("https://[2606:2800:220:1::1]:8443/?")
def test_parsers_agree_on_what_is_accepted(url: str) -> None:
    try:
        address = parse_address(url, AddressPolicy())
    except AddressError:
        return
    assert address.url.isascii()
    assert parse_address(address.url, AddressPolicy()) == address
    for text in (address.url, f"{origin_of(address.url)}/"):
        curl = pycurl.CurlUrl(text, pycurl.U_PATH_AS_IS)
        assert (curl.host or "").strip("[]") == address.host
        assert int(curl.getpart(pycurl.UPART_PORT, pycurl.U_DEFAULT_PORT) or 0) == address.port
        assert (curl.scheme, curl.user, curl.fragment) == (address.scheme, None, None)
        parts = urlsplit(text)
        assert (parts.hostname, parts.scheme, parts.username) == (address.host, address.scheme, None)
