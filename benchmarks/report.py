"""The page that says what `make bench` measured, docs/performance.md, and its picture."""

import os
import platform
import sqlite3
import time
from pathlib import Path

import matplotlib
from matplotlib import pyplot

from benchmarks.comparison import Case
from benchmarks.peers import HEADING

PICTURE = "images/performance.svg"


def write_report(path: Path, cases: list[Case], tables: dict[str, list[str]], *, base: str, rounds: int) -> None:
    """The page: the comparison, and each further table by its name in the text."""
    draw(cases, base, path.parent / PICTURE)
    machine = f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}"
    text = REPORT.format(
        day=time.strftime("%Y-%m-%d"),
        base=base,
        rounds="1 round" if rounds == 1 else f"{rounds} rounds",
        machine=f"{machine}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        load=f"{os.getloadavg()[2]:.1f}",
        picture=PICTURE,
        comparison="\n".join(map(str, cases)),
        **{name: "\n".join(rows) for name, rows in tables.items() if name != "peers"},
    )
    if tables["peers"]:
        text += PEERS.format(rows="\n".join((HEADING, *tables["peers"])))
    path.write_text(text)


def draw(cases: list[Case], base: str, path: Path) -> None:
    """A picture of the ratios, as SVG: for each case, how many times as fast, and how much less CPU."""
    matplotlib.rcParams["svg.hashsalt"] = "performance"  # the same figures give the same file
    places = range(len(cases))
    figure, axes = pyplot.subplots(figsize=(9, 0.8 * len(cases) + 1), layout="constrained")
    for above, colour, label, values in (
        (-0.2, "#1f6f5c", "times as fast", [case.faster for case in cases]),
        (0.2, "#9cc4b8", "times as little CPU", [case.less for case in cases]),
    ):
        bars = axes.barh([place + above for place in places], values, height=0.36, color=colour, label=label)
        axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.axvline(1, color="#888888", linewidth=0.8)
    axes.set_yticks(places, [case.name for case in cases])
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"Against {base}", loc="left")
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


REPORT = """# Performance

Measured by `make bench` on {day}: this code against its own state at {base}, in turn, {rounds}, with default settings,
`synchronous=FULL`, and a small receiver in C on the same machine. A ratio is the median of the rounds' own; compare
nothing across runs or machines. CPU is that of all processes of the portal, and of PostgreSQL.

Machine: {machine}. Its load over the last quarter of an hour: {load}.

| case | {base}, a second | now, a second | times as many | {base}, CPU ms each | now, CPU ms each | times as little |
|---|---|---|---|---|---|---|
{comparison}

![How many times as fast, and how much less CPU]({picture})

Of this code alone, on SQLite where nothing else is said:

| what | measured |
|---|---|
{alone}

Where the processor's time of the portal goes (not that of PostgreSQL's processes). To count it takes time, too:

| of | microseconds | parts |
|---|---|---|
{microseconds}

Several processes on one PostgreSQL, which has the same machine:

| processes | a second | processors busy with the portal | with PostgreSQL |
|---|---|---|---|
{scale}
"""

PEERS = """
Others drain the same deliveries, each with a row for what came of it, in turn with this portal
([peers.ini](../benchmarks/peers.ini) says how, and how to add one). What Redis holds is on no disk.

{rows}
"""
