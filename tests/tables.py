"""What a module's tables and patterns are made of, taken away part by part: what no example needs, no test notices."""

import ast
import inspect
import re
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import signature
from itertools import pairwise, product
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest

_GROUP = re.compile(r"\(\?(?:[a-zA-Z-]*:|<?[=!]|P<\w+>|\(\d\))|\((?!\?)")
_WHOLE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z]+\)", re.DOTALL)
"""An escape, a set of characters, flags: what stands in them parts no pattern."""
_LOOKS = ("(?=", "(?!", "(?<")
_WORD = re.compile(r"[^\W\d_]{3,}")
_SENTENCES = ("_", "_l")

Example = tuple[str, Callable[[], object]]
"""What it is about, as a text, and what gives its result."""


class Part(NamedTuple):
    """`code` makes the module's values anew without it."""

    line: int
    text: str
    code: CodeType


LONGEST_EXAMPLE = 0.05
"""Seconds of processor: what takes longer shows how long something takes, and is run by itself."""


def examples_in(*tests: ModuleType, but: Container[str] = ()) -> Iterator[Example]:
    """The quick tests of these modules that need no fixture, `but` for some, once for each set of their parameters."""
    for test in (each for module in tests for each in vars(module).values() if isinstance(each, FunctionType)):
        marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name in ("parametrize", "slow")]
        if (
            not test.__name__.startswith("test_")
            or test.__name__ in but
            or hasattr(test, "hypothesis")
            or any(mark.name == "slow" for mark in marks)
        ):
            continue
        for rows in product(*(_rows_of(*mark.args[:2]) for mark in marks)):
            given = {name: value for row in rows for name, value in row.items()}
            if given.keys() == signature(test).parameters.keys():
                yield str(given), partial(test, **given)


def _rows_of(names: str | Sequence[str], values: Iterable[Any]) -> list[dict[str, Any]]:
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    return [dict(zip(listed, value if len(listed) > 1 else [value], strict=True)) for value in values]


def find_idle(module: ModuleType, examples: Sequence[Example], *users: ModuleType) -> list[str]:
    """The parts without which every example has the same result. `users` have values of their own of the module's.

    An example that needed the part before is asked early: parts beside each other are often needed by the same.
    """
    examples = [each for each in examples if _seconds_of(each[1]) < LONGEST_EXAMPLE]
    before = [_result_of(example) for _, example in examples]
    texts = [text.casefold() for text, _ in examples]
    idle, order = [], list(range(len(examples)))
    for part in parts_of(module):
        words = [word.casefold() for word in _WORD.findall(part.text)]
        nearest_first = sorted(order, key=lambda at: not any(word in texts[at] for word in words))
        with _without(part, module, users):
            needy = next((at for at in nearest_first if _result_of(examples[at][1]) != before[at]), None)
        if needy is None:
            idle.append(f"{module.__name__}:{part.line} {part.text}")
        else:
            order.remove(needy)
            order.insert(0, needy)
    return idle


def parts_of(module: ModuleType) -> Iterator[Part]:
    """Each item of a table, each word, text and alternative of a pattern, of what the module's names are given."""
    statements = _values_in(ast.parse(inspect.getsource(module)))
    for statement in statements:
        for node, parent in _tables_in(statement):
            for fields, text in _rests_of(node, parent):
                held = {name: getattr(node, name) for name in fields}
                vars(node).update(fields)
                code = compile(ast.fix_missing_locations(ast.Module(statements, [])), module.__name__, "exec")
                vars(node).update(held)
                yield Part(node.lineno, text, code)


@contextmanager
def _without(part: Part, module: ModuleType, users: Sequence[ModuleType]) -> Iterator[None]:
    held = [(each, dict(vars(each))) for each in (module, *users)]
    try:
        _run(part.code, module)
        for user in users:
            for name, value in held[0][1].items():
                if vars(user).get(name) is value:
                    setattr(user, name, getattr(module, name))
            _run(compile(ast.Module(_values_in(ast.parse(inspect.getsource(user))), []), user.__name__, "exec"), user)
        yield
    finally:
        for each, names in held:
            vars(each).update(names)
            _forget(each)


