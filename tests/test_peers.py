"""What `benchmarks/peers.py` says of other senders: figures where there are some, and else why there are none."""

import importlib.util
import os
import shlex
import subprocess
import time
from configparser import ConfigParser
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest
from werkzeug.datastructures import Headers

from benchmarks import peers
from benchmarks.peers import Figures, Peer, PeerFails, differences, read_peer, run_command
from portal import clock
from portal.demo.server import Received
from portal.rules.signing import Signature


def peer_that(script: str) -> Peer:
    script = script.replace("{", "{{").replace("}", "}}")
    return Peer("other", "other sender", f"sh -c {shlex.quote(script)}")


def received(number: str | None, body: bytes = b"{}", signature: Signature = "valid") -> Received:
    headers = Headers({"webhook-id": number} if number else {})
    return Received(clock.utcnow(), "POST", "/hook", headers, body, signature, 200)


def ends(number: int) -> bool:
    """Whether a process is gone within ten seconds, or has only to be fetched by whoever has it now."""
    for _ in range(1000):
        try:
            if Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that runs in the peers' environments, where no package is around it."""
    monkeypatch.setenv("PEER_REDIS_PORT", "1")  # else it chooses one, for all that this process starts
    spec = importlib.util.spec_from_file_location("work", peers.PROGRAMS / "work.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ratio_is_the_median_of_the_rounds_own() -> None:
    ours = Peer("portal", rounds=[Figures(1000, 0.2, 90), Figures(4000, 0.2, 90), Figures(2000, 0.2, 90)])
    theirs = Peer("other", "other sender", rounds=[Figures(500, 2, 300), Figures(400, 3, 310), Figures(600, 4, 320)])
    assert theirs.row(ours) == "| other sender | 500 | 0.30 | 3.00 | 310 |"


def test_peer_that_failed_has_a_reason_in_place_of_figures() -> None:
    theirs = Peer("other", "other sender", rounds=[Figures(500, 2, 300)], failure="no | Redis")
    assert theirs.row(Peer("portal")) == "| other sender | failed: no / Redis | | | |"


def test_where_the_portal_itself_fails_its_row_says_why_and_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "installed", lambda: nullcontext((None, {}, 1, b"{}")))
    turns: list[str] = []

    def take_turn(peer: Peer, *_: object, **__: object) -> None:
        turns.append(peer.name)
        peer.failure = "40 deliveries made 39 requests" if peer.name == "portal" else ""

    monkeypatch.setattr(peers, "take_turn", take_turn)
    (row,) = peers.measure_peers(["huey"], 100, 3)
    assert row.endswith("| failed: 40 deliveries made 39 requests | | | |")
    assert turns == ["portal", "huey"]


def test_peer_that_nobody_knows_is_told_by_its_name() -> None:
    assert read_peer("nobody").row(Peer("portal")) == "| nobody | failed: peers.ini has no [nobody] | | | |"


def test_row_tells_in_what_the_requests_differ() -> None:
    rounds = [Figures(500, 2, 300)]
    theirs = Peer("other", "other sender", rounds=rounds, differs="not signed as ours")
    assert theirs.row(Peer("portal", rounds=rounds)).startswith("| other sender; not signed as ours | 500 | 1.00 |")


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        ([received("a"), received("b")], ""),
        ([received("a"), received("a")], "no number of its own for each"),
        ([received("a"), received(None)], "no number of its own for each"),
        ([received("a"), received("b", signature="invalid")], "not signed as ours"),
        ([received("a"), received("b", b"[]", "unsigned")], "another body, not signed as ours"),
    ],
)
def test_requests_are_looked_at_one_by_one(requests: list[Received], told: str) -> None:
    assert differences(requests, b"{}") == told


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo starting >&2; echo redis-server is missing >&2; exit 1", "redis-server is missing"),
        ("exit 3", "it ended with 3"),
        ("true", "its command printed no figures"),
        ("echo '{}'", "its command printed no figures"),
        ("""echo '{"seconds": 0, "cpu_seconds": 0, "megabytes": 0}'""", "its command printed no figures"),
    ],
)
def test_command_without_figures_is_a_failure(script: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(PeerFails, match=f"^{reason}$"):
        peers.run(peer_that(script), tmp_path / "body", 1000, secret="whsec_")


def test_command_with_a_word_that_means_nothing_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(PeerFails, match="cannot be read: 'port'"):
        peers.run(Peer("other", command="sender {port}"), tmp_path / "body", 1000, secret="whsec_")


def test_figures_are_the_last_line_of_what_is_printed(tmp_path: Path) -> None:
    script = """echo ready; echo '{"seconds": 4, "cpu_seconds": 2, "megabytes": 70}'"""
    assert peers.run(peer_that(script), tmp_path / "body", 1000, secret="whsec_") == Figures(250, 2, 70)


def test_program_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(PeerFails, match="No such file"):
        run_command([str(tmp_path / "nothing")], tmp_path)


def test_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "MOST_SECONDS", 0.5)
    with pytest.raises(PeerFails, match="not through"):
        run_command(["sh", "-c", "sleep 300 & echo $! > child; wait"], tmp_path)
    assert ends(int((tmp_path / "child").read_text()))


def test_receiver_that_had_fewer_requests_is_a_failure() -> None:
    with pytest.raises(PeerFails, match="40 deliveries made 39 requests"):
        peers.expect(40, 39)


def test_each_section_says_what_it_is_and_how_it_is_run() -> None:
    known = ConfigParser()
    known.read(peers.KNOWN)
    for name in known.sections():
        peer = read_peer(name)
        assert peer.setting
        words = dict.fromkeys(("url", "count", "body", "secret", "python"), "word") | {"programs": str(peers.PROGRAMS)}
        _, program, *given = peer.command.format(**words).split()
        assert Path(program).is_file()
        assert len(given) >= 4


def test_what_a_process_started_is_measured_with_it(work: ModuleType) -> None:
    end = time.monotonic() + 10
    with subprocess.Popen(["sh", "-c", "sh -c 'sleep 300; true' & wait"], start_new_session=True) as process:
        alone = together = 0.0
        while not 0 < alone < together and time.monotonic() < end:
            *_, grandchild = work.family([process.pid])
            alone, together = work.megabytes([grandchild]), work.megabytes([process.pid])
        number = len(work.family([process.pid]))
        os.killpg(process.pid, 9)
    assert number == 3
    assert 0 < alone < together


def test_peer_that_stands_still_is_not_waited_for(work: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "MOST_IDLE", 0.1)
    with pytest.raises(SystemExit, match="3 were done, and then none"):
        work.watch([], [], lambda: 3, 5)


def test_peer_whose_worker_ended_is_not_waited_for(work: ModuleType) -> None:
    with subprocess.Popen(["sh", "-c", "exit 7"]) as worker:
        worker.wait()
    with pytest.raises(SystemExit, match="ended with 7"):
        work.watch([worker], [], lambda: 0, 5)


def test_time_of_the_first_ones_is_added_for_they_were_not_watched(work: ModuleType) -> None:
    begun, counts = time.monotonic(), [50, 50, 75, 100, 100]
    figures = work.watch([], [os.getpid()], lambda: counts.pop(0) if len(counts) > 1 else 100, 100)
    assert 0.1 < figures["seconds"] < 2 * (time.monotonic() - begun) + 0.1
