"""requirements.lock, from which `make run` installs: whole, and of one mind with setup.cfg and constraints.txt."""

import configparser
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = dict(PIN.findall(LOCK))


def test_everything_that_the_portal_needs_is_locked_in_a_version_that_it_may_have() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"] + config["options.extras_require"]["postgres"]
    for needed in map(Requirement, lines.split("\n")[1:]):
        assert needed.specifier.contains(LOCKED[canonicalize_name(needed.name)]), needed


def test_the_locked_versions_are_those_that_the_tests_run_with() -> None:
    pinned = dict(PIN.findall((ROOT / "constraints.txt").read_text()))
    assert {name: version for name, version in LOCKED.items() if pinned.get(name, version) != version} == {}
    assert LOCKED.keys() - pinned.keys() <= {"setuptools"}


def test_every_locked_file_has_its_hash() -> None:
    parts = re.split(r"\n(?=[a-z])", LOCK.strip())
    assert len(parts) == len(LOCKED)
    assert all("--hash=sha256:" in part for part in parts)
