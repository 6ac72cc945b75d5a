"""Each cause that keeps a request from its receiver has its own reason, and nothing is said to have gone out."""

import errno
import socket
import threading

import pycurl
import pytest

from portal.egress import EgressError
from portal.egress.faults import Fault
from tests.authority import Authority
from tests.egress.causes import CAUSES, Cause
from tests.egress.conftest import MakeEgress, prepare


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_cause_before_an_answer(cause: Cause, make_egress: MakeEgress, authority: Authority) -> None:
    egress = make_egress(ca_file=str(authority.file), connect_timeout=0.4, deadline=2)
    with cause.open(authority) as url, pytest.raises(EgressError) as caught:
        egress.send(prepare(url))
    assert caught.value.reason == cause.reason
    assert caught.value.detail
    if cause.reason.startswith("tls_") and cause.reason != "tls_expected":
        assert not caught.value.request_sent


@pytest.mark.parametrize(
    ("os_error", "reason"),
    [
        (errno.ECONNREFUSED, "connection_refused"),
        (errno.ECONNRESET, "connection_reset"),
        (errno.EHOSTUNREACH, "unreachable"),
    ],
)
def test_a_connection_that_is_cut_as_it_begins_is_no_network_without_a_way(os_error: int, reason: str) -> None:
    """libcurl gives both the same number: which of them it was says the operating system."""
    fault = Fault(pycurl.E_COULDNT_CONNECT, "", os_error, 0, is_connected=False, request_sent=False, has_headers=False)
    assert fault.reason == reason


def test_name_service_that_does_not_answer(make_egress: MakeEgress) -> None:
    release = threading.Event()
    egress = make_egress(resolve=lambda host, port: ["127.0.0.1"] * release.wait(10), connect_timeout=0.2)
    with pytest.raises(EgressError, match="dns_timeout"):
        egress.send(prepare("http://hook.test/"))
    release.set()


def test_no_way_through_the_network(make_egress: MakeEgress, monkeypatch: pytest.MonkeyPatch) -> None:
    egress = make_egress(resolve=lambda host, port: ["127.255.255.255"])
    with pytest.raises(EgressError) as caught:
        egress.send(prepare("http://hook.test:9999/"))
    assert (caught.value.reason, caught.value.request_sent) == ("unreachable", False)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (socket.EAI_AGAIN, "dns_unavailable"),
        (socket.EAI_FAIL, "dns_unavailable"),
        (socket.EAI_NONAME, "dns_failure"),
    ],
)
def test_a_name_service_that_cannot_tell_is_not_a_name_that_does_not_exist(
    make_egress: MakeEgress, failure: int, reason: str
) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(failure, "no answer")

    egress = make_egress(resolve=resolve)
    with pytest.raises(EgressError) as caught:
        egress.send(prepare("http://hook.test/"))
    assert (caught.value.reason, caught.value.request_sent) == (reason, False)
    assert egress.check("http://hook.test/").warnings == ("plain_http", "unresolved")
