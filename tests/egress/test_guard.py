"""No packet goes where it may not: corpus, rebinding, environment."""

import threading
import time
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import pycurl
import pytest
from requests import PreparedRequest

from portal.egress import AddressError, AddressPolicy, Egress, EgressError, client
from portal.egress.answer import Answer
from portal.egress.transport import Kept, Request, Route, StandIn, Transport
from tests.egress.conftest import LOOPBACK, MakeEgress, prepare
from tests.egress.hostile import HostileReceiver, always_ok
from tests.egress.test_address import CORPUS, PUBLIC, resolve_stub

REFUSED = [row for row in CORPUS if row["expected"] != "allow"]

LOOPBACK_FORMS = """
127.0.0.1 127.1 127.0.1 0x7f000001 0x7f.1 0177.0.0.1 2130706433 0 0.0.0.0 localhost LOCALHOST. [::1] [::]
[::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] ①②⑦.0.0.1 １２７.0.0.1 127。0。0。1
ⓛⓞⓒⓐⓛⓗⓞⓢⓣ user@127.0.0.1 127.0.0.1\\@hook.test hook.test@127.0.0.1 127.0.0.1%2f@hook.test 127.0.0.1. mix.test
mix2.test compat.test nat.test
"""


def with_port(url: str, port: int) -> str:
    """The same address, aimed at the canary where it names a host and no port."""
    try:
        parts = urlsplit(url.strip())
        return parts._replace(netloc=f"{parts.netloc}:{port}").geturl() if parts.port is None else url
    except ValueError:
        return url


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row["id"])
def test_refused_address_gets_no_connection(row: dict[str, str], make_egress: MakeEgress) -> None:
    egress = make_egress(PUBLIC, resolve=resolve_stub)
    with HostileReceiver(always_ok) as canary:
        for url in (row["url"], with_port(row["url"], canary.port)):
            with pytest.raises(EgressError) as caught:
                egress.send(prepare(url))
            expected = ["dns_failure"] if row["expected"] == "unresolvable" else ["invalid_url", "blocked_address"]
            assert caught.value.reason in expected
            assert not caught.value.request_sent
        assert canary.connections == 0


@pytest.mark.parametrize("host", LOOPBACK_FORMS.split())
def test_no_form_of_loopback_is_connected_to(host: str, make_egress: MakeEgress) -> None:
    egress = make_egress(PUBLIC, resolve=resolve_stub)
    with HostileReceiver(always_ok) as canary:
        with pytest.raises(EgressError):
            egress.send(prepare(f"http://{host}:{canary.port}/"))
        assert canary.connections == 0


