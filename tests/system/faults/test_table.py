"""The table of faults names tests that exist, and the one fault that no setting may bring about."""

import re
from pathlib import Path

import pytest

from portal.config import LEASE_MARGIN, load_settings
from tests.system import faults

TESTS = Path(__file__).parent.parent.parent
ROWS = re.findall(r"^(F\d\d): (\S+)::(\w+)$", faults.__doc__ or "", re.MULTILINE)
NUMBERS = (
    "01 02 03 05 07 08 09 10 12 16 17 20 21 22 23 25 26 28 30 31 32 33 34 35 37 38 39 41 42 43 47 48 49 51 52 53 54 55 "
    "56 57 59 60 61 62 63 64 65 66"
)


@pytest.mark.parametrize(("path", "name"), sorted({(path, name) for _, path, name in ROWS}))
def test_a_test_that_the_table_names_exists(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (TESTS / path).read_text(), re.MULTILINE)


def test_every_fault_has_a_test() -> None:
    assert {row for row, _, _ in ROWS} == {f"F{number}" for number in NUMBERS.split()}


@pytest.mark.parametrize("deadline", ["0.1", "10", "120"])
def test_no_setting_makes_a_lease_shorter_than_a_try(tmp_path: Path, deadline: str) -> None:
    environ = {"PORTAL_INSTANCE": str(tmp_path), "PORTAL_DEADLINE": deadline, "PORTAL_CONNECT_TIMEOUT": "0.1"}
    settings = load_settings(environ)
    assert settings.lease.total_seconds() == float(deadline) + LEASE_MARGIN.total_seconds()
    assert LEASE_MARGIN.total_seconds() >= 5
