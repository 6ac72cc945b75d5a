"""The tests that `make check` runs: `python -m tests.changed [COMMIT]` prints what a change since then may break.

Those are the tests of each room that it touches and of every room above, and the tests that belong to no room. What
touches no room in particular may break any test; and so may what nobody knows, without a change or without git.
"""

import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parent.parent
EVERY_TEST = "tests"
ROOM_OF = {"templates": "views", "static": "views", "translations": "views", "migrations": "database"}
"""The lowest room that reads a folder without code, where it is none itself."""
WITHOUT_A_ROOM = ("docs/", "README", "CHANGELOG", "SECURITY", "deploy/")
"""Only tests of no room read these."""


def layers() -> list[set[str]]:
    """The rooms, highest first, as import-linter keeps them; what is started and watched from outside stands above."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["importlinter:contract:layers"]["layers"].split("\n")
    return [
        {"system", "receivers"},
        *({word for word in line.split() if word.isidentifier()} for line in lines if line),
    ]


def rooms_above(room: str) -> Iterator[str]:
    """The room, and whatever may import from it."""
    found = layers()
    depth = next(number for number, rooms in enumerate(found) if room in rooms)
    yield room
    for rooms in found[:depth]:
        yield from rooms


def broken_by(path: str) -> set[str]:
    """The folders and files of tests that a change of this file may break."""
    folder, *names = Path(path).parts
    name = names[0].removesuffix(".py") if names else ""
    if path.startswith(WITHOUT_A_ROOM):
        return set()
    if folder == "tests" and (len(names) > 1 or name.startswith("test_")):
        return {f"tests/{names[0]}"}
    room = ROOM_OF.get(name, name)
    if folder != "portal" or not any(room in rooms for rooms in layers()):
        return {EVERY_TEST}
    return {f"tests/{each}" for each in rooms_above(room)}


def what_to_run(paths: list[str]) -> list[str]:
    """What pytest is to be given for a change of these files."""
    found = {test for path in paths for test in broken_by(path)}
    if not paths or EVERY_TEST in found:
        return [EVERY_TEST]
    found |= {f"tests/{file.name}" for file in (ROOT / "tests").glob("test_*.py")}
    return sorted(test for test in found if (ROOT / test).exists())


def changed_since(commit: str) -> list[str]:
    """The files that differ from the commit, those that git does not know yet among them."""
    asked = ["git", "diff", "--name-only", commit], ["git", "ls-files", "--others", "--exclude-standard"]
    done = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True) for command in asked]
    return [] if any(each.returncode for each in done) else "".join(each.stdout for each in done).split("\n")[:-1]


if __name__ == "__main__":
    print(*what_to_run(changed_since(*sys.argv[1:] or ["HEAD"])))
