"""The house's rules that neither import-linter nor ruff can say (see setup.cfg and pyproject.toml for theirs)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "portal"
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "versions" not in path.parts]

COMMITTING = {"cli", "demo", "views", "api", "web", "worker", "database/db.py"}
"""The last of them ends so what only read."""
KNOWING_THE_APPLICATION = {"application", "runtime", "web", "views", "api", "cli"}
DRAWERS = {"utils", "helpers", "common", "core", "misc"}
MOST_ENTRIES = 40
MOST_LINES_OF_A_FUNCTION, MOST_LINES_OF_A_FILE = 45, 400

every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@every_module
def test_only_the_edges_and_the_worker_commit(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            assert {room_of(path), path.relative_to(PACKAGE).as_posix()} & COMMITTING, f"line {node.lineno}"


@every_module
def test_only_the_edges_know_the_current_application(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name) and node.id == "current_app":
            assert room_of(path) in KNOWING_THE_APPLICATION, f"line {node.lineno}"


@every_module
def test_files_and_functions_are_short(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= MOST_LINES_OF_A_FILE
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MOST_LINES_OF_A_FUNCTION, node.name


def test_no_room_is_a_drawer_for_anything() -> None:
    assert not {part.removesuffix(".py") for path in MODULES for part in path.relative_to(PACKAGE).parts} & DRAWERS


def test_the_house_is_read_at_one_glance() -> None:
    entries = [entry.name for entry in PACKAGE.iterdir() if entry.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES
