"""`make load`: the gateway under ever more connections, with records of all sizes, beside the holder's own system.

make load                                    100,000 exchanges behind it, steps of ten seconds: some five minutes
make load LOAD="--small"                     2,000, steps of a second: what CI runs
make load LOAD="--aged 1000000 --write"      a million; the table and the plot go into docs/performance.md
make load LOAD="--database postgresql"       on the server of IPX_TEST_POSTGRES_URL, or on one that is started
"""

import resource
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

import click

from gateway.demo.run import DemoError
from tests.bench import figures, machine
from tests.bench.answers import Faults
from tests.bench.load import LoadError
from tests.bench.servers import ServerError
from tests.bench.stores import NoPostgresError, postgres_server
from tests.load import report
from tests.load.steps import CONNECTIONS, climb, volley
from tests.load.worlds import Gateway, direct, gateway

AGED_CONNECTIONS = 32
ROUNDS = 5
PACE_PER_SECOND = 100.0
"""What GovStack's Information Mediator must bear, each call within a second: over a thousand open connections."""


@click.command()
@click.option("--small", is_flag=True, help="Short steps and a young log: about a minute.")
@click.option(
    "--aged", type=click.IntRange(min=0), help="Exchanges of the older gateway; 100,000, or 2,000 with --small."
)
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--write", is_flag=True, help="Write table and plot into docs/performance.md.")
def main(*, small: bool, aged: int | None, database: str, write: bool) -> None:
    """Put the gateway under load and print what came of it. It fails where an answer was wrong or missing."""
    started = monotonic()
    seconds, entries = (1.0, 2_000) if small else (10.0, 100_000)
    entries = entries if aged is None else aged
    _open_files(2 * max(CONNECTIONS) + 100)
    faults = Faults()
    described = machine.describe()
    figures.heading(described)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="ipx-load-", ignore_cleanup_errors=True)))
            postgres = stack.enter_context(postgres_server()) if database == "postgresql" else None
            run = _measure(stack, folder, postgres, seconds, entries, faults)
        report.tell(run)
        if write:
            report.write(run, described, database)
    except NoPostgresError as error:
        raise click.UsageError(f"no PostgreSQL: {error}") from error
    except (DemoError, LoadError, ServerError) as error:
        faults.add(f"{type(error).__name__}: {error}")
    figures.heading(f"{monotonic() - started:.0f} s")
    figures.count("faults", faults.count)
    for words in faults.words:
        click.echo(f"fault: {words}", err=True)
    sys.exit(1 if faults.count else 0)


def _measure(
    stack: ExitStack, folder: Path, postgres: str | None, seconds: float, entries: int, faults: Faults
) -> report.Run:
    figures.say("preparing the gateway with a young log")
    young = stack.enter_context(gateway(folder / "young", postgres, 0))
    straight = stack.enter_context(direct(young.records))
    for side in (straight, young):  # what is done once per process, and each record's first reading
        volley(side, 8, 200, faults)
    steps = climb(straight, young, seconds, faults)
    open_connections, paced_calls = max(CONNECTIONS), round(PACE_PER_SECOND * 2 * seconds)
    figures.say(f"{open_connections} open connections at {PACE_PER_SECOND:.0f}/s")
    paced = volley(young, open_connections, paced_calls, faults, per_second=PACE_PER_SECOND)
    memory = young.server.worker_memory()
    figures.say(f"preparing a gateway with {entries:,} exchanges behind it")
    old = stack.enter_context(gateway(folder / "old", postgres, entries))
    volley(old, 8, 200, faults)
    ratio = _aged(young, old, seconds, faults)
    return report.Run(steps, PACE_PER_SECOND, paced, memory, entries, AGED_CONNECTIONS, ratio)


def _aged(young: Gateway, old: Gateway, seconds: float, faults: Faults) -> float:
    """Measure the two in turns, now the one first and now the other; the median of the rounds' own ratios."""
    ratios = []
    count = round(100 * seconds) + AGED_CONNECTIONS
    for number in range(ROUNDS):
        sides = (young, old) if number % 2 == 0 else (old, young)
        rates = {side: volley(side, AGED_CONNECTIONS, count, faults).per_second for side in sides}
        ratios.append(rates[old] / rates[young])
        figures.say(f"round {number + 1} of {ROUNDS}: young log {rates[young]:.0f}/s, old log {rates[old]:.0f}/s")
    return median(ratios)


def _open_files(count: int) -> None:
    """Let this process and the servers that it starts open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


if __name__ == "__main__":
    main()
