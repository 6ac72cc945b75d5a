"""Mail is handed over to a real server, safely or not at all."""

import re
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest

from portal import mail
from portal.mail import MailError, MailServer, parse_mail_server, parse_sender, send, write_message
from tests.notices.conftest import PASSWORD, USER, MailHost, only_user
from tests.postgres import free_port

QUOTED = "s3cret%3A%2F%40"


def message(subject: str = "5 contatos não chegaram", recipients: tuple[str, ...] = ("ana@example.com",)):
    return write_message(sender="Portal <portal@example.com>", recipients=recipients, subject=subject, text="Olá.\n")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("smtp://mail.example.com", ("mail.example.com", 25, "smtp", None, None)),
        ("smtp://mail.example.com?starttls", ("mail.example.com", 587, "smtp+starttls", None, None)),
        ("smtps://u%40x:p%3Aw@mail.example.com", ("mail.example.com", 465, "smtps", "u@x", "p:w")),
        ("smtp://u:p@mail.example.com:2525?starttls=1", ("mail.example.com", 2525, "smtp+starttls", "u", "p")),
        ("smtp://u:p@127.0.0.1:25", ("127.0.0.1", 25, "smtp", "u", "p")),
    ],
)
def test_an_address_of_a_server_is_read(text, wanted):
    server = parse_mail_server(text)
    assert (server.host, server.port, server.security, server.user, server.password) == wanted


@pytest.mark.parametrize(
    "text",
    ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://h/path", "smtp://h?tls", "smtp://h:99999",
     "smtp://h?starttls=maybe", "smtp://u:p@mail.example.com"],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"is no address|may end in|unencrypted|cannot be read"):
        parse_mail_server(text)


@pytest.mark.parametrize("text", ["portal", "@example.com", "Portal <portal>", "a@b.c\nBcc: x@y.z", ""])
def test_a_sender_that_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="is no address"):
        parse_sender(text)


def test_the_password_is_in_no_description_of_the_server():
    assert "hunter2" not in repr(parse_mail_server("smtps://u:hunter2@mail.example.com"))


def test_a_message_arrives_whole(mail_host: MailHost):
    send(mail_host.address, message(recipients=("ana@example.com", "joao@example.com")))
    ((envelope, arrived),) = mail_host.arrived
    assert envelope.rcpt_tos == ["ana@example.com", "joao@example.com"]
    assert arrived["Subject"] == "5 contatos não chegaram"
    assert arrived.get_content().strip() == "Olá."
    assert arrived["Auto-Submitted"] == "auto-generated"
    assert arrived["Message-ID"].endswith("@example.com>")


@pytest.mark.parametrize(
    "words", ["2 contacts have not reached the CRM since Tuesday", "2 não chegaram desde terça-feira"]
)
def test_a_subject_arrives_as_it_is_wherever_its_lines_end(words: str):
    for length in range(100):
        subject = f"{'A' * length}:  {words}{' 14:10 ou São João'[: length // 6]}{'-' * length}."
        wire = bytes(message(subject))
        head, _, _ = wire.partition(b"\r\n\r\n")
        assert message_from_bytes(wire, policy=policy.default)["Subject"] == subject
        assert str(make_header(decode_header(message_from_bytes(wire)["Subject"]))) == subject
        assert max(map(len, head.split(b"\r\n"))) <= 78
        assert max(map(len, re.findall(rb".*=\?.*", head)), default=0) <= 76
        assert max(map(len, re.findall(rb"=\?.*?\?=", head)), default=0) <= 75


def test_a_subject_adds_no_header_of_its_own(mail_host: MailHost):
    with pytest.raises(ValueError, match="linefeed"):
        send(mail_host.address, message("Oi\r\nBcc: eve@example.com"))
    assert not mail_host.arrived


def test_a_password_goes_over_starttls(start_mail, certificate):
    host = start_mail(tls_context=certificate, require_starttls=True, authenticator=only_user, auth_required=True)
    send(parse_mail_server(f"smtp://{USER}:{QUOTED}@localhost:{host.port}?starttls"), message())
    assert host.logged_in == [True]


def test_a_password_goes_over_tls(start_mail, certificate):
    host = start_mail(ssl_context=certificate, authenticator=only_user, auth_require_tls=False)
    server = parse_mail_server(f"smtps://{USER}:{QUOTED}@localhost:{host.port}")
    assert server.password == PASSWORD
    send(server, message())
    assert host.logged_in == [True]


@pytest.mark.parametrize("act", [mail.reach, lambda server: send(server, message())], ids=["look", "letter"])
def test_a_password_that_the_log_in_cannot_carry_is_told(start_mail, certificate, act):
    host = start_mail(ssl_context=certificate, authenticator=only_user, auth_require_tls=False)
    with pytest.raises(MailError, match="ascii"):
        act(parse_mail_server(f"smtps://{USER}:senha-não@localhost:{host.port}"))


