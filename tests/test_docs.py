"""The docs are whole: what is generated is up to date, links lead somewhere, users' pages have both languages."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
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


def test_the_page_of_settings_is_what_the_settings_make() -> None:
    configuration = load_generator("configuration")
    assert configuration.PAGE.read_text("utf-8") == configuration.page(), "make strings writes configuration.md anew"


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
