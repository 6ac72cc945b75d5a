"""`make release`: what it refuses, what it writes, and that what it builds is whole."""

import importlib.machinery
import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
CHANGES = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [1.1.0] - 2026-01-01\n\n- Older.\n"


def load_script() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("release", str(ROOT / ".ci" / "release"))
    spec = importlib.util.spec_from_loader("release", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


release = load_script()


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]
    command = ["git", "-C", folder, *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of version 1.1.0 that lists one change."""
    (tmp_path / "portal").mkdir()
    (tmp_path / "portal" / "version.py").write_text('__version__ = "1.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "All")
    return tmp_path


@pytest.mark.parametrize("version", ["", "1", "1.2", "v1.2.0", "1.2.0rc1", "1.02.0"])
def test_what_is_no_version_is_refused(project: Path, version: str) -> None:
    with pytest.raises(release.Refused, match="is no version"):
        release.release(project, version)


def test_a_version_that_exists_or_is_older_is_refused(project: Path) -> None:
    git(project, "tag", "v1.2.0")
    with pytest.raises(release.Refused, match=r"the tag v1\.2\.0 exists"):
        release.release(project, "1.2.0")
    with pytest.raises(release.Refused, match=r"1\.0\.9 is older than 1\.1\.0"):
        release.release(project, "1.0.9")


def test_a_work_tree_that_is_not_clean_is_refused(project: Path) -> None:
    (project / "notes.txt").touch()
    with pytest.raises(release.Refused, match="not clean"):
        release.release(project, "1.2.0")


def test_a_version_without_a_change_is_refused(project: Path) -> None:
    (project / "CHANGELOG.md").write_text(CHANGES.replace("- A thing.\n", ""))
    git(project, "commit", "--quiet", "--all", "--message", "Less")
    with pytest.raises(release.Refused, match="lists nothing"):
        release.release(project, "1.2.0")


@pytest.mark.slow
def test_a_version_that_cannot_be_built_leaves_no_trace(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Ana")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ana@example.com")
    before = git(project, "rev-parse", "HEAD")
    with pytest.raises(subprocess.CalledProcessError):
        release.release(project, "1.2.0")
    assert git(project, "rev-parse", "HEAD") == before
    assert git(project, "status", "--porcelain") == git(project, "tag") == ""
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_what_was_unreleased_gets_its_version_and_day(project: Path) -> None:
    release.write_version(project, "1.2.0", day="2026-02-03")
    assert (project / "portal" / "version.py").read_text() == '__version__ = "1.2.0"\n'
    _, _, said = (project / "CHANGELOG.md").read_text().partition("## [Unreleased]\n")
    assert said.startswith("\n## [1.2.0] - 2026-02-03\n\n### Added\n\n- A thing.\n\n## [1.1.0]")


@pytest.mark.slow(15)
def test_the_sdist_holds_the_project_and_the_wheel_the_portal(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    git(copy, "init", "--quiet")
    git(copy, "add", ".")
    sdist, wheel = release.build(copy, tmp_path / "made")
    release.check_files(copy, sdist, wheel)
    (copy / "portal" / "people" / "forgotten.bin").touch()
    git(copy, "add", ".")
    with pytest.raises(release.Refused, match=r"lacks portal/people/forgotten\.bin"):
        release.check_files(copy, sdist, wheel)
