"""No pattern is built from what people type, and none takes more than linear time, whatever text it is given."""

import ast
import gc
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
from portal.egress import advice
from portal.importing import shape
from portal.rules import services

ROOT = Path(portal.__file__).parent
TAKERS = {"compile", "match", "fullmatch", "search", "sub", "split", "findall", "finditer", "Regexp"}
SHORT, LONG = 1_500, 6_000
QUICK_SECONDS = 0.001
"""What the long text may take without a second look: a pattern that is not linear takes a hundred times as long."""
MOST_GROWTH = 8
"""Times as long, at most, that four times the text may take: a square takes sixteen."""
ONE_OF_EACH = "aZ0é@ .\n"
"""A letter, a capital, a digit, a letter with an accent, and signs that stand in most patterns."""

TABLES: dict[str, tuple[list[str], bool]] = {
    "kind.path": ([kind.path for kind in advice.KINDS], True),
    "words": ([words for _, _, words, _ in services.BOT_WALLS if words], True),
    "pattern": ([kind.pattern for kind in shape.KINDS], False),
}
"""Patterns of a table of constants, by their name where they are used; and whether they look in every place."""
made_at_run_time: list[str] = []
ANYWHERE = {"search", "sub", "split", "findall", "finditer"}
"""Methods that try every place of a text; the others begin at its beginning."""

Found = tuple[str, re.Pattern[Any], bool]


@cache
def patterns() -> tuple[Found, ...]:
    """Every pattern in the source, with its place."""
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
            method = node.func.attr if isinstance(node.func, ast.Attribute) else "match"
            is_in_table = ast.unparse(node.args[0]) in TABLES
            methods = uses().get(names.get(id(node), ""), ANYWHERE) if method == "compile" else {method}
            for number, pattern in enumerate(compiled(node, module)):
                anywhere = TABLES[ast.unparse(node.args[0])][1] if is_in_table else bool(methods & ANYWHERE)
                yield f"{place}:{number}", pattern, anywhere
        elif names.get(id(node)) == "regex":
            yield place, re.compile(evaluate(node, module)), False


def compiled(call: ast.Call, module: Any) -> list[re.Pattern[Any]]:
    """The pattern of a call, or those of the table that it goes through; none when it is made at run time."""
    pattern, *flags = arguments_of(call)
    try:
        values, _ = TABLES.get(ast.unparse(pattern)) or ([evaluate(pattern, module)], True)
    except NameError:
        made_at_run_time.append(f"{module.__name__}:{call.lineno}: {ast.unparse(pattern)}")
        return []
    settings = [evaluate(flag, module) for flag in flags]
    return [value if isinstance(value, re.Pattern) else re.compile(value, *settings) for value in values]


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


def evaluate(node: ast.expr, module: Any) -> Any:
    return eval(compile(ast.Expression(node), module.__name__, "eval"), vars(module))


def adversarial_units(pattern: re.Pattern[Any]) -> list[str]:
    """Short texts to be repeated: what the pattern names, and one character of each common kind, alone and in pairs."""
    named = list(dict.fromkeys(literals_in(re._parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))))
    singles = list(dict.fromkeys([*ONE_OF_EACH, *(text for text in named if len(text) == 1)]))[:16]
    return (
        singles
        + [text for text in named if len(text) > 1][:12]
        + ["".join(pair) for pair in product(singles[:7], repeat=2)]
    )


def literals_in(parsed: Any) -> Iterator[str]:
    """The runs of characters that a parsed pattern names, and each of their characters."""
    run = ""
    for operation, value in [*parsed, (None, None)]:
        if str(operation) == "LITERAL":
            run += chr(value)
            continue
        yield from [run, *run] if run else []
        run = ""
        for inner in value if isinstance(value, list | tuple) else [value]:
            for each in inner if isinstance(inner, list) else [inner]:
                if isinstance(each, re._parser.SubPattern):
                    yield from literals_in(each)
                elif isinstance(each, tuple) and str(each[0]) == "LITERAL":
                    yield chr(each[1])


def seconds(pattern: re.Pattern[Any], text: Any, *, anywhere: bool) -> float:
    gc.disable()  # what other tests left to be collected is no work of the pattern
    started = time.thread_time()
    pattern.fullmatch(text)
    pattern.match(text)
    for _ in pattern.finditer(text) if anywhere else ():
        pass
    taken = time.thread_time() - started
    gc.enable()
    return taken


def growth(pattern: re.Pattern[Any], text: Callable[[int], str], *, anywhere: bool) -> float:
    """How many times as long four times the text takes; 0 when that is no time at all."""

    def measure(length: int, times: int) -> float:
        given: Any = text(length) if isinstance(pattern.pattern, str) else text(length).encode("latin-1", "replace")
        return min(seconds(pattern, given, anywhere=anywhere) for _ in range(times))

    long = measure(LONG, 1)
    if long < QUICK_SECONDS:
        return 0
    short = max(measure(SHORT, 3), QUICK_SECONDS / 100)
    return (long if long <= MOST_GROWTH * short else min(long, measure(LONG, 6))) / short


@cache
def find_slow(pattern: re.Pattern[Any], *, anywhere: bool) -> str | None:
    """A text on which the pattern takes the square of its length, or more: how it begins, what it repeats, its end."""
    for unit in adversarial_units(pattern):
        for first, last in product(("", "a@"), ("", "!", "@ ")):
            ratio = growth(pattern, lambda length: first + (unit * length)[:length] + last, anywhere=anywhere)  # noqa: B023
            if ratio > MOST_GROWTH:
                return f"{first!r}, {unit!r}, {last!r}: {ratio:.0f} times"
    return None


def test_patterns_are_found_and_none_is_made_of_what_people_type() -> None:
    """Fewer would mean that this file looks in the wrong places."""
    assert len(patterns()) > 50
    assert made_at_run_time == []
    assert {"portal.rules.masking", "portal.rules.verdict"} <= {place.partition(":")[0] for place, _, _ in patterns()}


@pytest.mark.slow
@pytest.mark.parametrize("bad", [r"^[^\s@]+@[^\s@]+\.[^\s@]+$", r"\s*,", r"[^,]*;"])
def test_a_bad_pattern_would_be_noticed(bad: str) -> None:
    assert find_slow(re.compile(bad), anywhere=True)


@pytest.mark.slow
@pytest.mark.parametrize("module", list(modules()))
def test_every_pattern_is_linear(module: str) -> None:
    for place, pattern, anywhere in patterns_of(module):
        slow = find_slow(pattern, anywhere=anywhere)
        assert slow is None, f"{place}: {pattern.pattern!r} takes the square of the length on {slow}"
