"""What every receiver needs to be started: a place, a port, and the patience until it listens."""

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.authority import Authority
from tests.postgres import free_port

__all__ = ["Case", "Place", "free_port", "install", "listening"]


@dataclass(frozen=True)
class Case:
    """An address, and what has to be said of it: the reason, the clue or the warning, and words of the sentence."""

    what: str
    url: str
    reason: str
    code: str = ""
    words: str = ""


@dataclass(frozen=True)
class Place:
    """Where things are installed and where they run, with an authority that the portal trusts here."""

    installed: Path
    work: Path
    authority: Authority


def install(place: Place, package: str) -> Path:
    """Install a package of npm, unless it is there. Returns its folder."""
    folder = place.installed / package.partition("@")[0]
    if not (folder / "node_modules").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        command = ["npm", "install", "--no-audit", "--no-fund", package]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


@contextlib.contextmanager
def listening(
    command: list[str], port: int, *, cwd: Path | None = None, env: Mapping[str, str] | None = None, seconds: float = 90
) -> Iterator[None]:
    """A program that listens on the port; it ends with the block."""
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.2)
        else:
            raise SystemExit(f"{command[0]} does not listen on port {port}")
        yield
    finally:
        process.terminate()
        process.wait(60)


def wait_until_found(url: str, *, seconds: float = 60) -> None:
    """Wait for a program that listens before it knows its pages."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(url, timeout=60):
            return
        time.sleep(0.2)
    raise SystemExit(f"nothing is at {url}")
