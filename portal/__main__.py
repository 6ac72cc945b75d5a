"""`python -m portal`, and the console script `portal`."""

import gc
import os

from portal.cli import cli

OBJECTS_BEFORE_COLLECTION = 20_000
"""What a start imports stays: to look for garbage after every 700 objects took a fifth of it."""


def main() -> None:
    """Run the command line; ends the process with 0, 1 (it did not work) or 2 (it was asked wrongly)."""
    os.umask(0o077)  # what it writes holds personal data: nobody else's, whatever the folder is
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    cli(prog_name="portal")


if __name__ == "__main__":
    main()
