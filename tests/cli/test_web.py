"""The web server on real sockets: who holds threads, connections, descriptors or the database holds up nobody else."""

import errno
import http.client
import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from waitress import wasyncore
from waitress.buffers import OverflowableBuffer

from portal.cli import connections
from portal.cli import web as web_server
from portal.cli.web import WebServer
from portal.database import db as database
from portal.database.db import db, reading
from portal.models import ApiToken
from portal.people import tokens
from portal.views.imports import MAX_UPLOAD_BYTES
from portal.web import sessions
from portal.web.bodies import CALL_BYTES, FORM_BYTES
from tests.factories import make_company, make_user

HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-"


@pytest.fixture
def web(app: Flask) -> Iterator[WebServer]:
    server, stop = WebServer(app, host="127.0.0.1", port=0), threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    yield server
    stop.set()
    thread.join()
    server.finish(5)


def test_a_stop_wakes_a_server_that_nobody_asks_for_anything(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "LOOK_SECONDS", 3600)
    server, stop = WebServer(app, host="127.0.0.1", port=0), threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,), daemon=True)
    thread.start()
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    server.finish(5)


def test_whoever_answered_has_ended_before_the_server_closes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """It wakes the server last, by a descriptor that may be another file's once it is closed."""
    wake, met = connections.Listener.pull_trigger, list[bool]()

    def wake_late(listener: connections.Listener) -> None:
        if threading.current_thread().name.startswith("waitress"):
            time.sleep(0.05)
            met.append(listener.trigger._closed)
        wake(listener)

    monkeypatch.setattr(connections.Listener, "pull_trigger", wake_late)
    monkeypatch.setattr(connections, "ENDING_SECONDS", 60)
    server, stop = WebServer(app, host="127.0.0.1", port=0), threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    ask(server, "/healthz")
    stop.set()
    thread.join()
    server.finish(5)
    assert met
    assert not any(met)


@pytest.fixture
def token(app: Flask) -> str:
    user = make_user(make_company())
    made = tokens.create_token(db.session, user, label="test")
    db.session.commit()
    return made


