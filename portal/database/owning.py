"""What root makes in the folder of another user's portal belongs to that user, as what SQLite makes beside a database.

Else a command that root typed would leave files that the portal cannot write.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

ROOT = 0


def hand_over(path: Path) -> None:
    """Give a file or folder to the owner of the folder that it lies in, if it is root's.

    That owner can put something else of root's at its place meanwhile: a link to it is never given away. Where root may
    give nothing away, as in a container without that right, it stays root's.
    """
    if os.geteuid() != ROOT:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        owner, made = os.stat(folder), os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        is_link = made.st_nlink > 1 and not stat.S_ISDIR(made.st_mode)
        if made.st_uid == ROOT and not is_link:
            with suppress(OSError):
                os.chown(path.name, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)
    finally:
        os.close(folder)


def make_folder(path: Path) -> None:
    """Make a folder for its owner's eyes only, where there is none."""
    if not path.exists():
        path.mkdir(mode=0o700, exist_ok=True)
        hand_over(path)
