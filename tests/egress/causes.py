"""Receivers that no request gets through to, each by one cause, on loopback."""

import contextlib
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.authority import Authority
from tests.egress.hostile import Act, HostileReceiver, Wire, always_ok

Open = Callable[[Authority], AbstractContextManager[str]]
"""Makes a receiver, and gives its address while it listens."""


@dataclass(frozen=True)
class Cause:
    """What is wrong, how to have it so, and the reason that names it."""

    name: str
    open: Open
    reason: str


@contextlib.contextmanager
def unanswered(_: Authority) -> Iterator[str]:
    """A port whose queue is full: the kernel drops every further SYN, as a firewall does."""
    with socket.socket() as listening, contextlib.ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _number in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield f"https://hook.test:{address[1]}/hook"


@contextlib.contextmanager
def refused(_: Authority) -> Iterator[str]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"https://hook.test:{bound.getsockname()[1]}/hook"


def behaving(act: Act, scheme: str = "http") -> Open:
    """A receiver without TLS, reached by an address of that scheme."""

    @contextlib.contextmanager
    def open_receiver(_: Authority) -> Iterator[str]:
        with HostileReceiver(act) as receiver:
            yield f"{scheme}://hook.test:{receiver.port}/hook"

    return open_receiver


def with_tls(make_context: Callable[[Authority], ssl.SSLContext], scheme: str = "https") -> Open:
    """A receiver with TLS that would answer well."""

    @contextlib.contextmanager
    def open_receiver(authority: Authority) -> Iterator[str]:
        with HostileReceiver(always_ok, tls=make_context(authority)) as receiver:
            yield f"{scheme}://hook.test:{receiver.port}/hook"
            assert receiver.requests == []

    return open_receiver


def says(banner: bytes) -> Act:
    return lambda wire: (wire.say(banner), wire.wait(0.3))[0]


def alerts(wire: Wire) -> None:
    """Answer plain http as a TLS server does."""
    wire.read_request()
    wire.say(b"\x15\x03\x01\x00\x02\x02\x46")


def cuts(wire: Wire) -> None:
    """Reset the connection once the handshake has begun."""
    wire.read_some()
    wire.reset()


def old(authority: Authority) -> ssl.SSLContext:
    context = authority.context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def demanding(authority: Authority) -> ssl.SSLContext:
    context = authority.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    return context


def demanding_by_tls_1_2(authority: Authority) -> ssl.SSLContext:
    context = demanding(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def alerting(alert: ssl.AlertDescription) -> Callable[[Authority], ssl.SSLContext]:
    """Refuses the name that it is asked for."""

    def make_context(authority: Authority) -> ssl.SSLContext:
        context = authority.context()
        context.sni_callback = lambda *_: alert
        return context

    return make_context


def without_intermediate(authority: Authority) -> ssl.SSLContext:
    return Authority(authority.file.parent, common_name="Test intermediate", vouched_by=authority).context()


def of_private_authority(authority: Authority) -> ssl.SSLContext:
    private = Authority(authority.file.parent, common_name="Private authority")
    return private.context(sends=private.file.read_bytes())


BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
SSH, SMTP = b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail.test ESMTP\r\n"
CAUSES = [
    Cause("SYN unanswered", unanswered, "not_connected"),
    Cause("refused", refused, "connection_refused"),
    Cause("TLS never starts", behaving(lambda wire: wire.wait(5) and None, "https"), "tls_timeout"),
    Cause("https to http", behaving(says(BAD_REQUEST), "https"), "tls_missing"),
    Cause("https to SSH", behaving(says(SSH), "https"), "tls_missing"),
    Cause("http to https", behaving(alerts), "tls_expected"),
    Cause("SSH", behaving(says(SSH)), "not_http"),
    Cause("SMTP", behaving(says(SMTP)), "not_http"),
    Cause("TLS too old", with_tls(old), "tls_version"),
    Cause("expired", with_tls(lambda each: each.context(days=(-9, -1))), "tls_expired"),
    Cause("not yet valid", with_tls(lambda each: each.context(days=(1, 9))), "tls_not_yet_valid"),
    Cause("another name", with_tls(lambda each: each.context("other.test")), "tls_wrong_name"),
    Cause("self-signed", with_tls(lambda each: each.context(self_signed=True)), "tls_self_signed"),
    Cause("private authority", with_tls(of_private_authority), "tls_untrusted"),
    Cause("without its intermediate", with_tls(without_intermediate), "tls_incomplete_chain"),
    Cause("client certificate", with_tls(demanding), "tls_client_certificate"),
    Cause("client certificate, TLS 1.2", with_tls(demanding_by_tls_1_2), "tls_refused"),
    Cause("unknown name", with_tls(alerting(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)), "tls_refused"),
    Cause("TLS broken", with_tls(alerting(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR)), "tls_refused"),
    Cause("reset in the handshake", behaving(cuts, "https"), "tls_failure"),
    Cause("closed in the handshake", behaving(lambda wire: None, "https"), "tls_failure"),
    Cause("closed without an answer", behaving(lambda wire: wire.read_request() and None), "connection_failed"),
]