def ask(web: WebServer, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, bytes, float]:
    """Status, body, and how many seconds it took."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, time.monotonic() - started


def post(web: WebServer, token: str) -> tuple[int, bytes, float]:
    headers = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}
    return ask(web, "/api/v1/contacts", "POST", b'{"contact": {"name": "Ana"}}', **headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/healthz", "/", "/static/app.css", "/none"])
def test_an_answer_is_sent_at_once_head_and_body(
    web: WebServer, monkeypatch: pytest.MonkeyPatch, path: str, method: str
) -> None:
    sent: list[bytes] = []
    send = connections.Channel.send
    monkeypatch.setattr(
        connections.Channel, "send", lambda self, data, **how: sent.append(bytes(data)) or send(self, data, **how)
    )
    _, content, _ = ask(web, path, method)
    head, end, body = b"".join(sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 ")
    assert body == content
    assert bool(content) == (method == "GET")
    assert end in sent[0]
    assert sent[0].endswith(end) == (method == "HEAD")


@contextmanager
def open_sockets(web: WebServer, count: int, sent: bytes = HALF) -> Iterator[list[socket.socket]]:
    with ExitStack() as held:
        opened = [held.enter_context(socket.create_connection(("127.0.0.1", web.port))) for _ in range(count)]
        for each in opened:
            each.sendall(sent)
        yield opened


@contextmanager
def foreign_lock(instance: Path) -> Iterator[None]:
    other = sqlite3.connect(instance / "portal.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> float:
    for module in (database, connections):
        monkeypatch.setattr(module, "BUSY_TIMEOUT_SECONDS", 4.0)
    return 4.0


def last_use() -> datetime | None:
    with reading():
        used_at = db.session.scalar(select(ApiToken.last_used_at))
        db.session.rollback()
    return used_at


def test_half_open_connections_and_waiting_writers_hold_up_no_reader(
    web: WebServer, token: str, instance: Path, short_patience: float
) -> None:
    writers = 2 * connections.WRITERS
    with open_sockets(web, 200), foreign_lock(instance), ThreadPoolExecutor(writers) as pool:
        waiting = [pool.submit(post, web, token) for _ in range(writers)]
        time.sleep(0.5)  # all of them have arrived
        assert ask(web, "/healthz")[0] == 200
        assert ask(web, "/login")[0] == 200
        assert ask(web, "/api/v1/webhook", Authorization=f"Bearer {token}")[0] == 200
        assert not any(each.done() for each in waiting), "the readers came first"
        answers = [each.result() for each in waiting]
    assert {status for status, _body, _took in answers} == {503}
    assert max(took for _status, _body, took in answers) < 2 * short_patience, "each waits once, its queue included"


def test_a_tokens_last_use_is_noted_when_nothing_is_in_the_way(web: WebServer, token: str, instance: Path) -> None:
    with foreign_lock(instance):
        assert ask(web, "/api/v1/webhook", Authorization=f"Bearer {token}")[0] == 200
    assert last_use() is None
    assert ask(web, "/api/v1/webhook", Authorization=f"Bearer {token}")[0] == 200
    assert last_use() is not None


def test_when_there_are_too_many_connections_the_longest_silent_goes(
    web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    with open_sockets(web, 1) as [oldest], open_sockets(web, 30):
        assert ask(web, "/healthz")[0] == 200
        oldest.settimeout(5)
        assert oldest.recv(1) == b""


@pytest.mark.parametrize("sent", [b"", HALF], ids=["idle", "half a request"])
def test_who_says_nothing_for_long_is_closed(web: WebServer, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.2)
    for listener in listeners(web):
        listener.adj.cleanup_interval = 0.1
        listener.next_channel_cleanup = 0
    with open_sockets(web, 1, sent) as [silent]:
        silent.settimeout(60)
        assert silent.recv(1) == b""


def test_running_out_of_descriptors_is_one_line_of_the_log_and_passes(
    web: WebServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accept, tried = wasyncore.dispatcher.accept, []

    def fail(self: Any) -> Any:
        tried.append(time.monotonic())
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(connections, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(web_server, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(wasyncore.dispatcher, "accept", fail)
    with caplog.at_level(logging.INFO), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, web, "/healthz")
        time.sleep(1)
        monkeypatch.setattr(wasyncore.dispatcher, "accept", accept)
        assert asked.result()[0] == 200
    assert len(tried) > 1
    assert min(later - sooner for sooner, later in pairwise(tried)) > 0.05, "it rests between its tries"
    assert [record.action for record in caplog.records if hasattr(record, "action")] == ["connections_refused"]


LIMITS = {
    "a missing page": ("/nothing-here", {}, FORM_BYTES, 404),
    "the log-in": ("/login", {}, FORM_BYTES, 413),
    "an import of a stranger": ("/imports", {}, FORM_BYTES, 303),
    "an import with a forged session": ("/imports", {"Cookie": "session=eyJfdXNlcl9pZCI6IjEifQ.x.y"}, FORM_BYTES, 303),
    "a call without a token": ("/api/v1/contacts", {}, FORM_BYTES, 401),
    "contacts with a token": ("/api/v1/contacts", {"Authorization": "Bearer {token}"}, CALL_BYTES, 413),
    "another call with a token": ("/api/v1/sync", {"Authorization": "Bearer {token}"}, FORM_BYTES, 413),
}


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize("case", LIMITS)
def test_what_may_not_be_sent_is_not_kept(
    web: WebServer, token: str, monkeypatch: pytest.MonkeyPatch, case: str, chunked: bool
) -> None:
    path, headers, limit, status = LIMITS[case]
    kept: list[int] = []
    append = OverflowableBuffer.append

    def keep(self: OverflowableBuffer, data: bytes) -> None:
        kept.append(len(data))
        append(self, data)

    monkeypatch.setattr(OverflowableBuffer, "append", keep)
    body = b"a" * (limit + 4 * 1024 * 1024)
    given = {name: value.format(token=token) for name, value in headers.items()}
    answer = ask(web, path, "POST", iter([body]) if chunked else body, Content_Type="application/json", **given)
    assert answer[0] == status
    assert sum(kept) < limit + 256 * 1024, "the answer is kept too"


def test_who_has_logged_in_may_send_a_file_and_nothing_longer(app: Flask, web: WebServer) -> None:
    client = app.test_client()
    user = make_user(make_company())
    db.session.commit()
    with client.session_transaction() as session:
        session["_user_id"], session["since"] = user.get_id(), sessions.seconds_now()
    cookie = client.get_cookie("session")
    assert cookie is not None
    name = f"session={cookie.value}"
    status, page, _took = ask(web, "/imports", "POST", b"a" * (FORM_BYTES + 1), Cookie=name)
    assert status != 413, page
    assert ask(web, "/imports", "POST", b"a" * (MAX_UPLOAD_BYTES + 1), Cookie=name)[0] == 413


def test_who_takes_nothing_of_a_long_answer_holds_no_thread(
    app: Flask, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.3)
    ended = threading.Event()

    def endless(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"a" * 1024 * 1024
        finally:
            ended.set()

    for listener in listeners(web):
        listener.application, listener.adj.cleanup_interval, listener.next_channel_cleanup = endless, 0.1, 0
    with open_sockets(web, 1, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
        assert ended.wait(20)


def listeners(web: WebServer) -> list[connections.Listener]:
    return [part for part in web._map.values() if isinstance(part, connections.Listener)]
