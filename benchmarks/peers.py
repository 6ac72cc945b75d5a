"""Other senders on the same work as this portal, in turn and in one run:

    python -m benchmarks.peers celery huey dramatiq [--count 5000] [--rounds 3]

What a peer is, and how to add one, stands in peers.ini.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.ending import run_until_told
from benchmarks.goals import installed
from benchmarks.receiver import PORT, URL, Receiver
from portal.company.endpoint import new_secret
from portal.demo.server import Received
from portal.demo.server import Receiver as LookingReceiver

ROOT = Path(__file__).parent.parent
KNOWN = Path(__file__).with_name("peers.ini")
PROGRAMS = Path(__file__).with_name("peers")
OURS = "portal"
HEADING = """\
| peer, setting | deliveries a second | times ours | CPU s per 1000, all processes | MB |
|---|---|---|---|---|"""
FEW = 40
"""Deliveries that are looked at one by one, before any is measured."""
COUNT, ROUNDS = 5_000, 3
MOST_SECONDS = 300.0


class PeerFails(Exception):
    """A peer cannot be measured; the text says why."""


class Figures(NamedTuple):
    """What one round gave."""

    rate: float
    cpu_ms: float
    megabytes: float


@dataclass
class Peer:
    """A section of peers.ini, and what every round gave."""

    name: str
    setting: str = ""
    command: str = ""
    debian: Sequence[str] = ()
    pip: Sequence[str] = ()
    rounds: list[Figures] = field(default_factory=list)
    differs: str = ""
    failure: str = ""

    def row(self, ours: "Peer") -> str:
        """Its line of the table: medians, and the median of the rounds' ratios."""
        name = "; ".join(filter(None, (self.setting or self.name, self.differs)))
        if self.failure or not self.rounds:
            return f"| {name} | failed: {self.failure.replace('|', '/')} | | | |"
        times = median(theirs.rate / our.rate for theirs, our in zip(self.rounds, ours.rounds, strict=True))
        rate, cpu_ms, megabytes = map(median, zip(*self.rounds, strict=True))
        return f"| {name} | {rate:,.0f} | {times:.2f} | {cpu_ms:.2f} | {megabytes:,.0f} |"


def measure_peers(names: Sequence[str], count: int, rounds: int) -> Iterator[str]:
    """Run this portal and each of these peers in turn, so many rounds; yields rows of the table, this portal's first.

    A peer that fails is left out from then on, and its row says why; where the portal itself fails, there is no other.
    """
    peers = [read_peer(name) for name in (OURS, *names)]
    ours = peers[0]
    with tempfile.TemporaryDirectory() as folder, installed() as (_, _, _, body):
        given = Path(folder, "body.json")
        given.write_bytes(body)
        for number in range(rounds + 1):
            for peer in peers:
                if not peer.failure:
                    take_turn(peer, given, count if number else FEW, is_looked_at=not number)
            if ours.failure:
                yield ours.row(ours)
                return
    yield from (peer.row(ours) for peer in peers)


def read_peer(name: str) -> Peer:
    """The peer of that name; one that peers.ini has not fails from the start."""
    known = ConfigParser()
    known.read(KNOWN)
    if name not in known:
        return Peer(name, failure=f"{KNOWN.name} has no [{name}]")
    lines = known[name]
    debian, pip = lines.get("debian", "").split(), lines.get("pip", "").split()
    return Peer(name, lines["setting"], lines["command"], debian, pip)


def take_turn(peer: Peer, body: Path, count: int, *, is_looked_at: bool) -> None:
    """Run the peer once, and keep what came of it: what its requests are like the first time, else its figures."""
    try:
        if is_looked_at:
            peer.differs = look_at(peer, body, count)
        else:
            peer.rounds.append(measure_once(peer, body, count))
            print(f"{peer.name}: {peer.rounds[-1].rate:,.0f} a second", file=sys.stderr, flush=True)
    except PeerFails as failure:
        peer.failure = str(failure)
        print(f"{peer.name} failed: {failure}", file=sys.stderr, flush=True)


def look_at(peer: Peer, body: Path, count: int) -> str:
    """In what its requests differ from the portal's; nothing where they do not. Raises PeerFails."""
    secret = new_secret()
    with LookingReceiver(port=PORT, secret=secret) as receiver:
        run(peer, body, count, secret=secret)
    expect(count, len(receiver.received))
    return differences(receiver.received, body.read_bytes())


