"""How long the server takes for every page, filter and API call with a long log: 1,000,000 deliveries and 100,000
contacts, beside the same installation with 1000 of each.

    python -m benchmarks.pages [--contacts N] [--deliveries N] [--times N] [--postgres] [--keep FOLDER] [--only TEXT]

Both databases are made in a temporary folder, or in a throw-away PostgreSQL (`--keep` makes SQLite's once and uses them
again). An admin asks for each page in turn, of one database and then of the other; shown are the median and the 95th
of a hundred, in milliseconds, until the first byte. On SQLite that is CPU, all of which is spent here and which other
work on the machine disturbs less; on PostgreSQL it is the clock. What misses the goal is marked: 1.2 times the small
installation, and 25 ms.
"""

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import create_engine, text

from benchmarks.addresses import addresses
from benchmarks.ending import run_until_told
from benchmarks.long_log import Installation, install
from portal.cli.arenas import COLLECTIONS
from portal.clock import utcnow
from tests.postgres import throwaway_postgres

SMALL = {"contacts": 1000, "deliveries": 1000}
LARGE = {"contacts": 100_000, "deliveries": 1_000_000}
FEW, MANY = 3, 40
"""How often each page is asked for, and then the slowest of them."""
SLOWEST = 10
GOAL_RATIO, GOAL_MS = 1.2, 25
UNFELT_MS = 2
"""Below so much more no ratio counts: it is the clock's own grain."""
MORE, MORE_BYTES = 1.05, 300
"""An answer that is longer than so much has other rows: the rest is longer numbers."""

Both = tuple[Installation, Installation]


@dataclass(frozen=True)
class Answers:
    """The milliseconds that answers of the small installation took, and those of the large one."""

    page: str
    small: Sequence[float]
    large: Sequence[float]
    sizes: tuple[int, int]
    """Of both answers, in bytes."""

    @property
    def shows_more(self) -> bool:
        """Whether the large installation has more to show there: rows that the small one does not have."""
        small, large = self.sizes
        return large > small * MORE + MORE_BYTES

    @property
    def p95s(self) -> tuple[float, float]:
        small, large = (statistics.quantiles(each, n=20)[-1] if len(each) > FEW else max(each) for each in self)
        return small, large

    def __iter__(self) -> Iterator[Sequence[float]]:
        return iter((self.small, self.large))

    @property
    def medians(self) -> tuple[float, float]:
        return statistics.median(self.small), statistics.median(self.large)

    @property
    def ratio(self) -> float:
        small, large = self.p95s
        if self.shows_more:
            return 1.0
        return large / small if large - small > UNFELT_MS else 1.0

    @property
    def is_good(self) -> bool:
        return self.ratio <= GOAL_RATIO and self.p95s[1] <= GOAL_MS

    def __str__(self) -> str:
        (low, low95), (high, high95) = zip(self.medians, self.p95s, strict=True)
        mark = "!" if not self.is_good else "+" if self.shows_more else " "
        return f"{low:7.1f} {low95:6.1f} {high:8.1f} {high95:6.1f} {self.ratio:6.2f} {mark} {self.page}"


def log_in(at: Installation) -> FlaskClient:
    client = at.app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"], session["since"] = at.admin, True, int(utcnow().timestamp())
    return client


def ask(at: Installation, client: FlaskClient, page: str) -> tuple[float, int]:
    """Milliseconds until the answer's first byte, and its size: of one that streams, of its first part."""
    url = page.format(**at.words)
    headers = {"Authorization": f"Bearer {at.token}"} if url.startswith("/api/") else {}
    clock = time.perf_counter if at.is_on_postgresql else time.thread_time
    started = clock()
    answer = client.get(url, headers=headers)
    first = next(iter(answer.response), b"")
    took = (clock() - started) * 1000
    answer.close()
    if answer.status_code >= 400:
        raise SystemExit(f"{url} was answered {answer.status_code}.")
    return took, answer.content_length or len(first)


