"""`python -m portal`, and the console script `portal`."""

import gc
import os
import signal
import threading

from portal.cli import cli, leave

# What a start imports stays: to look for garbage after every 700 objects took a fifth of it.
OBJECTS_BEFORE_COLLECTION = 20_000


def main() -> None:
    """Run the command line; ends the process with 0, 1 (it did not work) or 2 (it was asked wrongly)."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` does
            signal.signal(number, signal.default_int_handler)  # nothing half-made stays, as after Ctrl-C
    os.umask(0o077)  # what it writes holds personal data: nobody else's, whatever the folder is
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    try:
        cli(prog_name="portal")
    except SystemExit as end:
        if end.code and threading.active_count() > 1:
            leave(end.code)
        raise


if __name__ == "__main__":
    main()
