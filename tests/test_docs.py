"""The docs are whole and true: what is generated is up to date, links lead somewhere, users' pages have both languages,
and each command, option, setting and target that a page names is one.
"""

import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from portal.cli import cli
from portal.config.known import KNOWN, SECRETS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OF_KUBERNETES = {"PORTAL_PORT", "PORTAL_SERVICE_HOST", "PORTAL_PORT_", "PORTAL_PORT_8000_TCP"}
PAGES = [ROOT / "README.md", ROOT / "README.pt-BR.md", *sorted(DOCS.rglob("*.md"))]


def load_generator(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_of_reasons_are_what_the_words_make() -> None:
    for path, text in load_generator("reasons").pages():
        assert path.read_text("utf-8") == text, f"make strings writes {path.name} anew"


@pytest.mark.parametrize("name", ["configuration", "api"])
def test_the_page_of_settings_and_that_of_calls_are_what_the_portal_makes(name: str) -> None:
    made = load_generator(name)
    assert made.PAGE.read_text("utf-8") == made.page(), f"make strings writes {name}.md anew"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    text = page.read_text("utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)|(?:src|srcset)=\"(?!https?:)([^\"]+)", text)
    missing = [link for pair in links for link in pair if link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", sorted((DOCS / "pt-BR").glob("*.md")), ids=lambda page: page.name)
def test_a_page_in_portuguese_and_its_english_name_each_other(page: Path) -> None:
    if page.name == "motivos.md":
        return
    english = re.search(r"\*In English: \[[^]]+\]\((\.\./[\w-]+\.md)\)", page.read_text("utf-8"))
    assert english
    assert f"(pt-BR/{page.name})" in (page.parent / english[1]).read_text("utf-8")


def test_every_page_is_reached_from_the_first() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        ahead += [
            (page.parent / link).resolve() for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
        ]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == []


def code_of(page: Path) -> Iterator[str]:
    """What stands on a page as code: each line of its blocks, and what is in backticks."""
    text = page.read_text("utf-8")
    for line in re.findall(r"^    (\S.*)$", text, re.MULTILINE):
        yield line.partition("  #")[0].strip()
    yield from re.findall(r"`([^`\n]+)`", text)


def commands_of(page: Path) -> Iterator[list[str]]:
    """The words of each command of the portal that a page names."""
    for code in code_of(page):
        if found := re.search(r"(?:^|/|&& )portal ([a-z][^|<>$(]*)", code):
            yield shlex.split(found[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    for words in commands_of(page):
        command: click.Command | None = cli
        rest = list(words)
        while isinstance(command, click.Group) and rest:
            command = command.get_command(click.Context(command), rest.pop(0))
        assert command is not None, words
        known = {"--help", *(name for parameter in command.params for name in parameter.opts)}
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_a_page_names_exists_and_takes_the_value_beside_it(page: Path) -> None:
    named = set(re.findall(r"\bPORTAL_[A-Z_]+\b(?!_)", page.read_text("utf-8"))) - OF_KUBERNETES
    assert named <= {"PORTAL_INSTANCE", *KNOWN, *(f"{name}_FILE" for name in SECRETS)}
    for code in code_of(page):
        for name, value in re.findall(r"^(PORTAL_[A-Z_]+)=([^.\s].*)$", code):
            if name in KNOWN and "..." not in value:
                KNOWN[name].read(value.strip('"'))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = [found[1] for code in code_of(page) if (found := re.match(r"make ([a-z-]+)", code))]
    assert [target for target in targets if not re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)] == []


def test_prometheus_reads_the_configuration_that_the_docs_show(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", (DOCS / "monitoring.md").read_text("utf-8"), re.DOTALL)
    assert found
    (tmp_path / "prometheus.yml").write_text(found[1])
    promtool = shutil.which("promtool")
    assert promtool, "promtool is not installed: see .ci/programs"
    command = [promtool, "check", "config", "--syntax-only", tmp_path / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
