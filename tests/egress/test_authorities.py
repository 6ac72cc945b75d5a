"""The operator's authorities are added to the known ones, and none of those is lost."""

import ssl
from pathlib import Path

import certifi

from portal.egress.authorities import read_authorities, write_bundle
from tests.authority import Authority
from tests.egress.conftest import MakeEgress, prepare
from tests.egress.hostile import HostileReceiver, always_ok


def bundle_of(file: Path, folder: Path) -> str:
    return write_bundle(read_authorities(str(file)), folder)


def test_a_receiver_of_the_operators_authority_is_delivered_to(
    make_egress: MakeEgress, authority: Authority, tmp_path: Path
) -> None:
    egress = make_egress(ca_file=bundle_of(authority.file, tmp_path))
    with HostileReceiver(always_ok, tls=authority.context()) as receiver:
        assert egress.send(prepare(receiver.url(host="hook.test"))).body == b"OK"


def test_a_self_signed_certificate_may_stand_in_the_file_itself(
    make_egress: MakeEgress, authority: Authority, tmp_path: Path
) -> None:
    context = authority.context(self_signed=True)
    with HostileReceiver(always_ok, tls=context) as receiver:
        file = tmp_path / "own.pem"
        file.write_text(ssl.get_server_certificate(("127.0.0.1", receiver.port)))
        egress = make_egress(ca_file=bundle_of(file, tmp_path))
        assert egress.send(prepare(receiver.url(host="hook.test"))).body == b"OK"


def test_the_known_authorities_stay_and_a_private_key_is_left_out(authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "mixed.pem"
    file.write_text(f"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n{authority.file.read_text()}")
    path = Path(bundle_of(file, tmp_path))
    bundle, written = path.read_text(), path.stat().st_ino
    assert bundle_of(file, tmp_path) == str(path)
    assert path.stat().st_ino == written, "what is there already is not written again"
    known = Path(certifi.where()).read_text()
    assert bundle.startswith(known)
    assert bundle.count("BEGIN CERTIFICATE") == known.count("BEGIN CERTIFICATE") + 1
    assert "secret" not in bundle
