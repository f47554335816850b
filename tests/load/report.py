"""What a run says: figures for a script, a table and a plot for people."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench import figures
from tests.bench.servers import Memory
from tests.load import mix
from tests.load.steps import Row, Step

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "performance.md"
NAMES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
PLOTS: Final = ROOT / "docs" / "pictures"


@dataclass(frozen=True, slots=True)
class Run:
    steps: list[Step]
    pace: float
    """Calls that were due in each second of `paced`."""
    paced: Row
    """Over a thousand open connections."""
    memory: Memory | None
    """Of the larger worker after all steps."""
    aged_entries: int
    aged_connections: int
    aged_ratio: float
    """Rate with the older log beside the rate with the young one."""


def tell(run: Run) -> None:
    """Print one figure a line."""
    figures.heading(f"mix of {', '.join(f'{kind.share:.1%} {_size(kind.bytes)}' for kind in mix.MIX)}")
    for step in run.steps:
        at = step.through.connections
        figures.rate(f"load-direct-{at}", step.direct.per_second)
        figures.rate(f"load-{at}", step.through.per_second)
        figures.ratio(f"load-{at}/direct", step.through.per_second / step.direct.per_second)
        for name, value in (("p50", step.through.p50_ms), ("p95", step.through.p95_ms), ("p99", step.through.p99_ms)):
            figures.milliseconds(f"load-{at}-{name}", value)
        figures.count(f"load-{at}-errors", step.through.errors)
        figures.count(f"load-{at}-mixed", step.through.mixed)
    figures.heading(f"{run.paced.connections} open connections at an even {run.pace:.0f} calls a second")
    figures.rate("load-paced", run.paced.per_second)
    for name, value in (("p50", run.paced.p50_ms), ("p95", run.paced.p95_ms), ("p99", run.paced.p99_ms)):
        figures.milliseconds(f"load-paced-{name}", value)
    figures.count("load-paced-errors", run.paced.errors)
    figures.count("load-paced-mixed", run.paced.mixed)
    figures.heading(f"{run.aged_entries:,} exchanges in log and table beside none")
    figures.ratio("load-aged/young", run.aged_ratio)
    if run.memory is not None:
        figures.memory("load-worker-memory", run.memory.resident, run.memory.proportional, run.memory.peak)


def write(run: Run, machine: str, database: str) -> None:
    """Put the table and the plot between the page's marks for this database."""
    plot = PLOTS / f"load-{database}.svg"
    _plot(run, plot)
    begin, end = f"<!-- load {database} -->", f"<!-- end of load {database} -->"
    text = PAGE.read_text("utf-8")
    page = re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}",
        lambda _: f"{begin}\n{table(run, machine, database, plot.name)}{end}",
        text,
        flags=re.DOTALL,
    )
    PAGE.write_text(page, "utf-8")


def table(run: Run, machine: str, database: str, plot: str) -> str:
    """Write what people read."""
    day = datetime.now(UTC).date().isoformat()
    lines = [
        f"Taken on {day} on {NAMES[database]}: {machine}.",
        "",
        "| connections | direct /s | through /s | through : direct | p50 ms | p95 ms | p99 ms | errors | mixed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for step in run.steps:
        row = step.through
        rates = f"{step.direct.per_second:.0f} | {row.per_second:.0f} | {row.per_second / step.direct.per_second:.3f}"
        lines.append(_line(f"{row.connections}", rates, row))
    paced = run.paced
    lines.append(_line(f"{paced.connections}, at an even {run.pace:.0f}/s", f"| {paced.per_second:.0f} |", paced))
    lines += [
        "",
        _aged(run),
        _memory(run.memory),
        "",
        f"![Rate and time of a call by connections, {NAMES[database]}](pictures/{plot})",
        "",
    ]
    return "\n".join(lines)


def _line(what: str, rates: str, row: Row) -> str:
    times = f"{row.p50_ms:.0f} | {row.p95_ms:.0f} | {row.p99_ms:.0f}"
    return f"| {what} | {rates} | {times} | {row.errors} | {row.mixed} |"


def _aged(run: Run) -> str:
    behind = f"With {run.aged_entries:,} exchanges in the log and in the table"
    return f"{behind} the rate over {run.aged_connections} connections is {run.aged_ratio:.2f} of that with none."


def _memory(memory: Memory | None) -> str:
    if memory is None:
        return "This system does not tell how much memory a worker has."
    return (
        f"The larger worker then has {memory.resident:.0f} MB in memory, {memory.proportional:.0f} MB where pages that "
        f"processes share are divided among them; at its most it had {memory.peak:.0f} MB."
    )


def _plot(run: Run, path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415  (a run that writes nothing does without it)

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "load"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    at = [step.through.connections for step in run.steps]
    figure, (rates, times) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    rates.plot(at, [step.direct.per_second for step in run.steps], marker="o", label="straight at the holder")
    rates.plot(at, [step.through.per_second for step in run.steps], marker="o", label="through the gateway")
    rates.set(xscale="log", yscale="log", xlabel="connections", ylabel="calls a second")
    rates.legend()
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        values = [getattr(step.through, name) for step in run.steps]
        times.plot(at, values, marker="o", label=name.removesuffix("_ms"))
    times.set(xscale="log", yscale="log", xlabel="connections", ylabel="ms of one call through the gateway")
    times.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _size(count: int) -> str:
    return f"{count // 1_000_000} MB" if count >= 1_000_000 else f"{count // 1_000} KB"
