"""A benchmark that is told to end leaves nothing of what it started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import receiver
from benchmarks.ending import running

HOLDING = """
import os, sys
from benchmarks.ending import run_until_told, running

def main():
    with running(["-c", "import time; time.sleep(300)"], os.environ) as process:
        print(process.pid, flush=True)
        process.wait()

run_until_told(main)
"""


@pytest.mark.slow
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_what_a_benchmark_started_ends_with_it(told: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDING], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as benchmark:
        assert benchmark.stdout
        assert benchmark.stderr
        child = int(benchmark.stdout.readline())
        benchmark.send_signal(told)
        assert (benchmark.wait(60), benchmark.stderr.read()) == (128 + told, b"")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.slow
def test_a_process_ends_with_its_block() -> None:
    with running(["-c", "import time; time.sleep(300)"], os.environ) as process:
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM


def test_a_receiver_that_does_not_run_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "compile_receiver", lambda: None)
    monkeypatch.setattr(receiver, "PROGRAM", "false")
    monkeypatch.setattr(receiver.time, "sleep", lambda _, sleep=time.sleep: sleep(1))
    with pytest.raises(SystemExit, match="does not run"):
        receiver.Receiver()
    monkeypatch.setattr(receiver, "PROGRAM", tmp_path / "receiver")
    (tmp_path / "receiver").write_text("#!/bin/sh\nread line\necho 7 $(ps -o pgid= $$)\n")
    (tmp_path / "receiver").chmod(0o700)
    requests, group = receiver.Receiver().stop()
    assert requests == 7
    assert group != os.getpgrp()  # Ctrl-C is not for it
