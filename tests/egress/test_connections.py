"""What goes over the wire, over which connection, and under which certificate."""

import re
import socket
import threading
import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pycurl
import pytest
import requests
from requests.exceptions import InvalidHeader

from portal.egress import AddressPolicy, Egress, EgressAdapter, EgressError, loop, open_session, transport
from tests.authority import Authority
from tests.egress.conftest import PATIENCE, MakeEgress, prepare
from tests.egress.hostile import OK, HostileReceiver, Wire, always_ok, answers, whole


def test_request_goes_out_byte_for_byte(egress: Egress) -> None:
    with HostileReceiver(always_ok) as receiver:
        url = receiver.url("/a/../b//%2e%zz?é&[x]#gone", host="Hook.Test.")
        answer = egress.send(prepare(url, b'{"a":"\\u00e3"}', User_Agent="Portal/1", webhook_id="m1", X_empty=""))
        assert (answer.status_code, answer.body, answer.address) == (200, b"OK", "127.0.0.1")
        assert answer.headers == [("Content-Length", "2")]
        assert 0 < answer.elapsed_seconds < PATIENCE
        head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
        assert head.split(b"\r\n") == [
            b"POST /a/../b//%2e%zz?%C3%A9&[x] HTTP/1.1",
            b"Host: hook.test:%d" % receiver.port,
            b"Accept: */*",
            b"Accept-Encoding: identity",
            b"Content-Type: application/json",
            b"User-Agent: Portal/1",
            b"webhook-id: m1",
            b"X-empty:",
            b"Content-Length: 14",
        ]
        assert body == b'{"a":"\\u00e3"}'


def test_large_body_does_not_wait_for_a_100(egress: Egress) -> None:
    with HostileReceiver(always_ok) as receiver:
        assert egress.send(prepare(receiver.url(), b"x" * 3_000_000)).body == b"OK"
        assert b"Expect" not in receiver.requests[0].partition(b"\r\n\r\n")[0]
        assert receiver.requests[0].endswith(b"x" * 3_000_000)


def test_get_after_post_has_no_body_and_no_form_type(egress: Egress) -> None:
    with HostileReceiver(always_ok) as receiver:
        egress.send(prepare(receiver.url()))
        egress.send(prepare(receiver.url("/get"), None))
        egress.send(prepare(receiver.url("/post"), b"again"))
        assert receiver.requests[1].startswith(b"GET /get HTTP/1.1\r\n")
        assert b"Content-Length" not in receiver.requests[1]
        assert receiver.requests[2].endswith(b"\r\n\r\nagain")
        bare = requests.PreparedRequest()
        bare.method, bare.url = "POST", receiver.url()
        egress.send(bare)
        assert b"Content-Type" not in receiver.requests[3]


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "ação"])
def test_header_cannot_smuggle_another(value: str, egress: Egress) -> None:
    with HostileReceiver(always_ok) as receiver:
        with pytest.raises(InvalidHeader):
            egress.send(prepare(receiver.url(), X=value))
        assert receiver.connections == 0


def test_own_fields_of_the_caller_are_not_sent(egress: Egress) -> None:
    with HostileReceiver(always_ok) as receiver:
        egress.send(prepare(receiver.url(), Host="evil", Content_Length="9", Transfer_Encoding="chunked", Expect="x"))
        request = receiver.requests[0]
        assert b"evil" not in request
        assert b"chunked" not in request
        assert re.findall(rb"Content-Length: (\d+)", request) == [b"2"]


def test_redirect_is_an_answer(egress: Egress) -> None:
    with HostileReceiver(answers(whole(b"", b"Location: http://127.0.0.1:1/", status=b"HTTP/1.1 302 X"))) as receiver:
        answer = egress.send(prepare(receiver.url()))
        assert (answer.status_code, receiver.connections) == (302, 1)


def test_thousand_sends_use_one_connection(egress: Egress) -> None:
    with HostileReceiver(always_ok) as receiver:
        for _ in range(1000):
            egress.send(prepare(receiver.url()))
        assert (receiver.connections, len(receiver.requests)) == (1, 1000)


