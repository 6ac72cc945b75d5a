"""What root makes in the folder of another user's portal belongs to that user, as what SQLite makes beside a database.

Else a command that root typed would leave files that the portal cannot write.
"""

import os
from pathlib import Path


def hand_over(path: Path) -> None:
    """Give a file or folder to the owner of the folder that it lies in, if root made it."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)


def make_folder(path: Path) -> None:
    """Make a folder for its owner's eyes only, where there is none."""
    if not path.exists():
        path.mkdir(mode=0o700, exist_ok=True)
        hand_over(path)
