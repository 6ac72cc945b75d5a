"""Commands in processes of their own, forked where the portal is imported already: to import it takes a second."""

import ctypes
import multiprocessing
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import portal.application
import portal.worker.run  # noqa: F401
from portal.__main__ import main

Result = tuple[int, str, str]
"""An exit code, and what was said on standard output and on standard error."""

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload([__name__])
CAPABILITIES = 0x20080522
"""The version of what Linux calls so: which of root's powers a process has."""


def run_apart(environ: dict[str, str], *arguments: str) -> Result:
    """Run a command that may no more than an ordinary user, with the settings of `environ` alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    with TemporaryDirectory() as folder:
        said = [Path(folder, name) for name in ("told", "complaint")]
        process = FORKING.Process(target=be_a_command, args=(kept | environ, arguments, said))
        process.start()
        process.join(120)
        assert process.exitcode is not None, "it did not end"
        told, complaint = (path.read_text() for path in said)
    return process.exitcode, told, complaint


def be_a_command(environ: dict[str, str], arguments: tuple[str, ...], said: list[Path]) -> None:
    """What the new process does."""
    os.environ.clear()
    os.environ.update(environ)
    for number, path in enumerate(said, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    if os.geteuid() == 0:
        give_up_powers()
    sys.argv = ["portal", *arguments]
    main()


def give_up_powers() -> None:
    """Root without its powers is a user like any other."""
    none, own = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 2)(CAPABILITIES, 0)
    if ctypes.CDLL(None, use_errno=True).capset(own, none):
        raise OSError(ctypes.get_errno(), "capset")