def test_threads_use_one_connection_each_at_most(make_egress: MakeEgress, authority: Authority) -> None:
    egress = make_egress(deadline=10, ca_file=str(authority.file))
    with HostileReceiver(always_ok, tls=authority.context()) as receiver:
        url = receiver.url(host="hook.test")
        threads = [threading.Thread(target=lambda: [egress.send(prepare(url)) for _ in range(50)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A thread that begins when another is through may go on with its connection.
        assert (receiver.connections <= 8, len(receiver.requests)) == (True, 400)


def test_hosts_in_turn_keep_their_connections(egress: Egress) -> None:
    with HostileReceiver(always_ok) as first, HostileReceiver(always_ok) as second:
        for _ in range(50):
            egress.send(prepare(first.url(host="a.test")))
            egress.send(prepare(second.url(host="b.test")))
        assert (first.connections, second.connections) == (1, 1)


def test_connection_that_dies_under_a_request_gets_it_once(egress: Egress) -> None:
    """libcurl alone would send it a second time."""

    def dies_at_the_second(wire: Wire) -> None:
        wire.read_request()
        wire.say(OK)
        wire.read_request()

    with HostileReceiver(dies_at_the_second) as receiver:
        egress.send(prepare(receiver.url()))
        with pytest.raises(EgressError) as caught:
            egress.send(prepare(receiver.url()))
        assert (caught.value.reason, caught.value.request_sent) == ("connection_failed", True)
        assert (receiver.connections, len(receiver.requests)) == (1, 2)
        assert egress.send(prepare(receiver.url())).body == b"OK"


def test_two_names_of_one_machine_do_not_hide_each_others_closed_connections(egress: Egress) -> None:
    with HostileReceiver(answers(OK)) as receiver:
        for host in ("a.test", "b.test") * 3:
            assert egress.send(prepare(receiver.url(host=host))).body == b"OK"
            time.sleep(0.02)
        assert (receiver.connections, len(receiver.requests)) == (6, 6)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connection_closed_while_idle_is_replaced(scheme: str, make_egress: MakeEgress, authority: Authority) -> None:
    egress = make_egress(ca_file=str(authority.file))
    with HostileReceiver(answers(OK), tls=authority.context() if scheme == "https" else None) as receiver:
        for _ in range(3):
            egress.send(prepare(receiver.url(host="hook.test")))
            time.sleep(0.05)
        assert (receiver.connections, len(receiver.requests)) == (3, 3)


def test_connection_idle_for_long_is_not_trusted(egress: Egress) -> None:
    with HostileReceiver(always_ok) as receiver:
        egress.send(prepare(receiver.url()))
        time.sleep(1.2)
        egress.send(prepare(receiver.url()))
        assert receiver.connections == 2


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("later", [False, True])
def test_connection_with_bytes_left_over_is_not_used_again(
    later: bool, scheme: str, make_egress: MakeEgress, authority: Authority
) -> None:
    injected, said = whole(b"", status=b"HTTP/1.1 500 Injected"), threading.Semaphore(0)

    def says_more(wire: Wire) -> None:
        while wire.read_request():
            if later:
                wire.say(OK)
                wire.wait(0.05)
                wire.say(injected)
            else:
                wire.say(OK, injected)
            said.release()

    egress = make_egress(ca_file=str(authority.file))
    with HostileReceiver(says_more, tls=authority.context() if scheme == "https" else None) as receiver:
        for _ in range(3):
            assert egress.send(prepare(receiver.url(host="hook.test"))).status_code == 200
            assert said.acquire(timeout=PATIENCE)
        assert receiver.connections == 3


def test_cookies_are_never_replayed(egress: Egress) -> None:
    def sets_cookie(wire: Wire) -> None:
        while wire.read_request():
            wire.say(whole(b"OK", b"Set-Cookie: tenant=a; Path=/"))

    with HostileReceiver(sets_cookie) as receiver, requests.Session() as session:
        session.mount("http://", EgressAdapter(egress))
        for _ in range(2):
            egress.send(prepare(receiver.url()))
            session.post(receiver.url(), data=b"{}")
        assert not any(b"cookie" in request.lower() for request in receiver.requests)
        assert not session.cookies


def test_refused_connection(egress: Egress) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(EgressError) as caught:
        egress.send(prepare(f"http://127.0.0.1:{port}/"))
    error = caught.value
    assert (error.reason, error.address, error.request_sent) == ("connection_refused", "127.0.0.1", False)


def test_connection_that_is_never_accepted_times_out(make_egress: MakeEgress) -> None:
    egress = make_egress(connect_timeout=0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first:
        first.connect(full.getsockname())
        with pytest.raises(EgressError) as caught:
            egress.send(prepare(f"http://127.0.0.1:{full.getsockname()[1]}/"))
    assert (caught.value.reason, caught.value.request_sent) == ("not_connected", False)


def test_second_address_is_tried_when_the_first_refuses(make_egress: MakeEgress) -> None:
    egress = make_egress(resolve=lambda host, port: ["127.0.0.9", "127.0.0.1"])
    with HostileReceiver(always_ok) as receiver:
        assert egress.send(prepare(receiver.url(host="two.test"))).address == "127.0.0.1"


def test_receiver_on_ipv6(make_egress: MakeEgress) -> None:
    egress = make_egress(AddressPolicy(allowed_networks=(ip_network("::1/128"),)), resolve=lambda host, port: ["::1"])
    with HostileReceiver(always_ok, host="::1") as receiver:
        for host in ("[::1]", "six.test"):
            answer = egress.send(prepare(receiver.url(host=host)))
            assert (answer.body, answer.address) == (b"OK", "::1")
            assert b"\r\nHost: %b:%d\r\n" % (host.encode(), receiver.port) in receiver.requests[-1]


def test_certificate_of_a_trusted_authority(make_egress: MakeEgress, authority: Authority) -> None:
    egress = make_egress(ca_file=str(authority.file))
    with HostileReceiver(always_ok, tls=authority.context()) as receiver:
        for _ in range(3):
            assert egress.send(prepare(receiver.url(host="hook.test"))).body == b"OK"
        assert receiver.connections == 1


def test_session_gets_a_real_response(egress: Egress) -> None:
    reply = whole(b'{"a":"\xc3\xa3"}', b"Content-Type: application/json; charset=utf-8", status=b"HTTP/1.1 404 No")
    with HostileReceiver(answers(reply)) as receiver, requests.Session() as session:
        session.mount("http://", EgressAdapter(egress))
        response = session.post(receiver.url(), json={"b": 1}, timeout=60)
        assert (response.status_code, response.json(), response.reason) == (404, {"a": "ã"}, "Not Found")
        assert response.headers["content-type"].startswith("application/json")
        with pytest.raises(requests.HTTPError):
            response.raise_for_status()


def test_session_gets_an_error_for_a_cut_body(egress: Egress) -> None:
    with HostileReceiver(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nOK")) as receiver:
        session = requests.Session()
        session.mount("http://", EgressAdapter(egress))
        with pytest.raises(requests.RequestException, match="incomplete"):
            session.get(receiver.url())
        session.close()


def test_only_get_and_post_of_bytes_are_sent(egress: Egress) -> None:
    prepared = prepare("http://127.0.0.1:9000/")
    prepared.method = "DELETE"
    with pytest.raises(ValueError, match="only a GET"):
        egress.send(prepared)


def test_closing_closes_the_connections_of_every_thread(make_egress: MakeEgress) -> None:
    egress, alive, go = make_egress(), threading.Barrier(4), threading.Event()
    together, ended = threading.Barrier(3), threading.Semaphore(0)

    def until_closed(wire: Wire) -> None:
        wire.read_request()
        together.wait()  # so that none of the three is free for another thread
        wire.say(OK)
        assert not wire.read_request()
        ended.release()

    def send_and_stay(url: str) -> None:
        egress.send(prepare(url))
        alive.wait()
        go.wait()

    with HostileReceiver(until_closed) as receiver:
        threads = [threading.Thread(target=send_and_stay, args=(receiver.url(),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        alive.wait()
        egress.close()
        assert all(ended.acquire(timeout=60) for _ in range(3))
        go.set()
        for thread in threads:
            thread.join()
        with pytest.raises(EgressError):
            egress.send(prepare(receiver.url()))


def test_threads_share_what_is_kept(egress: Egress) -> None:
    with HostileReceiver(always_ok) as receiver:
        for _ in range(4):
            thread = threading.Thread(target=lambda: egress.send(prepare(receiver.url())))
            thread.start()
            thread.join()
        assert (len(receiver.requests), receiver.connections) == (4, 1)


def test_more_origins_than_are_remembered_are_all_reached(egress: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "MAX_STAND_INS", 1)
    with HostileReceiver(always_ok) as first, HostileReceiver(always_ok) as second:
        for receiver in (first, second, first, second):
            assert egress.send(prepare(receiver.url())).body == b"OK"
        assert (len(first.requests), len(second.requests)) == (2, 2)
        assert len(egress._loop._stand_ins) == 1


def test_of_more_connections_than_are_known_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_KNOWN_CONNECTIONS", 2)
    kept, pairs = transport.Kept(), [socket.socketpair() for _ in range(3)]
    for number, (ours, theirs) in enumerate(pairs):
        kept.keep(("127.0.0.1", number), ours.fileno())
        theirs.close()
    assert [kept.is_disturbed(("127.0.0.1", number)) for number in range(3)] == [False, True, True]
    for ours, _ in pairs:
        ours.close()


def test_what_libcurl_does_not_take_is_told_and_the_sender_still_ends(
    make_egress: MakeEgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libcurl refuses a handle that another of its loops has."""
    other, begin = pycurl.CurlMulti(), transport.Transport.begin

    def begin_twice(self: transport.Transport, *given: Any, **options: Any) -> None:
        begin(self, *given, **options)
        other.add_handle(self.curl)

    egress = make_egress()
    with HostileReceiver(always_ok) as receiver, monkeypatch.context() as patched:
        patched.setattr(transport.Transport, "begin", begin_twice)
        with pytest.raises(pycurl.error):
            egress.send(prepare(receiver.url()))
    egress.close()
    assert not egress._loop._running


@pytest.mark.parametrize("refused", ["egress", "resolve hook.test"])
def test_a_machine_without_a_thread_for_a_moment_fails_that_request_and_no_later_one(
    egress: Egress, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    start, names = threading.Thread.start, [refused]

    def refuse_once(thread: threading.Thread) -> None:
        if thread.name in names:
            names.remove(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_once)
    with HostileReceiver(always_ok) as receiver:
        request = prepare(receiver.url(host="hook.test"))
        with pytest.raises((EgressError, RuntimeError), match="thread"):
            egress.send(request)
        assert egress.send(request).status_code == 200
    assert not names


class Names:
    """Answers about a name, one after the other, and how often it was asked; the last for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, _host: str, _port: int) -> list[str]:
        self.asked += 1
        return [self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]]


def test_a_name_is_asked_for_again_once_its_machine_takes_nothing(make_egress: MakeEgress) -> None:
    names = Names("127.0.0.9", "127.0.0.1")
    egress = make_egress(resolve=names)
    with HostileReceiver(always_ok) as receiver:
        url = f"http://hook.test:{receiver.port}/"
        with pytest.raises(EgressError):
            egress.send(prepare(url))
        assert egress.send(prepare(url)).address == "127.0.0.1"


@pytest.mark.parametrize(("later", "asked"), [(29.0, 1), (31.0, 2)])
def test_an_answer_about_a_name_is_believed_for_half_a_minute(
    later: float, asked: int, make_egress: MakeEgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names("127.0.0.1")
    egress = make_egress(resolve=names, deadline=5)
    with HostileReceiver(always_ok) as receiver:
        url = f"http://hook.test:{receiver.port}/"
        egress.send(prepare(url))
        steady = time.monotonic
        monkeypatch.setattr("portal.clock.monotonic", lambda: steady() + later)
        egress.send(prepare(url))
    assert names.asked == asked


def test_a_session_takes_nothing_from_the_environment(
    egress: Egress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine hook.test login ana password segredo")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with HostileReceiver(always_ok) as receiver:
        open_session(egress).post(f"http://hook.test:{receiver.port}/", data=b"{}")
        assert b"authorization" not in receiver.requests[0].lower()


def test_no_handle_is_lost_where_the_time_was_up_before_anything_was_sent(egress: Egress) -> None:
    with HostileReceiver(always_ok) as receiver:
        for _ in range(3):
            with pytest.raises(EgressError) as caught:
                egress.send(prepare(receiver.url("/")), deadline=0)
            assert (caught.value.reason, caught.value.detail) == ("timeout", "no time was left to send")
        egress.send(prepare(receiver.url("/")))
        assert (len(receiver.requests), len(egress._loop._free)) == (1, 1)
