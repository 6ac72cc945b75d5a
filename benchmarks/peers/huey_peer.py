"""huey with its queue in SQLite: one process with threads, which needs no service."""

import sys

import work
from huey import SqliteHuey

huey = SqliteHuey(filename="queue.db", results=False)
deliver = huey.task()(work.deliver)

if __name__ == "__main__":
    command = ("huey.bin.huey_consumer", "huey_peer.huey", "--workers", sys.argv[5], "--quiet")
    work.measure(deliver, [*command, "--no-periodic", "--delay", "0.01", "--max-delay", "0.05"])
