"""The house's rules, checked on the source: who imports whom, who may do what."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "portal"

FLOORS = [
    ["circuit", "clock", "retry", "version"],
    ["mail"],
    ["egress", "config", "vault"],
    ["address_advice", "masking", "tables", "rate_limit"],
    ["db", "payload", "verdict", "reasons", "i18n", "logs", "security", "assets", "extensions", "wakeup", "receiver"],
    ["webhook", "models"],
    ["schema", "outbox", "audit", "contact_items"],
    ["contacts", "tasks", "idempotency", "backup"],
    ["migrating"],
    ["endpoints", "deliveries", "figures", "inspector"],
    ["accounts", "classification", "contact_batch", "resending", "sync"],
    ["directory", "notices"],
    ["importing", "retention", "bulk_classification"],
    ["privacy"],
    ["forms"],
    ["shares"],
    ["dispatcher", "notifier", "task_runner"],
    ["runtime"],
    ["views", "api", "worker"],
    ["application"],
    ["__init__", "__main__", "cli", "demo"],
]
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
EDGES = FLOOR_OF["runtime"]
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]


def unit_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[tuple[str, ast.stmt]]:
    found: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "portal":
            found += [(f"portal.{alias.name}", node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", node))
    return found


def ids(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_a_module_imports_only_from_lower_floors(path: Path) -> None:
    own = unit_of(path)
    for name, _ in imports_of(path):
        if name.startswith("portal."):
            target = name.split(".")[1]
            if target in ("create_app",):
                target = "__init__"
            assert target == own or FLOOR_OF[target] < FLOOR_OF[own] or own in FLOORS[-1], f"{ids(path)} imports {name}"


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("pycurl", {"egress"}),
        ("requests", {"egress", "webhook"}),
        ("apscheduler", {"worker"}),
        ("alembic", {"migrating"}),
        ("argon2", {"accounts"}),
        ("cryptography", {"vault"}),
        ("smtplib", {"mail"}),
    ],
)
def test_a_library_is_imported_only_where_it_belongs(library: str, allowed: set[str]) -> None:
    users = {unit_of(path) for path in MODULES for name, _ in imports_of(path) if name.split(".")[0] == library}
    assert users <= allowed
    assert users


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_only_the_edges_commit_and_know_the_current_application(path: Path) -> None:
    if FLOOR_OF[unit_of(path)] >= EDGES:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.Attribute) and node.attr == "commit"), f"{ids(path)} commits"
        assert not (isinstance(node, ast.Name) and node.id == "current_app"), f"{ids(path)} knows current_app"


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_only_the_clock_reads_the_time(path: Path) -> None:
    if path.name == "clock.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            called = f"{node.value.id}.{node.attr}"
            assert called not in ("time.time", "time.monotonic", "datetime.now", "datetime.utcnow", "date.today"), (
                f"{ids(path)} reads the time"
            )


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_imports_stand_at_the_top(path: Path) -> None:
    if unit_of(path) in ("__init__", "__main__", "cli", "demo"):
        return
    tree = ast.parse(path.read_text())
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        assert not [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)], function.name


def test_no_module_is_a_drawer_for_anything() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "helpers", "common", "misc"}
