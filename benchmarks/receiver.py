"""The receiver of all benchmarks, `receiver.c`: what it takes from the machine that it shares is next to nothing."""

import os
import select
import shutil
import subprocess
import time
from pathlib import Path

PORT = 9871
URL = f"http://127.0.0.1:{PORT}/hook"
SOURCE = Path(__file__).with_name("receiver.c")
PROGRAM = SOURCE.parent.parent / "build" / "bench" / "receiver"
PATIENCE = 180.0


class Receiver:
    """A receiver that runs; each answer comes `delay` seconds after its request, at as many addresses as `hosts`."""

    def __init__(self, delay: float = 0.0, hosts: int = 1) -> None:
        compile_receiver()
        command = [str(PROGRAM), str(PORT), str(delay), str(hosts)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}  # it ends when there is nobody at these any more
        # Ctrl-C is not for it: whoever has it stops it.
        self._process = subprocess.Popen(command, text=True, bufsize=1, process_group=0, **pipes)
        time.sleep(0.1)
        if self._process.poll() is not None:
            self._process.communicate()
            raise SystemExit("The receiver does not run: does another program listen at its port?")

    def came(self, number: int) -> float:
        """Wait for so many requests; returns the monotonic second at which the last of them was whole."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{number}\n")
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            self._process.kill()
            raise SystemExit(f"Fewer than {number} requests came.")
        return float(self._process.stdout.readline())

    def stop(self) -> tuple[int, int]:
        """Requests and connections it had."""
        requests, connections = self._process.communicate("\n")[0].split()
        return int(requests), int(connections)


def compile_receiver() -> None:
    """Anew where it is older than its source. Raises SystemExit where there is no compiler."""
    if PROGRAM.exists() and PROGRAM.stat().st_mtime > SOURCE.stat().st_mtime:
        return
    compiler = os.environ.get("CC", "cc")
    if not shutil.which(compiler):
        raise SystemExit(f"The receiver needs a C compiler, and there is no {compiler}: apt-get install gcc libc6-dev")
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([compiler, "-O2", "-o", str(PROGRAM), str(SOURCE)], check=True)