def measure(both: Both, page: str, times: int) -> Answers:
    """Both asked in turn; the first answers, which compile what is asked, do not count."""
    clients = [log_in(at) for at in both]
    small, large = (ask(at, client, page)[1] for at, client in zip(both, clients, strict=True))
    rounds = [[ask(at, client, page)[0] for at, client in zip(both, clients, strict=True)] for _ in range(times)]
    return Answers(page, *zip(*rounds, strict=True), (small, large))


@contextmanager
def installed(folder: Path, sizes: dict[str, int], *, on_postgresql: bool) -> Iterator[Both]:
    """The small and the large installation."""
    with database_urls(folder, on_postgresql=on_postgresql) as (small, large):
        both = install(folder / "small", small, **SMALL), install(folder / "large", large, **sizes)
        gc.set_threshold(*COLLECTIONS)  # as in a portal that has started
        gc.freeze()  # as `portal serve` does with what its start made
        yield both


@contextmanager
def database_urls(folder: Path, *, on_postgresql: bool) -> Iterator[tuple[str, str]]:
    if not on_postgresql:
        yield f"sqlite:///{folder / 'small' / 'portal.db'}", f"sqlite:///{folder / 'large' / 'portal.db'}"
        return
    with throwaway_postgres() as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE small"))
        engine.dispose()
        yield url.removesuffix("postgres") + "small", url


def measure_pages() -> Iterator[str]:
    """Rows of a table, one for each database."""
    yield measure_all("SQLite", on_postgresql=False)
    yield measure_all("PostgreSQL", on_postgresql=True)


def measure_all(name: str, *, on_postgresql: bool) -> str:
    """All of them a few times; those that took longest, and those that grew most, often."""
    with tempfile.TemporaryDirectory() as folder, installed(Path(folder), LARGE, on_postgresql=on_postgresql) as both:
        found = [measure(both, page, FEW) for page in addresses(both[0].app)]
        slow = sorted(found, key=lambda each: each.medians[1])[-SLOWEST:]
        grown = sorted(found, key=lambda each: each.ratio)[-SLOWEST:]
        often = [measure(both, page, MANY) for page in {each.page for each in (*slow, *grown)}]
    slowest, steepest = max(often, key=lambda each: each.p95s[1]), max(often, key=lambda each: each.ratio)
    quick = sum(each.medians[1] <= GOAL_MS for each in found)
    alike = [each for each in found if not each.shows_more]
    even = sum(each.medians[1] <= max(GOAL_RATIO * each.medians[0], each.medians[0] + UNFELT_MS) for each in alike)
    return (
        f"{len(found)} pages, filters and calls, 1,000,000 deliveries and 100,000 contacts against 1,000, {name} | "
        f"{quick} within {GOAL_MS} ms; of {len(alike)} that show as much as with 1,000, {even} within {GOAL_RATIO} "
        f"times; slowest `{slowest.page}`, "
        f"p95 {slowest.p95s[1]:.0f} ms, {slowest.ratio:.1f} times; most grown `{steepest.page}`, "
        f"{steepest.ratio:.1f} times, {steepest.p95s[1]:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=LARGE["contacts"])
    parser.add_argument("--deliveries", type=int, default=LARGE["deliveries"])
    parser.add_argument("--times", type=int, default=FEW)
    parser.add_argument("--postgres", action="store_true", help="a throw-away PostgreSQL instead of SQLite")
    parser.add_argument("--keep", type=Path, help="where the SQLite files are kept and found again")
    parser.add_argument("--only", default="", help="only pages whose address holds this")
    given = parser.parse_args()
    sizes = {"contacts": given.contacts, "deliveries": given.deliveries}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = given.keep or Path(temporary)
        both = stack.enter_context(installed(folder, sizes, on_postgresql=given.postgres))
        print(f"{'small p50':>7} {'p95':>4} {'large p50':>8} {'p95':>4} {'ratio':>6}")
        for page in addresses(both[0].app):
            if given.only in page:
                print(measure(both, page, given.times), flush=True)


if __name__ == "__main__":
    run_until_told(main)
