"""Searching a past: the ten most used searches, the charts and an export, over as many exchanges as there are to be."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from gateway.auditor.filters import ExchangeFilter
from gateway.auditor.scope import Scope
from gateway.clock import utc_now
from gateway.demo.past import CASES, MARKS, Past
from gateway.demo.run import Demo, free_port
from gateway.wiring import Services, build
from tests.bench import figures
from tests.bench.answers import Faults
from tests.bench.figures import percentile, say
from tests.bench.stores import two_databases

NATION = Scope("bench", None)
CUSTOMS = Scope("bench", "customs-xa")
REGULATOR = Scope("bench", "regulator-xa")
EXPORTED = 20_000


@dataclass(frozen=True, slots=True)
class Size:
    exchanges: int
    """On SQLite."""
    rounds: int


def measure(folder: Path, size: Size, postgres: str | None, faults: Faults) -> None:
    """Measure on SQLite; on PostgreSQL, where it is given, ten times as many."""
    _measure_on(folder / "search-sqlite", "", None, size, faults)
    if postgres is not None:
        size = replace(size, exchanges=10 * size.exchanges)
        _measure_on(folder / "search-postgresql", "-postgresql", postgres, size, faults)


def _measure_on(folder: Path, name: str, postgres: str | None, size: Size, faults: Faults) -> None:
    with two_databases(folder, postgres) as (first, second):
        demo = Demo(folder, free_port())
        if postgres is not None:
            demo.settings = replace(demo.settings, database_url=first, checkpoint_database_url=second)
        past = Past(demo)
        past.begin()
        started = perf_counter()
        past.seed(size.exchanges, say)
        spent = perf_counter() - started
        figures.heading(f"a past of {size.exchanges:,} exchanges{name.replace('-', ' on ')}")
        figures.rate(f"seed{name}", size.exchanges / spent)
        services = build(demo.settings)
        try:
            _search(services, name, size, faults)
        finally:
            services.close()


def _search(services: Services, name: str, size: Size, faults: Faults) -> None:
    search = services.auditing.search
    for kind, (scope, wanted) in _searches(services).items():
        spent, total = [], 0
        for number in range(size.rounds + 1):
            started = perf_counter()
            page = search.exchanges(scope, wanted, after=None, limit=50)
            if number:  # the first one finds nothing in memory
                spent.append((perf_counter() - started) * 1000)
            total = page.total
        if not total:
            faults.add(f"search {kind}: nothing found")
        _told(f"search-{kind}{name}", spent)
    until = utc_now()
    for kind, days in (("month", 30), ("half-year", 180)):
        spent = [
            _timed(lambda days=days: services.auditing.statistics.of(NATION, until - timedelta(days=days), until))
            for _ in range(max(3, size.rounds // 4))
        ]
        _told(f"charts-{kind}{name}", spent)
    rows, started = 0, perf_counter()
    for _ in search.every_exchange(NATION, ExchangeFilter()):
        rows += 1
        if rows == EXPORTED:
            break
    figures.rate(f"export{name}", rows / (perf_counter() - started))


def _searches(services: Services) -> dict[str, tuple[Scope, ExchangeFilter]]:
    now = utc_now()
    month, quarter = now - timedelta(days=30), now - timedelta(days=90)
    record = f"urn:ipx:ipo-xa:trademark:{MARKS[0]}"
    return {
        "newest": (NATION, ExchangeFilter()),
        "pair": (NATION, ExchangeFilter(requester="customs-xa", holder="ipo-xa", since=month)),
        "right-last-month": (
            NATION,
            ExchangeFilter(right=f"XA|trademark|{MARKS[0]}", requester="customs-xa", since=month),
        ),
        "record": (NATION, ExchangeFilter(record=record)),
        "case": (NATION, ExchangeFilter(case=CASES[0])),
        "denied-last-month": (NATION, ExchangeFilter(outcome=("denied",), since=month)),
        "failed": (NATION, ExchangeFilter(outcome=("failed",))),
        "purpose-last-quarter": (NATION, ExchangeFilter(purpose="border_enforcement", since=quarter)),
        "own-side": (CUSTOMS, ExchangeFilter()),
        "own-side-refused": (REGULATOR, ExchangeFilter(outcome=("denied", "failed"))),
    }


def _timed(act: Callable[[], object]) -> float:
    started = perf_counter()
    act()
    return (perf_counter() - started) * 1000


def _told(name: str, spent: list[float]) -> None:
    figures.milliseconds(f"{name}-p50", percentile(spent, 50))
    figures.milliseconds(f"{name}-p95", percentile(spent, 95))
