"""A real mail server on loopback, with and without TLS and a password."""

import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.clock import utcnow
from portal.mail import MailServer, parse_mail_server
from tests.postgres import free_port

USER, PASSWORD = "portal", "s3cret:/@"


class MailHost(Controller):
    """Keeps what arrives; `refusal` is what it answers to every recipient instead, `refusals` to single ones."""

    def __init__(self, **options: Any) -> None:
        self.arrived: list[tuple[Envelope, EmailMessage]] = []
        self.logged_in: list[bool] = []
        self.refusal: str | None = None
        self.refusals: dict[str, str] = {}
        super().__init__(self, hostname="127.0.0.1", port=free_port(), **options)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:
        refusal = self.refusals.get(address, self.refusal)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Envelope) -> str:
        message = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
        self.arrived.append((envelope, message))
        self.logged_in.append(bool(session.authenticated))
        return "250 OK"

    @property
    def messages(self) -> list[EmailMessage]:
        return [message for _, message in self.arrived]

    @property
    def address(self) -> MailServer:
        return parse_mail_server(f"smtp://127.0.0.1:{self.port}")


@pytest.fixture
def start_mail() -> Iterator[Callable[..., MailHost]]:
    started: list[MailHost] = []

    def start(**options: Any) -> MailHost:
        host = MailHost(**options)
        host.start()
        started.append(host)
        return host

    yield start
    for host in started:
        host.stop()


@pytest.fixture
def mail_host(start_mail: Callable[..., MailHost]) -> MailHost:
    return start_mail()


def only_user(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()), handled=False)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS for `localhost`, which this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = utcnow()
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "mail.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
