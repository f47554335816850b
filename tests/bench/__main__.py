"""`make bench`: everything is measured in one run, side by side with the limits of this very machine.

make bench                                 all of it, in a few minutes
make bench BENCH="--small"                 the same in less than a minute, coarser
make bench BENCH="--only log,policy"       some of it
make bench BENCH="--database postgresql"   exchanges, tokens and searches on PostgreSQL too
make bench BENCH="--only search --exchanges 100000 --database postgresql"   a past of a million there (half an hour)
"""

import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import click

from gateway.demo.run import DemoError
from gateway.logs import configure_by_environment
from tests.bench import appends, audits, decisions, figures, machine, searches, signing, sources, traffic
from tests.bench.answers import Faults
from tests.bench.load import LoadError
from tests.bench.servers import ServerError
from tests.bench.stores import NoPostgresError, postgres_server

PARTS = ("exchange", "token", "log", "audit", "policy", "evidence", "sources", "search")


@dataclass(frozen=True, slots=True)
class Sizes:
    traffic: traffic.Size
    log: appends.Size
    audit: audits.Size
    policy: decisions.Size
    evidence: signing.Size
    sources: sources.Size
    search: searches.Size


SMALL = Sizes(
    traffic.Size(rounds=3, seconds=0.7, connections=32, alone=40, paced_seconds=1.0, unseen_marks=256),
    appends.Size(rounds=2, seconds=0.2),
    audits.Size(leaves=(10_000,), proofs=100),
    decisions.Size(questions=100, many=False),
    signing.Size(rounds=3, seconds=0.05, tree_sizes=(100_000,)),
    sources.Size(records=300, rows=3_000, megabytes=32),
    searches.Size(exchanges=1_000, rounds=10),
)
FULL = Sizes(
    traffic.Size(rounds=5, seconds=3.0, connections=32, alone=200, paced_seconds=8.0, unseen_marks=900),
    appends.Size(rounds=5, seconds=0.8),
    audits.Size(leaves=(100_000, 1_000_000), proofs=500),
    decisions.Size(questions=1000, many=True),
    signing.Size(rounds=5, seconds=0.3, tree_sizes=(100_000, 1_000_000)),
    sources.Size(records=2_000, rows=20_000, megabytes=1_000),
    searches.Size(exchanges=20_000, rounds=40),
)


def _parts(_context: click.Context, _option: click.Parameter, value: str | None) -> list[str]:
    chosen = list(PARTS) if value is None else [part.strip() for part in value.split(",")]
    unknown = [part for part in chosen if part not in PARTS]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(PARTS)}")
    return chosen


@click.command()
@click.option("--small", is_flag=True, help="Less of everything: under a minute.")
@click.option("--only", callback=_parts, metavar="PART,…", help=f"Some parts: {', '.join(PARTS)}.")
@click.option(
    "--exchanges",
    type=click.IntRange(min=100),
    help="Of the past that is searched, on SQLite; PostgreSQL has ten times as many.",
)
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
def main(*, small: bool, only: list[str], exchanges: int | None, database: str) -> None:
    """Measure, and print one figure a line. It fails where an answer was wrong, never where a figure is low."""
    started = monotonic()
    configure_by_environment()
    sizes = SMALL if small else FULL
    if exchanges is not None:
        sizes = replace(sizes, search=replace(sizes.search, exchanges=exchanges))
    faults = Faults()
    figures.heading(machine.describe())
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="ipx-bench-", ignore_cleanup_errors=True)))
            _run(folder, sizes, only, _postgres(stack, only, database), database, faults)
    except (DemoError, LoadError, ServerError) as error:
        faults.add(f"{type(error).__name__}: {error}")
    figures.heading(f"{monotonic() - started:.0f} s")
    figures.count("faults", faults.count)
    for words in faults.words:
        click.echo(f"fault: {words}", err=True)
    sys.exit(1 if faults.count else 0)


def _run(folder: Path, sizes: Sizes, only: list[str], postgres: str | None, database: str, faults: Faults) -> None:
    kinds = [kind for kind in ("token", "exchange") if kind in only]
    if kinds:
        traffic.measure(folder, sizes.traffic, kinds, postgres if database == "postgresql" else None, faults)
    if "log" in only:
        appends.measure(folder, sizes.log, postgres, faults)
    if "audit" in only:
        audits.measure(folder, sizes.audit)
    if "policy" in only:
        decisions.measure(folder, sizes.policy, faults)
    if "evidence" in only:
        signing.measure(sizes.evidence)
    if "sources" in only:
        sources.measure(folder, sizes.sources, faults)
    if "search" in only:
        searches.measure(folder, sizes.search, postgres if database == "postgresql" else None, faults)


def _postgres(stack: ExitStack, only: list[str], database: str) -> str | None:
    """Start PostgreSQL where a part needs it; without one, the log is measured on SQLite alone."""
    if "log" not in only and database != "postgresql":
        return None
    try:
        return stack.enter_context(postgres_server())
    except NoPostgresError as error:
        if database == "postgresql":
            raise click.UsageError(f"no PostgreSQL: {error}") from error
        figures.say(f"no PostgreSQL: {error}")
        return None


main()
