"""What is handed on as a value stays as it was made."""

import ast
from pathlib import Path

PORTAL = Path(__file__).parent.parent / "portal"
CHANGING = {
    *(f"contacts/records {name}" for name in ("CampaignRecord", "Change", "ContactRecord", "PersonRecord")),
    *("contacts/saved Saved", "importing/broken _Run", "importing/feed Attempt", "rules/error_words Budget"),
}
"""What is filled while a batch, a file or an answer is gone through."""


def test_every_dataclass_is_frozen_but_what_is_filled_on_the_way() -> None:
    classes = {
        f"{file.relative_to(PORTAL).with_suffix('')} {each.name}": ast.unparse(decorator)
        for file in sorted(PORTAL.rglob("*.py"))
        for each in ast.walk(ast.parse(file.read_text()))
        if isinstance(each, ast.ClassDef)
        for decorator in each.decorator_list
        if ast.unparse(decorator).startswith("dataclass")
    }
    assert {name for name, words in classes.items() if "frozen=True" not in words} == CHANGING
    assert len(classes) > 100