def test_a_wrong_password_is_told_in_the_servers_words_and_may_be_tried_again(start_mail, certificate):
    host = start_mail(ssl_context=certificate, authenticator=only_user, auth_require_tls=False)
    with pytest.raises(MailError, match="535") as raised:
        send(parse_mail_server(f"smtps://{USER}:wrong@localhost:{host.port}"), message())
    assert not raised.value.permanent
    assert not host.messages


@pytest.mark.parametrize("security", ["smtps", "smtp+starttls"])
def test_a_server_that_cannot_prove_its_name_gets_nothing(start_mail, certificate, monkeypatch, security):
    monkeypatch.delenv("SSL_CERT_FILE")
    option = "ssl_context" if security == "smtps" else "tls_context"
    host = start_mail(**{option: certificate})
    with pytest.raises(MailError, match="CERTIFICATE_VERIFY_FAILED"):
        send(MailServer(host="localhost", port=host.port, security=security), message())
    assert not host.messages


def test_a_server_without_tls_gets_nothing_when_tls_is_asked_for(mail_host: MailHost):
    with pytest.raises(MailError, match="STARTTLS"):
        send(MailServer(host="localhost", port=mail_host.port, security="smtp+starttls"), message())
    assert not mail_host.messages


@pytest.mark.parametrize(("refusal", "permanent"), [("550 no such user", True), ("450 greylisted", False)])
def test_a_refusal_says_whether_to_come_back(mail_host: MailHost, refusal, permanent):
    mail_host.refusal = refusal
    with pytest.raises(MailError, match=refusal) as raised:
        send(mail_host.address, message())
    assert raised.value.permanent is permanent


def test_a_server_that_is_down_is_an_error_in_words():
    with pytest.raises(MailError, match="refused"):
        send(parse_mail_server(f"smtp://127.0.0.1:{free_port()}"), message())


def test_a_server_that_says_nothing_is_left(monkeypatch):
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MailError, match="timed out"):
        send(parse_mail_server(f"smtp://127.0.0.1:{silent.getsockname()[1]}"), message())


@contextmanager
def dripping(part: bytes, first: bytes = b"") -> Iterator[int]:
    """A server that says a part again and again, never a whole line, each well within the time of one read."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(first)
            while not over.wait(0.05):
                connection.sendall(part)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("form", "part", "first"),
    [
        ("smtp://127.0.0.1:{}", b"x", b""),  # the greeting
        ("smtp://127.0.0.1:{}", b"250-a\r\n", b"220 here\r\n"),  # an answer of lines without end
        ("smtps://127.0.0.1:{}", b"\x00", b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xf0"),  # the first message of TLS
    ],
)
def test_a_server_that_drips_is_given_so_long_in_all(monkeypatch, form, part, first):
    monkeypatch.setattr(mail, "REACH_SECONDS", 0.5)
    monkeypatch.setattr(mail, "TALK_SECONDS", 0.5)
    for talk in (mail.reach, lambda server: send(server, message())):
        with dripping(part, first) as port, pytest.raises(MailError, match=r"^timeout: .* within 0\.5 s") as failed:
            talk(parse_mail_server(form.format(port)))
        assert not failed.value.permanent


def test_a_connection_that_comes_too_late_is_not_talked_on(monkeypatch):
    monkeypatch.setattr(mail, "REACH_SECONDS", 0.05)
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 0.5)
    connect = smtplib.SMTP._get_socket

    def connect_late(connection, *given):
        while not connection.watch.is_over:
            time.sleep(0.01)
        return connect(connection, *given)

    monkeypatch.setattr(smtplib.SMTP, "_get_socket", connect_late)
    with dripping(b"", b"220 here\r\n250 you\r\n250 well\r\n") as port, pytest.raises(MailError, match=r"^timeout: "):
        mail.reach(parse_mail_server(f"smtp://127.0.0.1:{port}"))


@pytest.mark.parametrize("part", [b"", b"x", b"500 no\r\n"], ids=["nothing", "drops", "a refusal"])
def test_a_message_that_was_taken_is_sent_however_the_server_says_goodbye(monkeypatch, part):
    monkeypatch.setattr(mail, "TALK_SECONDS", 1.0)
    said = b"220 here\r\n", b"250 you\r\n", b"250 from\r\n", b"250 to\r\n", b"354 go on\r\n", b"250 taken\r\n"
    with dripping(part, b"".join(said)) as port:
        send(parse_mail_server(f"smtp://127.0.0.1:{port}"), message())
