"""The worker as a child process: started again, whatever ended it or kept it from starting."""

import subprocess
import threading

import pytest

from portal.cli import supervisor
from portal.cli.supervisor import Supervisor


def test_a_worker_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started, refusals = threading.Event(), [OSError(12, "Cannot allocate memory")]
    real = subprocess.Popen

    def popen(command: list[str], **options: object) -> "subprocess.Popen[bytes]":
        if refusals:
            raise refusals.pop()
        started.set()
        return real(["cat"], stdin=subprocess.PIPE)  # lives until its input ends, as the worker does

    monkeypatch.setattr(supervisor.subprocess, "Popen", popen)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.05)
    watched = Supervisor()
    watched.start()
    assert started.wait(5), "it gave up at the first refusal"
    watched.stop(5)
    assert "Cannot allocate memory" in caplog.text