def differences(received: Sequence[Received], body: bytes) -> str:
    """In what these requests are not the portal's, in words for the table."""
    numbers = {each.headers.get("webhook-id") for each in received}
    told = {
        "another body": any(each.body != body for each in received),
        "no number of its own for each": len(numbers - {None}) < len(received),
        "not signed as ours": any(each.signature != "valid" for each in received),
    }
    return ", ".join(difference for difference, is_there in told.items() if is_there)


def measure_once(peer: Peer, body: Path, count: int) -> Figures:
    """Raises PeerFails, also where the receiver had more or fewer requests than there are deliveries."""
    receiver = Receiver()
    try:
        figures = run(peer, body, count, secret=new_secret())
    finally:
        requests, _ = receiver.stop()
    expect(count, requests)
    return figures


def expect(count: int, requests: int) -> None:
    """Raises PeerFails unless there was a request for each delivery."""
    if requests != count:
        raise PeerFails(f"{count} deliveries made {requests} requests")


def run(peer: Peer, body: Path, count: int, *, secret: str) -> Figures:
    """Have its command send so many deliveries, in a folder of its own. Raises PeerFails."""
    words = {"url": URL, "count": count, "body": body, "secret": secret, "programs": PROGRAMS}
    words["python"] = install(peer)
    try:
        command = [word.format(**words) for word in shlex.split(peer.command)]
    except (LookupError, ValueError) as error:
        raise PeerFails(f"its command cannot be read: {error}") from error
    with tempfile.TemporaryDirectory() as folder:
        printed = run_command(command, Path(folder))
    try:
        told = json.loads(printed.splitlines()[-1])
        return Figures(count / told["seconds"], told["cpu_seconds"] / count * 1000, float(told["megabytes"]))
    except (LookupError, TypeError, ValueError, ZeroDivisionError) as error:
        raise PeerFails("its command printed no figures") from error


def run_command(command: Sequence[str], folder: Path) -> str:
    """What it printed. Raises PeerFails with the last line of what went wrong. Nothing that it started is left."""
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    try:
        with subprocess.Popen(command, cwd=folder, text=True, **kept) as process:
            try:
                printed, complaints = process.communicate(timeout=MOST_SECONDS)
            finally:
                end(process)
    except OSError as error:
        raise PeerFails(f"{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise PeerFails(f"it was not through after {MOST_SECONDS:.0f} s") from error
    if process.returncode:
        sys.stderr.write(complaints)
        raise PeerFails((complaints.strip().splitlines() or [f"it ended with {process.returncode}"])[-1])
    return printed


def end(process: subprocess.Popen[str]) -> None:
    """Have it stop what it started, as at Ctrl-C; what is left of its group then is killed."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def install(peer: Peer) -> Path:
    """Install what is missing of what the peer needs; returns the Python that has it. Raises PeerFails."""
    missing = [package for package in peer.debian if not is_installed(package)]
    if missing:
        install_by([str(ROOT / ".ci" / "programs")], missing)
    if not peer.pip:
        return Path(sys.executable)
    home = ROOT / "build" / "bench" / "peers" / peer.name
    python, done, wanted = home / "bin" / "python", home / "installed", "\n".join(peer.pip)
    if not done.exists() or done.read_text() != wanted:
        install_by([sys.executable, "-m", "venv", "--clear"], [str(home)])
        install_by([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"], peer.pip)
        done.write_text(wanted)
    return python


def is_installed(package: str) -> bool:
    """Whether Debian has that package here; on another system, the peer itself says what it misses."""
    if not shutil.which("dpkg-query"):
        return True
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def install_by(command: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises PeerFails where the command fails for what is wanted; why is told on standard error."""
    if subprocess.run([*command, *wanted], stdout=sys.stderr, check=False).returncode:
        raise PeerFails(f"{' '.join(wanted)} could not be installed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="+")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    print(HEADING, flush=True)
    for row in measure_peers(chosen.peers, chosen.count, chosen.rounds):
        print(row, flush=True)


if __name__ == "__main__":
    run_until_told(main)
