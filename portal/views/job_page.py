"""What the page of a task takes from its kind: words, what is counted, and where to go on."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.models import Task

Counts = Counter[str]
Words = object  # what flask_babel returns


def explain_failure(reason: str) -> Words:
    """Why a task went no further."""
    if reason == "webhook_unset":
        return _("A URL de destino foi removida no meio do caminho. Configure o webhook e comece de novo.")
    return _("Aconteceu algo que o portal não esperava. O que já foi feito vale, e começar de novo não repete nada.")


class Link(NamedTuple):
    """A way to another page: its symbol, the view's name, the words, and the values of its address."""

    symbol: str
    view: str
    words: str
    values: Mapping[str, str] = {}
    number: str = ""  # what the address calls the task's own number, if it takes it
    needs: str = ""  # what must have been counted, if there is to be a link at all

    def url_for(self, task: Task) -> str:
        """Where the link leads on the page of this task."""
        values: dict[str, Any] = {**self.values, **({self.number: task.id} if self.number else {})}
        return url_for(self.view, **values)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is said of one kind of task."""

    title: str
    back: Link
    symbol: str
    running: str
    unit: str = _l("Contatos feitos")  # what the bar measures
    heading: str = _l("O que foi feito")
    words: Mapping[str, str]  # the words for each thing that is counted, in the order of the page
    result: Callable[[Counts], Words] = lambda _counts: ""
    note: Callable[[Counts], Words] = lambda _counts: ""
    count: Callable[[Task], Mapping[str, int]] = lambda task: task.counts
    explain: Callable[[str], Words] = explain_failure
    links: tuple[Link, ...] = ()  # where to go at the end
    is_for_admins: bool = False
    report_template: str | None = None  # what else is shown, and `report` the values that it takes
    report: Callable[[Task], Mapping[str, object]] = lambda _task: {}


def say(name: str, some: Callable[[int], Words], none: Words = "") -> Callable[[Counts], Words]:
    """Returns a function that says how many of `name` were counted: `some` says a number, `none` stands for 0."""
    return lambda counts: some(counts[name]) if counts[name] else none
