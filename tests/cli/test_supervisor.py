"""The worker as a child process: started again, whatever ended it or kept it from starting."""

import os
import subprocess
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from portal.cli import supervisor
from portal.cli.supervisor import Supervisor
from tests.cli.conftest import EXTRA_SECONDS

ROOT = Path(supervisor.__file__).parent.parent.parent


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
    assert started.wait(60), "it gave up at the first refusal"
    watched.stop(5)
    assert "Cannot allocate memory" in caplog.text


@pytest.mark.slow
def test_the_worker_is_this_portal_whatever_stands_in_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "portal").mkdir()
    (tmp_path / "portal" / "__main__.py").write_text("print('another program')")
    (tmp_path / "portal" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    said: SimpleQueue[str] = SimpleQueue()
    real = subprocess.Popen

    def popen(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        process = real(command, **options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        with process.stdout as output:
            said.put(output.read().decode())
        return process

    monkeypatch.setattr(supervisor.subprocess, "Popen", popen)
    watched = Supervisor({"PATH": os.environ["PATH"], **environ, "PYTHONPATH": str(ROOT)})
    watched.start()
    words = said.get(timeout=EXTRA_SECONDS)
    watched.stop(EXTRA_SECONDS)
    assert "another program" not in words
    assert "portal upgrade" in words
