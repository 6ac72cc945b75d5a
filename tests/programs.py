"""The portal in processes of its own, forked where it is imported already: to import it takes a second."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import chdir, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.orm import configure_mappers

import portal.application  # noqa: F401  # the tables, among others
from portal.__main__ import main
from portal.cli import COMMANDS

ROOT = Path(__file__).parent.parent
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["portal.worker.run", *(module for module, _ in COMMANDS.values()), __name__])
CAPABILITIES = 0x20080522
"""The version of what Linux calls so: which of root's powers a process has."""
OWN = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
"""For the Pythons that a program starts in its turn."""

configure_mappers()  # where the others are forked, and not in each

Environ = Mapping[str, str]
Act = Callable[..., object]


class Program:
    """A function in a process of its own. Whoever holds it uses it as a Popen."""

    def __init__(
        self,
        act: Act,
        *given: Any,
        environ: Environ,
        out: Connection,
        err: Connection | None = None,
        folder: Path = ROOT,
    ) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        place = ({**kept, **OWN, **environ}, folder, out, err or out)
        self._process = FORKING.Process(target=become, args=(act, given, *place), daemon=True)
        with chdir(ROOT):  # where what forks them finds this module
            self._process.start()
        self.pid = self._process.pid or 0
        for output in filter(None, (out, err)):
            output.close()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("portal", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def children(self) -> list[int]:
        """The process ids of its children."""
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True)
        return [int(each) for each in listed.stdout.split()]


def end_of(path: Path) -> Connection:
    """Where a program's output goes on in the file."""
    return Connection(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), readable=False)


def run_portal(
    environ: Environ, *arguments: str, act: Act | None = None, timeout: float = 120
) -> "subprocess.CompletedProcess[str]":
    """One command, to its end, and what it said."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        program = Program(act or be_portal, *arguments, environ=environ, out=end_of(out), err=end_of(err))
        code = program.wait(timeout)
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


def become(
    act: Act, given: tuple[Any, ...], environ: dict[str, str], folder: Path, out: Connection, err: Connection
) -> None:
    """In the new process: take on its environment, its outputs and a session of its own, and act."""
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have it ignored, as `nohup` does
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, output in ((1, out), (2, err)):
        os.dup2(output.fileno(), number)
    out.close()
    err.close()
    act(*given)


def be_portal(*arguments: str) -> None:
    sys.argv = ["portal", *arguments]
    main()


def be_new(*arguments: str) -> None:
    """A Python of its own, as people start it."""
    os.execv(sys.executable, [sys.executable, "-m", "portal", *arguments])


def be_crashing(*arguments: str) -> None:
    """A portal that is killed at the point CRASH_AT."""
    import_module("tests.system.crash_points.sitecustomize")  # as each new Python does by itself
    be_portal(*arguments)


def be_unprivileged(*arguments: str) -> None:
    """Root without its powers is a user like any other."""
    if os.geteuid() == 0:
        none, own = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 2)(CAPABILITIES, 0)
        if ctypes.CDLL(None, use_errno=True).capset(own, none):
            raise OSError(ctypes.get_errno(), "capset")
    be_portal(*arguments)
