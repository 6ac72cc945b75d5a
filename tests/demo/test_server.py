"""The local receiver, over real sockets."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from threading import Thread
from typing import Any

import pytest
from standardwebhooks import Webhook

from portal.demo.server import Received, Receiver, Reply

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(secret=SECRET) as started:
        yield started


def post(receiver: Receiver, body: bytes = b"{}", method: str = "POST", **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection(receiver.host, receiver.port, timeout=60)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, "/hook?a=1", body, names)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def send_raw(receiver: Receiver, data: bytes) -> bytes:
    with socket.create_connection((receiver.host, receiver.port), timeout=60) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def signed(body: str, at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", at, body)
    return {"webhook_id": "msg_1", "webhook_timestamp": str(int(at.timestamp())), "webhook_signature": signature}


def test_request_is_kept_as_it_came(receiver: Receiver) -> None:
    assert post(receiver, b'{"a":1}', X_Trace="7") == (200, b"OK")
    (received,) = receiver.received
    assert (received.method, received.path, received.body) == ("POST", "/hook?a=1", b'{"a":1}')
    assert (received.headers["x-trace"], received.answered_status) == ("7", 200)
    assert received.at.tzinfo is not None


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_any_method_is_answered(receiver: Receiver, method: str) -> None:
    assert post(receiver, method=method) == (200, b"OK")
    assert receiver.received[0].method == method


def test_head_is_answered_without_a_body(receiver: Receiver) -> None:
    assert post(receiver, method="HEAD") == (200, b"")


def test_right_signature_is_valid(receiver: Receiver) -> None:
    post(receiver, "ação".encode(), **signed("ação"))
    assert receiver.received[0].signature == "valid"


def test_one_right_signature_of_several_is_enough(receiver: Receiver) -> None:
    headers = signed("{}")
    post(receiver, **headers | {"webhook_signature": f"v1,AAAA {headers['webhook_signature']}"})
    assert receiver.received[0].signature == "valid"


@pytest.mark.parametrize(
    "headers",
    [
        signed("other"),
        signed("{}", datetime.now(UTC) - timedelta(hours=1)),
        signed("{}") | {"webhook_signature": "nonsense"},
        signed("{}") | {"webhook_signature": "v1,!,x"},
        signed("{}") | {"webhook_signature": "v1,é"},
        signed("{}") | {"webhook_timestamp": "nan"},
        {"webhook_id": "msg_1"},
    ],
)
def test_wrong_or_partial_signature_is_invalid(receiver: Receiver, headers: dict[str, str]) -> None:
    assert post(receiver, **headers)[0] == 200
    assert receiver.received[0].signature == "invalid"


def test_signed_bytes_that_are_no_text_are_invalid(receiver: Receiver) -> None:
    post(receiver, b"\xff", **signed("x"))
    assert receiver.received[0].signature == "invalid"


def test_request_without_signature_is_unsigned(receiver: Receiver) -> None:
    post(receiver)
    assert receiver.received[0].signature == "unsigned"


def test_nothing_is_checked_without_a_secret() -> None:
    with Receiver() as receiver:
        post(receiver, **signed("other"))
        assert receiver.received[0].signature == "unchecked"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é"])
def test_unusable_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        Receiver(secret=secret)


def test_answer_is_the_one_asked_for() -> None:
    with Receiver(status=202, body=b"<p>", content_type="text/html") as receiver:
        assert post(receiver) == (202, b"<p>")


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body_has_none(status: int) -> None:
    with Receiver(status=status) as receiver:
        assert post(receiver) == (status, b"")


def test_answers_come_in_turn_then_the_usual_one(receiver: Receiver) -> None:
    receiver.answers = iter([(500, b"no"), Reply(302, headers=(("Location", "/x"),)), (429,)])
    assert [post(receiver)[0] for _ in range(4)] == [500, 302, 429, 200]
    assert [received.answered_status for received in receiver.received] == [500, 302, 429, 200]


def test_answers_may_be_a_function() -> None:
    with Receiver(answers=lambda: (418, b"tea", "text/tea", (("X-Pot", "short"),))) as receiver:
        raw = send_raw(receiver, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert raw == b"HTTP/1.1 418 I'm a Teapot\r\nContent-Type: text/tea\r\nContent-Length: 3\r\nX-Pot: short\r\n\r\ntea"


@pytest.mark.parametrize(("rate", "failures"), [(0.0, 0), (1.0, 20)])
def test_fail_rate_is_the_share_of_500s(rate: float, failures: int) -> None:
    with Receiver(fail_rate=rate) as receiver:
        assert [post(receiver)[0] for _ in range(20)].count(500) == failures


def test_same_seed_fails_the_same_requests() -> None:
    def statuses() -> list[int]:
        with Receiver(fail_rate=0.5, seed=7) as receiver:
            return [post(receiver)[0] for _ in range(20)]

    assert statuses() == statuses()
    assert set(statuses()) == {200, 500}


def test_request_is_recorded_before_the_delay() -> None:
    with Receiver(delay=1) as receiver:
        client = Thread(target=post, args=(receiver,))
        started = time.monotonic()
        client.start()
        assert receiver.wait_for(1)
        assert client.is_alive()
        client.join()
        assert time.monotonic() - started >= 1


def test_stop_cuts_a_long_delay_short() -> None:
    receiver = Receiver(delay=60).start()

    def ask() -> None:
        with suppress(ConnectionError):  # it may be cut before its answer, as every open connection
            post(receiver)

    client = Thread(target=ask)
    client.start()
    receiver.wait_for(1)
    started = time.monotonic()
    receiver.stop()
    client.join()
    assert time.monotonic() - started < 30


def test_callback_gets_each_request() -> None:
    seen: list[Received] = []
    with Receiver(on_request=seen.append) as receiver:
        post(receiver)
        assert seen == receiver.received


def test_waiting_for_too_many_ends_at_the_timeout(receiver: Receiver) -> None:
    assert not receiver.wait_for(1, timeout=0.05)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 16777217", b"413"),
        (b"Content-Length: 9999999999999999", b"413"),
        (b"Content-Length: -1", b"400"),
        (b"Content-Length: x", b"400"),
        (b"Transfer-Encoding: chunked", b"411"),
    ],
)
def test_unreadable_body_is_refused_and_the_connection_closed(receiver: Receiver, head: bytes, status: bytes) -> None:
    answer = send_raw(receiver, b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert receiver.received == []


def test_clients_that_go_away_are_nobodys_trouble(receiver: Receiver, capfd: pytest.CaptureFixture[str]) -> None:
    send_raw(receiver, b"")
    send_raw(receiver, b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n{}")
    with socket.create_connection((receiver.host, receiver.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
    receiver.wait_for(1)
    assert post(receiver)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_connection_is_kept_for_many_requests(receiver: Receiver) -> None:
    connection = HTTPConnection(receiver.host, receiver.port)
    connection.connect()
    first: Any = connection.sock
    for _ in range(3):
        connection.request("POST", "/", b"{}")
        connection.getresponse().read()
    assert connection.sock is first
    connection.close()


@pytest.mark.slow
def test_five_thousand_posts_take_seconds() -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with Receiver() as receiver:
        started = time.process_time()
        answers = send_raw(receiver, request * 5000)
        assert time.process_time() - started < 10
        assert answers.count(b"HTTP/1.1 200 OK") == len(receiver.received) == 5000


def test_port_that_is_taken_is_an_error(receiver: Receiver) -> None:
    with pytest.raises(OSError, match="in use"):
        Receiver(port=receiver.port).start()


def test_receiver_can_be_started_again_on_the_same_port(receiver: Receiver) -> None:
    url = receiver.url
    receiver.stop()
    receiver.start()
    assert receiver.url == url
    assert post(receiver)[0] == 200


def test_stopping_twice_does_no_harm() -> None:
    receiver = Receiver()
    receiver.stop()
    receiver.start()
    receiver.stop()
    receiver.stop()
    receiver.start()
    assert post(receiver)[0] == 200
    receiver.stop()