def _run(code: CodeType, module: ModuleType) -> None:
    try:
        exec(code, vars(module))
    except (re.error, LookupError, TypeError, ValueError):
        vars(module).clear()  # nothing works without it, and every example says so
    _forget(module)


def _forget(module: ModuleType) -> None:
    for value in vars(module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def _seconds_of(example: Callable[[], object]) -> float:
    started = time.process_time()
    _result_of(example)
    return time.process_time() - started


def _result_of(example: Callable[[], object]) -> str:
    try:
        return repr(example())
    except (Exception, pytest.fail.Exception) as error:  # it differs, whatever it is
        return repr(error)


def _values_in(tree: ast.Module) -> list[Any]:
    return [each for each in tree.body if isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None]


def _tables_in(statement: Any) -> Iterator[tuple[Any, Any]]:
    """What stands in it, each with what it stands in, but for the sentences for people and the types."""
    waiting = [(statement.value, statement)]
    while waiting:
        node, parent = waiting.pop()
        is_sentence = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SENTENCES
        if is_sentence or isinstance(node, ast.Subscript):
            continue
        yield node, parent
        place = Row if _is_row(node, parent) else node
        waiting += [(each, place) for each in reversed(list(ast.iter_child_nodes(node)))]


class Row:
    """What stands in a row of a table."""


def _is_row(node: ast.AST, parent: Any) -> bool:
    """Whether it is one of several in a table, each of whose places has a meaning of its own."""
    is_inner = isinstance(node, ast.Tuple) and isinstance(parent, ast.Tuple | ast.List)
    return is_inner and any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in node.elts)


def _rests_of(node: Any, parent: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """What the node's fields are without one of its parts, and that part."""
    if isinstance(node, ast.Set | ast.Tuple | ast.List) and len(node.elts) > 1 and not _is_row(node, parent):
        for at, item in enumerate(node.elts):
            yield {"elts": node.elts[:at] + node.elts[at + 1 :]}, ast.unparse(item)
    elif isinstance(node, ast.Dict) and len(node.keys) > 1:
        for at, key in enumerate(node.keys):
            rest = {name: (held := getattr(node, name))[:at] + held[at + 1 :] for name in ("keys", "values")}
            yield rest, ast.unparse(key or node.values[at])
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        for text, rest in _rests_of_text(node.value, parent):
            yield {"value": rest}, text


def _rests_of_text(text: str, parent: Any) -> Iterator[tuple[str, str]]:
    """Without an alternative or an optional group of a pattern, without a word of several, or without anything."""
    words = text.split() if isinstance(parent, ast.Call | ast.Attribute) else []
    if "|" in text or "(?" in text:
        for start, end in _spans_in(text):
            yield text[start:end], text[:start] + text[end:]
    elif len(words) > 1:
        for at, word in enumerate(words):
            yield word, " ".join(words[:at] + words[at + 1 :])
    elif text and not isinstance(parent, ast.Set | ast.Dict | ast.Tuple | ast.List):
        yield text, ""


def _spans_in(pattern: str) -> Iterator[tuple[int, int]]:
    """Each alternative with its bar, each group that may be absent, and each that only looks around."""
    opened: list[list[int]] = [[0, 0]]  # where a group begins, then where its alternatives do
    place = 0
    while place < len(pattern):
        end = place + 1
        if whole := _WHOLE.match(pattern, place):
            end = whole.end()
        elif group := _GROUP.match(pattern, place):
            end = group.end()
            opened.append([place, end])
        elif pattern[place] == "|":
            opened[-1].append(end)
        elif pattern[place] == ")" and len(opened) > 1:
            start, *bars = opened.pop()
            yield from _alternatives(bars, place)
            if pattern[end : end + 1] and pattern[end] in "?*":
                yield start, end + 1
            elif pattern.startswith(_LOOKS, start):
                yield start, end
        place = end
    if len(opened) == 1:
        yield from _alternatives(opened[0][1:], len(pattern))


def _alternatives(bars: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    """From each to the next; the last goes with the bar before it."""
    if len(bars) > 1:
        yield from pairwise(bars)
        yield bars[-1] - 1, end
