import json
from ipaddress import ip_network
from pathlib import Path

import pytest

from portal.egress import AddressError, AddressPolicy, parse_address
from portal.egress.address import BLOCKED_PORTS, MAX_URL_LENGTH
from tests.egress.conftest import MakeEgress

PUBLIC = AddressPolicy()
LINES = [json.loads(line) for line in Path("tests/data/urls.jsonl").read_text().splitlines()]
STUB_DNS, CORPUS = LINES[0]["stub_dns"], LINES[1:]


def resolve_stub(host: str, port: int) -> list[str]:
    return STUB_DNS.get(host, [])


def problem_of(url: str, policy: AddressPolicy = PUBLIC) -> str:
    with pytest.raises(AddressError) as caught:
        parse_address(url, policy)
    return caught.value.problem


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row["id"])
def test_corpus_of_addresses(row: dict[str, str], make_egress: MakeEgress) -> None:
    egress = make_egress(PUBLIC, resolve=resolve_stub)
    try:
        outcome = "allow" if egress.check(row["url"]).addresses else "unresolvable"
    except AddressError:
        outcome = "refuse"
    assert outcome == row["expected"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "scheme"),
        ("http:/hook.test/", "scheme"),
        ("http//hook.test/", "scheme"),
        ("https", "scheme"),
        ("https://https://hook.test/", "unparsable"),
        ("https://HTTP://hook.test/", "unparsable"),
        ("http://https:/hook.test/", "unparsable"),
        ("ws://hook.test/", "scheme"),
        ("httpſ://hook.test/", "scheme"),
        ("http://\\hook.test/", "character"),
        ("http:\\\\hook.test/", "character"),
        ("http://127.0.0.1\\@hook.test/", "character"),
        ("https://hook.test/\n", "character"),
        ("\thttps://hook.test/", "character"),
        ("https://hook.test/\0", "character"),
        ("https://hook .test/", "character"),
        ("https://hook.test/a\u00a0b", "character"),
        ("https://hook.test/\u2028", "character"),
        ("https://hook\u00ad.test/", "character"),
        ("https://hook.test/\u202eexe", "character"),
        ("https://hook.test/\ufeff", "character"),
        ("https://hook.test/\u3164", "character"),
        ("https://hook.test/\ufe0f", "character"),
        ("https://hook.test/\U000e0041", "character"),
        ("https://hook.test/\ud800", "character"),
        ("https://@hook.test/", "userinfo"),
        ("https://:@hook.test/", "userinfo"),
        ("https://a@b@hook.test/", "userinfo"),
        ("https://hook%2etest/", "percent_host"),
        ("https://127.0.0.1%2f@hook.test/", "userinfo"),
        ("https://%6c%6f%63%61%6c%68%6f%73%74/", "percent_host"),
        ("https://?x", "no_host"),
        ("https://#x", "no_host"),
        ("https://:443/", "no_host"),
        ("https://..", "bad_host"),
        ("https://hook..test/", "bad_host"),
        ("https://.hook.test/", "bad_host"),
        ("https://hook.test../", "bad_host"),
        ("https://hook-.test/", "bad_host"),
        ("https://hook!.test/", "bad_host"),
        ("https://*.hook.test/", "bad_host"),
        ("https://hook.test,evil.test/", "bad_host"),
        ("https://hook.test;evil.test/", "bad_host"),
        ("https://" + "a" * 64 + ".test/", "bad_host"),
        ("https://" + "a." * 127 + "test/", "bad_host"),
        ("http://0x7f.0x0.0x0.0x1/", "numeric_host"),
        ("http://017700000001/", "numeric_host"),
        ("http://127.0.0.01/", "numeric_host"),
        ("http://127.0.0.0x1/", "numeric_host"),
        ("http://1.2.3.4.5/", "numeric_host"),
        ("http://93.184.216.34./", "numeric_host"),
        ("http://93.184.55330/", "numeric_host"),
        ("http://hook.1/", "numeric_host"),
        ("http://0x/", "numeric_host"),
        ("http://\u0661\u0662\u0667.0.0.1/", "numeric_host"),
        ("http://127\u30020\u30020\u30021/", "unparsable"),
        ("http://hook\uff0etest/", "unparsable"),
        ("http://hoo\u212a.test/", "unparsable"),
        ("http://\U0001f4a9.test/", "unparsable"),
        ("http://xn--a/", "unparsable"),
        ("http://[hook.test]/", "unparsable"),
        ("http://[v1.x]/", "unparsable"),
        ("http://[::1]x/", "unparsable"),
        ("http://[[::1]]/", "unparsable"),
        ("http://::1]/", "unparsable"),
        ("http://[]/", "unparsable"),
        ("http://[127.0.0.1]/", "unparsable"),
        ("http://[::ffff:0177.0.0.1]/", "unparsable"),
        ("https://hook.test:８０/", "unparsable"),
        ("https://hook.test:+80/", "unparsable"),
        ("https://hook.test:8_0/", "unparsable"),
        ("https://hook.test:99999999999999999999/", "unparsable"),
        ("https://hook.test/" + "a" * 2048, "too_long"),
        ("https://hook.test:00022/", "port"),
        ("http://localhost:8000/", "local_name"),
        ("http://crm.localhost/", "local_name"),
        ("http://printer.local/", "local_name"),
        ("http://metadata.google.internal/", "local_name"),
        ("http://router.home.arpa/", "local_name"),
        ("http://localhost.localdomain/", "local_name"),
        ("http://[::127.0.0.1]/", "not_public"),
        ("http://[::ffff:0:127.0.0.1]/", "not_public"),
    ],
)
def test_refuses_what_an_attacker_or_a_clumsy_admin_types(url: str, problem: str) -> None:
    assert problem_of(url) == problem


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        (" \u00a0HTTPS://Hook.Test.:443#frag\u3000", "https://hook.test/"),
        ("http://hook.test:80?x=1", "http://hook.test/?x=1"),
        ("https://https.test/", "https://https.test/"),
        ("https://hook.test/https://x", "https://hook.test/https://x"),
        ("http://hook.test:0443/", "http://hook.test:443/"),
        ("https://hook.test/a//b/./../c;d=1?", "https://hook.test/a//b/./../c;d=1?"),
        ("https://hook.test/%7e%2F%zz%", "https://hook.test/%7e%2F%zz%"),
        ("https://hook.test/ação?q=é", "https://hook.test/a%C3%A7%C3%A3o?q=%C3%A9"),
        ("https://hook.test/<\"{|}^`>'[]", "https://hook.test/%3C%22%7B%7C%7D%5E%60%3E'[]"),
        ("https://BÜCHER.test/", "https://xn--bcher-kva.test/"),
        ("https://bu\u0308cher.test/", "https://xn--bcher-kva.test/"),
        ("https://fa\u00df.test/", "https://xn--fa-hia.test/"),
        ("https://r3---sn.my_host.test/", "https://r3---sn.my_host.test/"),
        ("https://[2606:2800:0220:0001:0:0:0:1]:8443/", "https://[2606:2800:220:1::1]:8443/"),
    ],
)
def test_normalises(url: str, normalised: str) -> None:
    address = parse_address(url, PUBLIC)
    assert address.url == normalised
    assert parse_address(address.url, PUBLIC) == address


