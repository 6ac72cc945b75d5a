"""What commands of root leave in the folder of another user's portal."""

import errno
import os
from pathlib import Path

import pytest

from portal.database import owning
from tests.cli.conftest import Run
from tests.database.test_old_databases import unpack


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, instance: Path) -> set[str]:
    """The names of what root gives to the owner of its folder, who is another user."""
    names: set[str] = set()

    def give(name: str, _user: int, _group: int, *, dir_fd: int, follow_symlinks: bool) -> None:
        assert not follow_symlinks
        os.stat(name, dir_fd=dir_fd)
        names.add(name)

    monkeypatch.setattr(owning, "ROOT", os.geteuid())
    monkeypatch.setattr(os, "chown", give)
    return names


def test_a_new_portal_that_root_makes_belongs_to_the_owner_of_its_folder(
    run: Run, instance: Path, environ: dict[str, str], given: set[str]
) -> None:
    (instance / "portal.db").unlink()
    del environ["PORTAL_SECRET_KEY"]
    assert run("upgrade").exit_code == 0
    assert "portal.db" in given
    assert any(name.startswith("secret.key") for name in given)


def test_an_upgrade_that_root_runs_leaves_its_backup_to_the_owner_of_the_folder(
    run: Run, instance: Path, given: set[str]
) -> None:
    (instance / "portal.db").unlink()
    unpack("0040-9bc0c761", instance)
    result = run("upgrade")
    assert result.exit_code == 0, result.output
    assert "backups" in given
    assert any(name.startswith(".portal-0040-") for name in given)


def test_a_restore_by_root_leaves_all_to_the_owner_of_the_folder(run: Run, instance: Path, given: set[str]) -> None:
    copy = instance / "copy.db"
    assert run("backup", copy).exit_code == 0
    assert run("restore", copy).exit_code == 0
    assert "backups" in given
    assert any(name.startswith("before-restore-") for name in given)
    assert "portal.db" not in given
    (instance / "portal.db").write_bytes(b"no database at all" * 500)
    assert run("restore", copy).exit_code == 0
    assert "portal.db" in given


def test_the_list_of_who_was_erased_is_the_owners_of_the_folder(run: Run, given: set[str]) -> None:
    run("user", "add", "--company", "A", "--email", "a@a.example", "--name", "A", "--role", "admin")
    assert run("import", "-", "--campaign", "C", stdin="Name,E-mail\nAna Silva,ana@x.example\n").exit_code == 0
    assert run("erase", "--contact", 1, "--yes").exit_code == 0
    assert any(name.startswith(".erasures.") for name in given)


def test_a_link_to_another_file_of_root_and_a_file_of_somebody_else_are_not_given_away(
    instance: Path, given: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, linked = instance / "mine", instance / "linked"
    mine.touch()
    owning.hand_over(mine)
    assert given == {"mine"}
    given.clear()
    linked.hardlink_to(mine)
    owning.hand_over(linked)
    assert given == set()
    linked.unlink()
    monkeypatch.setattr(owning, "ROOT", os.geteuid() + 1)  # the file is of another user than root, who asks
    monkeypatch.setattr(os, "geteuid", lambda: owning.ROOT)
    owning.hand_over(mine)
    assert given == set()


def test_where_root_may_give_nothing_away_it_keeps_what_it_made(
    instance: Path, given: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container: the owner of a folder from outside is nobody there, or root has lost the right."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "chown", refuse)
    owning.make_folder(instance / "made")
    assert (instance / "made").is_dir()
