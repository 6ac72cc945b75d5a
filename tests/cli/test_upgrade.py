import sqlite3
from pathlib import Path

from tests.cli.conftest import Run


def test_upgrade_makes_the_tables_of_a_new_installation(run: Run, instance: Path) -> None:
    (instance / "portal.db").unlink()
    result = run("upgrade")
    assert (result.exit_code, result.stdout) == (0, "The database was upgraded.\n")
    assert (
        run("user", "add", "--company", "A", "--email", "a@a.example", "--name", "A", "--role", "admin").exit_code == 0
    )


def test_upgrade_has_nothing_to_do_twice(run: Run) -> None:
    assert run("upgrade").stdout == "The database is up to date.\n"


def test_a_newer_database_is_left_alone(run: Run, instance: Path) -> None:
    connection = sqlite3.connect(instance / "portal.db")
    connection.execute("UPDATE alembic_version SET version_num = 'from the future'")
    connection.commit()
    connection.close()
    result = run("upgrade")
    assert result.exit_code == 1
    assert "newer version" in result.stderr