@pytest.mark.parametrize("port", sorted(BLOCKED_PORTS))
def test_ports_of_other_services_are_blocked(port: int) -> None:
    assert problem_of(f"https://hook.test:{port}/") == "port"


def test_plain_http_warns_and_can_be_refused() -> None:
    assert parse_address("http://hook.test/", PUBLIC).warnings == ("plain_http",)
    assert parse_address("https://hook.test/", PUBLIC).warnings == ()
    assert problem_of("http://hook.test/", AddressPolicy(require_https=True)) == "https_required"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/", "http://localhost:9000/", "http://crm.internal/"])
def test_allowed_networks_permit_private_receivers(url: str, make_egress: MakeEgress) -> None:
    policy = AddressPolicy(allowed_networks=(ip_network("127.0.0.0/8"),))
    egress = make_egress(policy, resolve=lambda host, port: ["::1", "127.0.0.1"])
    # ::1 is not in the network, but a local name is answered by the machine itself: it is only left out.
    assert egress.check(url).addresses == ("127.0.0.1",)


def test_allowed_networks_permit_nothing_else(make_egress: MakeEgress) -> None:
    egress = make_egress(resolve=lambda host, port: ["127.0.0.1", "10.0.0.5"])
    with pytest.raises(AddressError):
        egress.check("http://mixed.test/")
    with pytest.raises(AddressError):
        egress.check("http://localhost:6379/")


def test_refusal_does_not_tell_which_address_a_name_has(make_egress: MakeEgress) -> None:
    with pytest.raises(AddressError) as caught:
        make_egress(PUBLIC, resolve=resolve_stub).check("http://priv.test/")
    assert (caught.value.reason, caught.value.problem) == ("blocked_address", "not_public")
    assert "10.0" not in str(caught.value)


def test_a_number_that_names_a_network_card_is_refused_in_an_allowed_network_too(make_egress: MakeEgress) -> None:
    policy = AddressPolicy(allowed_networks=(ip_network("fe80::/10"),))
    for answer, is_refused in (("fe80::1", False), ("fe80::1%eth0", True), ("no address", True)):
        egress = make_egress(policy, resolve=lambda host, port, answer=answer: [answer])
        if is_refused:
            with pytest.raises(AddressError):
                egress.check("http://card.test/")
        else:
            assert egress.check("http://card.test/").addresses == (answer,)


@pytest.mark.parametrize(
    ("url", "problem", "reason"),
    [
        ("https://hook.test:25/", "port", "blocked_address"),
        ("https://localhost/", "local_name", "blocked_address"),
        ("https://10.0.0.5/", "not_public", "blocked_address"),
        ("ftp://hook.test/", "scheme", "invalid_url"),
        ("https://a@hook.test/", "userinfo", "invalid_url"),
        ("https://0x7f.1/", "numeric_host", "invalid_url"),
    ],
)
def test_what_leads_inwards_is_blocked_and_what_cannot_be_read_is_invalid(url: str, problem: str, reason: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(url, PUBLIC)
    assert (caught.value.problem, caught.value.reason) == (problem, reason)


def test_an_address_that_escaping_makes_too_long_is_refused() -> None:
    url = "https://crm.example.com/" + "é" * 600
    assert len(url) < MAX_URL_LENGTH < len(url) + 5 * 600
    with pytest.raises(AddressError):
        parse_address(url, PUBLIC)


def test_an_address_is_as_long_as_it_may_be_and_no_longer() -> None:
    begin = "https://hook.test/"
    longest = begin + "a" * (MAX_URL_LENGTH - len(begin))
    assert parse_address(longest, AddressPolicy()).url == longest
    with pytest.raises(AddressError, match="longer than"):
        parse_address(longest + "a", AddressPolicy())
