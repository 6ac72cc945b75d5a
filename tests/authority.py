"""Certificates made on the spot."""

import datetime
import secrets
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority of its own, or one that another vouches for."""

    def __init__(
        self, folder: Path, *, common_name: str = "Test authority", vouched_by: "Authority | None" = None
    ) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        signer = vouched_by or self
        certificate = signer._sign(self._name, self._key, names=[], days=(-1, 1), authority=True)
        self.file = folder / f"{common_name}.pem"
        self.file.write_bytes(certificate)

    def context(
        self, name: str = "hook.test", *, days: tuple[int, int] = (-1, 1), sends: bytes = b"", self_signed: bool = False
    ) -> ssl.SSLContext:
        """A server's TLS, for a certificate of that name and time (days from now); `sends` are more certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.key_file(name, days=days, sends=sends, self_signed=self_signed))
        return context

    def key_file(
        self, name: str, *, days: tuple[int, int] = (-1, 1), sends: bytes = b"", self_signed: bool = False
    ) -> Path:
        """A file with such a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = (subject, key) if self_signed else None
        certificate = self._sign(subject, key, names=[name], days=days, authority=False, signer=signer)
        file = self._folder / f"{secrets.token_hex(8)}.pem"
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        file.write_bytes(certificate + sends + key.private_bytes(encoding, form, serialization.NoEncryption()))
        return file

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        names: list[str],
        days: tuple[int, int],
        authority: bool,
        signer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None = None,
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        issuer, issuer_key = signer or (self._name, self._key)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
