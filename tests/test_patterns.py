"""No pattern is built from what people type, and none takes more than linear time, whatever text it is given."""

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import portal

ROOT = Path(portal.__file__).parent
TAKERS = {"compile", "match", "fullmatch", "search", "sub", "split", "findall", "finditer", "Regexp"}
SHORT, LONG = 750, 3_000
QUICK_SECONDS = 0.002
"""What the long text may take without a second look: a pattern that is not linear takes a hundred times as long."""
ONE_OF_EACH = "aZ0é@ .\n"
"""A letter, a capital, a digit, a letter with an accent, and signs that stand in most patterns."""

ANYWHERE = {"search", "sub", "split", "findall", "finditer"}
"""Methods that try every place of a text; the others begin at its beginning."""

Found = tuple[str, re.Pattern[Any], bool]


@cache
def patterns() -> tuple[Found, ...]:
    """Every pattern in the source, with its place. Fails for one that is not a constant of its module."""
    return tuple(found for module in modules() for found in patterns_of(module))


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the project, by its name, as a tree."""
    return {name: ast.parse(Path(str(importlib.import_module(name).__file__)).read_text("utf-8")) for name in modules()}


@cache
def uses() -> dict[str, set[str]]:
    """What each name of the source is used for: its attributes, and `search` for a use that is none of these."""
    found: dict[str, set[str]] = {}
    for tree in sources().values():
        bases = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                name = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                found.setdefault(name, set()).add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in bases:
                found.setdefault(node.id, set()).add("search")
    return found


def modules() -> Iterator[str]:
    for module in pkgutil.walk_packages([str(ROOT)], "portal."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            yield module.name


def patterns_of(name: str) -> Iterator[Found]:
    module, tree = importlib.import_module(name), sources()[name]
    names = {
        id(node.value): getattr(node.targets[0], "id", "") for node in ast.walk(tree) if isinstance(node, ast.Assign)
    }
    for node in ast.walk(tree):
        place = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call) and is_taker(node.func):
            value, *flags = (evaluate(each, module, place) for each in arguments_of(node))
            pattern = value if isinstance(value, re.Pattern) else re.compile(value, *flags)
            method = node.func.attr if isinstance(node.func, ast.Attribute) else "match"
            methods = uses().get(names.get(id(node), ""), ANYWHERE) if method == "compile" else {method}
            yield place, pattern, bool(methods & ANYWHERE)
        elif names.get(id(node)) == "regex":
            yield place, re.compile(evaluate(node, module, place)), False


def arguments_of(call: ast.Call) -> list[ast.expr]:
    """The pattern, and its flags if it has any."""
    named = [each.value for each in call.keywords if each.arg == "flags"]
    return [
        call.args[0],
        *named,
        *(each for each in call.args[1:] if "attr='" in ast.dump(each) and "id='re'" in ast.dump(each)),
    ]


def is_taker(called: ast.expr) -> bool:
    """Whether that is `re.compile` and the like, or a validator that takes a pattern."""
    if isinstance(called, ast.Attribute):
        return called.attr in TAKERS and isinstance(called.value, ast.Name) and called.value.id == "re"
    return isinstance(called, ast.Name) and called.id == "Regexp"


def evaluate(node: ast.expr, module: Any, place: str) -> Any:
    try:
        return eval(compile(ast.Expression(node), place, "eval"), vars(module))
    except NameError as error:
        raise AssertionError(f"{place}: a pattern made at run time, of {error.name}") from error


def adversarial_units(pattern: re.Pattern[Any]) -> list[str]:
    """Short texts to be repeated: of the pattern's own characters, and one of each common kind."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    own = dict.fromkeys(c for c in re.sub(r"\\[a-zA-Z]|[{(\[][?:0-9,]*|\\", "", text) if not c.isalnum() or c.isupper())
    letters = list(dict.fromkeys(re.findall(r"(?<!\\)[a-z]{2,}", text)))[:4]
    singles = [*dict.fromkeys(ONE_OF_EACH + "".join(own))][:16]
    return singles + letters + ["".join(pair) for pair in product(singles[:7], repeat=2)]


def seconds(pattern: re.Pattern[Any], text: Any, *, anywhere: bool) -> float:
    started = time.thread_time()
    pattern.fullmatch(text)
    pattern.match(text)
    for _ in pattern.finditer(text) if anywhere else ():
        pass
    return time.thread_time() - started


def growth(pattern: re.Pattern[Any], text: Callable[[int], str], *, anywhere: bool) -> float:
    """How many times as long four times the text takes; 0 when that is no time at all."""

    def measure(length: int, times: int) -> float:
        given: Any = text(length) if isinstance(pattern.pattern, str) else text(length).encode("latin-1", "replace")
        return min(seconds(pattern, given, anywhere=anywhere) for _ in range(times))

    if measure(LONG, 1) < QUICK_SECONDS:
        return 0
    return measure(LONG, 3) / max(measure(SHORT, 3), QUICK_SECONDS / 100)


def find_slow(pattern: re.Pattern[Any], *, anywhere: bool) -> str | None:
    """A text on which the pattern takes the square of its length, or more: how it begins, what it repeats, its end."""
    for unit in adversarial_units(pattern):
        for first, last in product(("", "a@"), ("", "!", "@ ")):
            ratio = growth(pattern, lambda length: first + (unit * length)[:length] + last, anywhere=anywhere)  # noqa: B023
            if ratio > 8:
                return f"{first!r}, {unit!r}, {last!r}: {ratio:.0f} times"
    return None


def test_patterns_are_found() -> None:
    """Fewer would mean that this file looks in the wrong places."""
    assert len(patterns()) > 50
    assert {"portal.rules.masking", "portal.rules.verdict"} <= {place.partition(":")[0] for place, _, _ in patterns()}


@pytest.mark.parametrize("bad", [r"^[^\s@]+@[^\s@]+\.[^\s@]+$", r"\s*,", r"[^,]*;"])
def test_a_bad_pattern_would_be_noticed(bad: str) -> None:
    assert find_slow(re.compile(bad), anywhere=True)


@pytest.mark.parametrize("place", [place for place, _, _ in patterns()])
def test_every_pattern_is_linear(place: str) -> None:
    ((pattern, anywhere),) = {(pattern, anywhere) for at, pattern, anywhere in patterns() if at == place}
    slow = find_slow(pattern, anywhere=anywhere)
    assert slow is None, f"{pattern.pattern!r} takes the square of the length on {slow}"
