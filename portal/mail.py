"""Sending one e-mail through the operator's mail server. Knows SMTP only; what is written, `portal.notices` knows."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from portal import clock

TIMEOUT_SECONDS = 10.0  # for each read and write of the talk with the server
TALK_SECONDS = 30.0  # for all of a talk that hands a message over: a page may wait for it, and a proxy for a minute
REACH_SECONDS = 20.0  # for all of one that only logs in: people wait for it
DEFAULT_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
ESCAPES = "In a user or password, write % as %25, # as %23, / as %2F, ? as %3F, @ as %40, : as %3A and [ as %5B."
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class MailError(Exception):
    """A message could not be handed over. `permanent` when the same message would be refused again."""

    def __init__(self, detail: str, *, permanent: bool = False) -> None:
        super().__init__(detail)
        self.permanent = permanent


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mail is handed over. `security` is `smtp` (none), `smtp+starttls` or `smtps` (TLS from the first byte)."""

    host: str
    port: int
    security: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_mail_server(text: str) -> MailServer:
    """Read `smtp://user:password@host:port`, with `?starttls`, or `smtps://...`. Raises ValueError with the reason."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"cannot be read. {ESCAPES}") from error
    if "@" in text and parts.username is None:
        raise ValueError(f"cannot be read. {ESCAPES}")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise ValueError("is no address such as smtps://user:password@mail.example.com:465.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not options.keys() <= {"starttls"} or options.get("starttls") not in (None, "", "1"):
        raise ValueError("may end in ?starttls, and in nothing else.")
    security = "smtp+starttls" if parts.scheme == "smtp" and options else parts.scheme
    if parts.password and security == "smtp" and parts.hostname not in LOOPBACK:
        raise ValueError("would send the password unencrypted: use smtps:// or add ?starttls.")
    return MailServer(
        host=parts.hostname,
        port=port or DEFAULT_PORTS[security],
        security=security,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def parse_sender(text: str) -> str:
    """Read the address that mail comes from, with or without a name before it. Raises ValueError with the reason."""
    local, _, domain = parseaddr(text)[1].partition("@")
    if not local or not domain or not text.isprintable():
        raise ValueError("is no address such as portal@example.com, or Portal <portal@example.com>.")
    return text


class MailPolicy(EmailPolicy):
    """Encodes the whole of a subject, where Python's own encodes some of its words and may lose or add a space."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        is_plain = value.isascii() and len(f"{name}: {value}") <= (self.max_line_length or 0)
        if name != "Subject" or is_plain:
            return super().fold_binary(name, value)
        words = Header(str(value), "utf-8", maxlinelen=75, header_name=name).encode(linesep=self.linesep)
        return f"{name}: {words}{self.linesep}".encode("ascii")


def write_message(*, sender: str, recipients: tuple[str, ...], subject: str, text: str) -> EmailMessage:
    """A message in plain text that says of itself that a program wrote it, so that no absence note answers it."""
    message = EmailMessage(policy=MailPolicy(linesep="\r\n"))
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = subject
    message["Date"] = format_datetime(clock.utcnow())
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].partition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def reach(server: MailServer) -> None:
    """Log in at the server and send nothing. Raises MailError."""
    with _logged_in(server, REACH_SECONDS) as connection:
        connection.noop()


def send(server: MailServer, message: EmailMessage) -> None:
    """Hand the message over, with no transaction open. Raises MailError, which names whom alone the server refused."""
    with _logged_in(server, TALK_SECONDS) as connection:
        refused = connection.send_message(message)
    if refused:  # the others have it, and would have it twice
        raise MailError("; ".join(f"{to}: {_answer(*answer)}" for to, answer in refused.items()), permanent=True)


class _Watch:
    """Ends a talk that takes too long in all: a server that drips keeps each single read within its time."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)

    def __enter__(self) -> "_Watch":
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._socket is not None:
            self._socket.close()

    def guard(self, opened: socket.socket) -> None:
        """End the talk on this connection, of which TLS takes the socket away: a second handle of it stays."""
        self._socket = opened.dup()
        if self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)


class _Guarded(smtplib.SMTP):
    """A connection that is guarded before any byte comes, those of TLS included."""

    watch: _Watch

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self.watch.guard(opened)
        return opened


class _GuardedTls(smtplib.SMTP_SSL, _Guarded):
    """The same, with TLS from the first byte."""


@contextmanager
def _logged_in(server: MailServer, seconds: float) -> Iterator[smtplib.SMTP]:
    """A connection to the server, which ends after so many seconds. What goes wrong on it raises MailError."""
    watch = _Watch(seconds)
    try:
        with watch, _parting(_connect(server, watch)) as connection:
            if server.user is not None:
                connection.login(server.user, server.password or "")
            yield connection
    except (OSError, smtplib.SMTPException, ValueError) as error:  # ValueError: a header or a line that is no mail
        late = MailError(f"timeout: the server was not done within {seconds:g} s")
        raise (late if watch.is_over else _failure_of(error)) from error


@contextmanager
def _parting(connection: smtplib.SMTP) -> Iterator[smtplib.SMTP]:
    """Take leave at the end. What the server makes of that changes nothing of what it took before."""
    try:
        yield connection
    finally:
        with suppress(OSError, smtplib.SMTPException):
            connection.quit()
        connection.close()


def _failure_of(error: Exception) -> MailError:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = error.recipients.values()
        detail = "; ".join(sorted({_answer(code, words) for code, words in answers}))
        return MailError(detail, permanent=all(code >= 500 for code, _ in answers))
    if isinstance(error, smtplib.SMTPResponseException):
        return MailError(_answer(error.smtp_code, error.smtp_error))
    return MailError(_detail(error))


def _connect(server: MailServer, watch: _Watch) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.security == "smtps":
        return _open(_GuardedTls, watch, server, context=context)
    connection = _open(_Guarded, watch, server)
    if server.security == "smtp+starttls":
        try:
            connection.starttls(context=context)
        except BaseException:
            connection.close()
            raise
    return connection


def _open(kind: type[_Guarded], watch: _Watch, server: MailServer, **more: Any) -> smtplib.SMTP:
    """A connection of this kind. Python's own connects while it is made: who watches has to be known before."""
    connection = kind.__new__(kind)
    connection.watch = watch
    kind.__init__(connection, server.host, server.port, timeout=TIMEOUT_SECONDS, **more)
    return connection


def _detail(error: Exception) -> str:
    """What kept a message from the server; what befell the connection begins with its reason code."""
    words = str(error) or type(error).__name__
    reasons = () if isinstance(error, smtplib.SMTPException) else _REASONS
    return next((f"{reason}: {words}" for kind, reason in reasons if isinstance(error, kind)), words)


_REASONS = (
    (socket.gaierror, "dns_failure"),
    (ConnectionRefusedError, "connection_refused"),
    (TimeoutError, "timeout"),
    (ssl.SSLError, "tls_failure"),
    (OSError, "connection_failed"),
)


def _answer(code: int, words: bytes | str) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return f"{code} {text}".strip()
