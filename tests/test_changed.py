"""`make check` leaves out no test of a room that a change can reach."""

from pathlib import Path

import pytest

from tests.changed import EVERY_TEST, ROOT, layers, what_to_run


@pytest.mark.parametrize(
    ("path", "some", "not_one"),
    [
        ("portal/views/log.py", {"tests/views", "tests/cli", "tests/system"}, "tests/api"),
        ("portal/templates/base.html", {"tests/views", "tests/cli"}, "tests/rules"),
        ("portal/outbox/queue.py", {"tests/outbox", "tests/contacts", "tests/views", "tests/api"}, "tests/rules"),
        ("portal/models.py", {"tests/outbox", "tests/views"}, "tests/egress"),
        ("tests/views/test_auth.py", {"tests/views"}, "tests/cli"),
        ("docs/api.md", {"tests/test_docs.py"}, "tests/views"),
    ],
)
def test_what_is_above_a_change_is_run_and_what_is_beside_it_is_not(path: str, some: set[str], not_one: str) -> None:
    chosen = set(what_to_run([path]))
    assert some | {"tests/test_architecture.py"} <= chosen
    assert not_one not in chosen


@pytest.mark.parametrize("paths", [[], ["setup.cfg"], ["tests/conftest.py"], ["portal/__init__.py"], ["no/such/file"]])
def test_what_may_break_anything_runs_everything(paths: list[str]) -> None:
    assert what_to_run(paths) == [EVERY_TEST]


def test_every_folder_of_tests_has_its_layer() -> None:
    rooms = set().union(*layers())
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders <= rooms
    assert {Path(test).name for test in what_to_run(["portal/clock.py"])} >= folders