def test_rebinding_name_is_refused_or_stays_pinned(make_egress: MakeEgress, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1", "127.0.0.1"]])
    egress = make_egress(resolve=lambda host, port: next(answers))
    with HostileReceiver(always_ok) as receiver:
        url = receiver.url(host="flip.test")
        assert egress.check(url).addresses == ("127.0.0.1",)
        assert egress.send(prepare(url)).address == "127.0.0.1"
        # Kept: neither the second send nor libcurl asks again.
        assert egress.send(prepare(url)).address == "127.0.0.1"
        monkeypatch.setattr(client, "ROUTE_SECONDS", -1)
        egress._routes.clear()
        with pytest.raises(EgressError, match="blocked_address"):
            egress.send(prepare(url))
        assert receiver.connections == 1


def test_answer_that_turned_private_is_refused_though_a_connection_is_open(
    make_egress: MakeEgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ROUTE_SECONDS", -1)
    current = ["127.0.0.1"]
    egress = make_egress(resolve=lambda host, port: current)
    with HostileReceiver(always_ok) as receiver:
        egress.send(prepare(receiver.url(host="flip.test")))
        current[:] = ["169.254.169.254"]
        with pytest.raises(EgressError, match="blocked_address"):
            egress.send(prepare(receiver.url(host="flip.test")))
        assert len(receiver.requests) == 1


def test_changed_answer_takes_effect_on_the_next_send(make_egress: MakeEgress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ROUTE_SECONDS", -1)
    current = ["127.0.0.1"]
    egress = make_egress(resolve=lambda host, port: current)
    with (
        HostileReceiver(always_ok) as old,
        HostileReceiver(always_ok, host="127.0.0.2", port=old.port) as new,
    ):
        for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"):
            current[:] = [address]
            assert egress.send(prepare(old.url(host="moves.test"))).address == address
        assert (len(old.requests), len(new.requests)) == (2, 2)


def exchange(transport: Transport, request: Request, *, stand_in: StandIn | None = None) -> Answer:
    """One exchange, driven by the handle itself."""
    stand_in = stand_in or StandIn(request.route, "0.invalid")
    transport.begin(request, stand_in, connect_timeout=1, timeout=1)
    code, message = 0, ""
    try:
        transport.curl.perform()
    except pycurl.error as error:
        code, message = error.args
    return transport.finish(code, message, started=0)


def test_guard_refuses_a_connection_that_nobody_checked() -> None:
    with HostileReceiver(always_ok) as canary:
        # As if libcurl had resolved by itself, to somewhere else.
        other = StandIn(Route(("127.0.0.1",), canary.port), "other.invalid")
        transport = Transport(Kept(), body_cap=1000, ca_file="unused")
        route = Route(("93.184.216.34",), canary.port)
        request = Request(f"http://hook.test:{canary.port}/", "/", route, [], b"{}")
        with pytest.raises(EgressError, match="blocked_address") as caught:
            exchange(transport, request, stand_in=other)
        assert not caught.value.request_sent
        assert canary.connections == 0
        transport.curl.close()


def test_exception_in_a_callback_is_raised_after_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(Transport, "_on_open_socket", fail)
    transport = Transport(Kept(), body_cap=1000, ca_file="unused")
    request = Request("http://hook.test:9/", "/", Route(("127.0.0.1",), 9), [], b"{}")
    with pytest.raises(ZeroDivisionError):
        exchange(transport, request)
    transport.curl.close()


def fails(egress: Egress, prepared: PreparedRequest) -> None:
    with pytest.raises(EgressError):
        egress.send(prepared)


def test_hanging_name_service_costs_one_host_its_time_only(make_egress: MakeEgress) -> None:
    release = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        if host == "hangs.test":
            release.wait(10)
        return ["127.0.0.1"]

    egress = make_egress(resolve=resolve, connect_timeout=1)
    with HostileReceiver(always_ok) as receiver:
        hanging = [threading.Thread(target=fails, args=(egress, prepare("http://hangs.test/"))) for _ in range(20)]
        for thread in hanging:
            thread.start()
        started = time.monotonic()
        assert egress.send(prepare(receiver.url(host="answers.test"))).body == b"OK"
        assert all(thread.is_alive() for thread in hanging), "it waited for none of them"
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("resolve hangs.test") == 1
        for thread in hanging:
            thread.join()
        assert time.monotonic() - started < len(hanging) / 2, "they wait together"
        assert egress.check("http://hangs.test/").addresses == ()
    release.set()


@pytest.mark.parametrize("answer", [[], OSError("no such name"), UnicodeError("label too long"), KeyError("x")])
def test_name_that_does_not_resolve(answer: object, make_egress: MakeEgress) -> None:
    def resolve(host: str, port: int) -> list[str]:
        if isinstance(answer, Exception):
            raise answer
        return []

    egress = make_egress(resolve=resolve)
    assert egress.check("http://nowhere.test/").addresses == ()
    with pytest.raises(EgressError) as caught:
        egress.send(prepare("http://nowhere.test/"))
    assert (caught.value.reason, caught.value.request_sent) == ("dns_failure", False)


def test_system_resolver_is_looked_up_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    egress = client.Egress(LOOPBACK)
    entry = (2, 1, 6, "", ("127.0.0.1", 80))
    monkeypatch.setattr("socket.getaddrinfo", lambda *arguments, **options: [entry, entry])
    assert egress.check("http://hook.test/").addresses == ("127.0.0.1",)


def test_environment_has_no_say(make_egress: MakeEgress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with HostileReceiver(always_ok) as receiver, HostileReceiver(always_ok) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
            monkeypatch.setenv(name.upper(), proxy.url(""))
        netrc = tmp_path / ".netrc"
        netrc.write_text("default login me password secret\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, "/nonexistent")
        assert make_egress().send(prepare(receiver.url(host="hook.test"))).body == b"OK"
        assert proxy.connections == 0
        assert b"authorization" not in receiver.requests[0].lower()


def test_networks_of_the_operator_do_not_open_other_ports(make_egress: MakeEgress) -> None:
    everything = AddressPolicy(allowed_networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    egress = make_egress(everything)
    for url in ("http://127.0.0.1:6379/", "http://127.0.0.1:22/", "http://169.254.169.254/"):
        with pytest.raises(AddressError):
            egress.check(url)


def test_libcurl_speaks_nothing_but_http() -> None:
    transport = Transport(Kept(), body_cap=1000, ca_file="unused")
    request = Request("ftp://hook.test/", "/", Route(("127.0.0.1",), 21), [], None)
    with pytest.raises(EgressError, match="protocol_error"):
        exchange(transport, request)
    transport.curl.close()
    assert "ftp" in pycurl.version_info()[8]
