"""Sends to every receiver that misbehaves below HTTP, over http and https, from a process of its own that is measured.

By hand: `python -m tests.system.hostile --rounds 20`. As a test: test_hostile.py.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from portal.egress import AddressPolicy, Egress
from portal.webhook import WebhookRequest, post
from tests.authority import Authority
from tests.egress.hostile import CASES, HostileReceiver

DEADLINE_SECONDS = 0.8
SENDERS = 8
HOST = "hook.test"
SECRET = "whsec_" + "A" * 44


@dataclass(frozen=True)
class Measured:
    """The longest try of each receiver in seconds, by scheme and name, and what the sender's memory grew by."""

    seconds: dict[str, float]
    megabytes: float


def measure(rounds: int) -> Measured:
    """Post so many times to each receiver. The sender is warm before its memory is looked at."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        authority = Authority(folder)
        urls = {}
        for case in CASES:
            for scheme, tls in (("http", None), ("https", authority.context())):
                receiver = stack.enter_context(HostileReceiver(case.act, tls=tls))
                urls[f"{scheme} {case.name}"] = receiver.url(host=HOST)
        command = [sys.executable, "-m", "tests.system.hostile", "--rounds", str(rounds), "--send", str(authority.file)]
        done = subprocess.run(command, input=json.dumps(urls), stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(done.stdout))


def send(rounds: int, ca_file: str) -> None:
    """The measured process: addresses come on stdin, what was measured goes to stdout."""
    urls: dict[str, str] = json.load(sys.stdin)
    policy = AddressPolicy(allowed_networks=(ip_network("127.0.0.0/8"),))
    egress = Egress(policy, deadline=DEADLINE_SECONDS, ca_file=ca_file, resolve=lambda _host, _port: ["127.0.0.1"])

    def try_once(url: str) -> float:
        begun = time.monotonic()
        post(WebhookRequest(url=url, webhook_id="msg_1", body=b"{}", secrets=(SECRET,)), egress)
        return time.monotonic() - begun

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(try_once, urls.values()))
        warm = megabytes("VmRSS")
        taken = [list(senders.map(try_once, urls.values())) for _ in range(rounds)]
    longest = dict(zip(urls, map(max, zip(*taken, strict=True)), strict=True))
    print(json.dumps({"seconds": longest, "megabytes": megabytes("VmHWM") - warm}))


def megabytes(field: str) -> float:
    """What this process has in memory (`VmRSS`), or ever had (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) / 1024


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--send", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.send:
        send(asked.rounds, asked.send)
        return
    measured = measure(asked.rounds)
    name, longest = max(measured.seconds.items(), key=lambda item: item[1])
    print(f"{len(measured.seconds)} receivers, {asked.rounds} rounds: the longest try took {longest:.2f} s ({name}),")
    print(f"with a deadline of {DEADLINE_SECONDS} s; memory grew by {measured.megabytes:.1f} MB")


if __name__ == "__main__":
    main()
