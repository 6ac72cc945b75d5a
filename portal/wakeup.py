"""Waking the workers of this machine right after a commit, so that a delivery does not wait for the next look.

A datagram on loopback, without content: it only shortens a wait, so a lost one costs a second and a false one a look.
Each worker leaves its port as a file name in the instance folder, where every process that commits finds it.
"""

import contextlib
import os
import socket
from pathlib import Path

from portal import clock

STALE_SECONDS = 60
"""A port file that its worker has not touched for so long belongs to a worker that was killed."""


class Bell:
    """Rings every worker of the instance."""

    def __init__(self, instance: Path) -> None:
        self._folder = instance / "workers"

    def ring(self) -> None:
        """Wake the workers. Never fails and never waits: without a ring they look once a second anyway."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for name in os.listdir(self._folder):
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    sender.sendto(b"", ("127.0.0.1", int(name)))


class BellListener:
    """A worker's ear: `wait` returns when somebody rang."""

    def __init__(self, instance: Path) -> None:
        folder = instance / "workers"
        folder.mkdir(exist_ok=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._file = folder / str(self.port)
        self.touch()

    def wait(self, timeout: float) -> bool:
        """Wait for a ring, at most `timeout` seconds. Returns whether there was one."""
        self._socket.settimeout(timeout)
        try:
            self._socket.recv(1)
        except TimeoutError:
            return False
        return True

    def touch(self) -> None:
        """Show that this worker lives, and remove the files of those that do not."""
        self._file.touch()
        for file in self._file.parent.iterdir():
            with contextlib.suppress(OSError):
                if clock.utcnow().timestamp() - file.stat().st_mtime > STALE_SECONDS:
                    file.unlink()

    def close(self) -> None:
        self._file.unlink(missing_ok=True)
        self._socket.close()
