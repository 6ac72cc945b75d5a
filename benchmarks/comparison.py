"""What a comparison of two states of the portal gave: a row of the table for each case."""

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
