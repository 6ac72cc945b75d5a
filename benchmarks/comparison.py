"""What a comparison of two states of the portal gave: its table, its picture, and the page that says both."""

from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Result:
    """What one case gave: how many a second, and milliseconds of CPU for each."""

    rate: float
    cpu_ms: float


@dataclass
class Case:
    """What every round gave for one case, of the earlier code and of this one."""

    name: str
    before: list[Result] = field(default_factory=list)
    now: list[Result] = field(default_factory=list)

    @property
    def faster(self) -> float:
        return median(new.rate / old.rate for old, new in zip(self.before, self.now, strict=True))

    @property
    def less(self) -> float:
        return median(old.cpu_ms / new.cpu_ms for old, new in zip(self.before, self.now, strict=True))

    def __str__(self) -> str:
        """As a row of the table: medians of both, and the medians of the rounds' ratios."""
        both = (self.before, self.now)
        rates = [f"{median(each.rate for each in some):,.0f}" for some in both]
        cpus = [f"{median(each.cpu_ms for each in some):.2f}" for some in both]
        return "| " + " | ".join((self.name, *rates, f"**{self.faster:.1f}**", *cpus, f"**{self.less:.1f}**")) + " |"


def draw(cases: list[Case], base: str) -> str:
    """A picture of the ratios, as SVG: for each case, how many times as fast, and how much less CPU."""
    most = max(max(each.faster, each.less) for each in cases)
    lines = []
    for place, case in enumerate(cases):
        top = 40 + place * 54
        lines.append(f'<text x="8" y="{top}">{case.name}</text>')
        for below, value, colour in ((6, case.faster, "#1f6f5c"), (24, case.less, "#7aa89b")):
            width = value / most * 560
            lines.append(f'<rect x="8" y="{top + below}" width="{width:.0f}" height="14" fill="{colour}"/>')
            lines.append(f'<text x="{width + 14:.0f}" y="{top + below + 12}">{value:.1f}</text>')
    head = f"Times as fast as {base} (dark), and times as little CPU (light)"
    size = f'viewBox="0 0 640 {40 + len(cases) * 54}"'
    style = 'font-family="sans-serif" font-size="13"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>',
            f'<text x="8" y="16">{head}</text>',
            *lines,
            "</svg>\n",
        ]
    )


REPORT = """# Performance

Measured by `make {target}` on {day}: this code against its own state at {base}, in turn, {rounds}, with default
settings, `synchronous=FULL`, and a receiver in Python on the same machine. A ratio is the median of the rounds' own;
compare nothing across runs or machines. CPU is that of the process that is measured: the worker, or who serves.

Machine: {machine}. Its load when the run began and when it ended: {load}.
Where that is above the number of processors, both waited for others, and the CPU tells more than the rates.

| case | {base}, a second | now, a second | times as many | {base}, CPU ms each | now, CPU ms each | times as little |
|---|---|---|---|---|---|---|
{rows}

![How many times as fast, and how much less CPU]({picture})

Of this code alone, on SQLite:

| what | measured |
|---|---|
{also}

`python benchmarks/goals.py` measures the second table again, `benchmarks/drain.py` compares a worker with a bare loop
of its own sender, `benchmarks/pages.py` asks for the pages over a long log, `benchmarks/saving.py` and
`benchmarks/import.py` measure saving and importing contacts, `benchmarks/purging.py` pages beside a purge.
"""
