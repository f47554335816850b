"""`make soak`: the gateway under steady traffic while one thing after the other breaks.

make soak                                    ten minutes on SQLite
make soak SOAK="--small"                     each fault of the server and the database once: what CI runs
make soak SOAK="--minutes 60 --seed 7"       an hour; the seed says which faults come when
make soak SOAK="--database postgresql"       on the server of IPX_TEST_POSTGRES_URL, or on one that is started
"""

import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from gateway.demo.run import Demo, DemoError, free_port
from ipx import trustfile
from ipx.channel import Channel
from ipx.waiting import Patience, Time
from tests.bench import figures, machine
from tests.bench.calls import Requester
from tests.bench.gateways import _asks, _released
from tests.bench.servers import ServerError
from tests.bench.stores import NoPostgresError, postgres_server, two_databases
from tests.soak.checks import violations
from tests.soak.faults import Fault, Faults
from tests.soak.server import Server
from tests.soak.traffic import SHOWN, Kept, Traffic

RECOVERED_SECONDS = 120.0
"""Without hands: a holder's breaker tries again after 30 s, a killed server starts in some."""
AT_ONCE = ("worker-killed", "holder-folder-gone", "server-killed")
"""Of a small run, first: the start afresh ends the half minute of breakers and of exchanges that a dead worker left."""


class Run:
    """One soak: what broke how often, and how long it took to be released something again."""

    def __init__(self, server: Server, kept: Kept, rng: random.Random) -> None:
        self.server, self.kept, self._rng = server, kept, rng
        self.recovered: dict[str, list[float]] = defaultdict(list)

    def carry_out(self, fault: Fault, *, is_awaited: bool = True, longest: float = 6.0) -> None:
        seconds = self._rng.uniform(1.0, longest)
        figures.say(f"{fault.name}, {seconds:.1f} s")
        fault.breaks(seconds, self._rng.random())
        if is_awaited:
            self.recovered[fault.name].append(self.await_release(fault.clients, fault.name))
        self.server.look()

    def await_release(self, clients: tuple[str, ...], after: str) -> float:
        """Wait until each client was released something from now on; gives the seconds that it took."""
        begun = time.monotonic()
        while any(self.kept.released_at.get(client, 0.0) <= begun for client in clients):
            if time.monotonic() > begun + RECOVERED_SECONDS:
                self.kept.violate(f"{RECOVERED_SECONDS:.0f} s after {after} nothing is released yet")
                break
            time.sleep(0.02)
        return time.monotonic() - begun

    def drawn(self, faults: Sequence[Fault], until: float) -> Iterator[Fault]:
        """Draw faults with some rest between them: each once in any order, then all again in another one."""
        while True:
            for fault in self._rng.sample(faults, len(faults)):
                time.sleep(self._rng.uniform(1.0, 5.0))
                self.server.look()
                if time.monotonic() > until:
                    return
                yield fault


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.1), default=10.0, show_default=True)
@click.option("--small", is_flag=True, help="Each fault of the server and of its database once.")
@click.option("--seed", type=int, help="Decides which faults come when; printed, to be given again.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="For each of two clients.")
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
def main(*, minutes: float, small: bool, seed: int | None, threads: int, database: str) -> None:
    """Break things under traffic and print what came of it. It fails where anything acknowledged did not stay so."""
    started = time.monotonic()
    seed = int(time.time()) if seed is None else seed
    rng = random.Random(seed)
    figures.heading(machine.describe())
    figures.heading(f"seed {seed}")
    kept = Kept(random.Random(rng.random()))
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="ipx-soak-", ignore_cleanup_errors=True)))
            demo = Demo(folder, free_port())
            if database == "postgresql":
                postgres = stack.enter_context(postgres_server())
                first, second = stack.enter_context(two_databases(folder, postgres))
                demo.settings = replace(demo.settings, database_url=first, checkpoint_database_url=second)
            demo.prepare()
            server = Server(demo, folder / "words")
            stack.callback(server.end)
            server.start()
            _soak(demo, Run(server, kept, rng), None if small else 60 * minutes, threads)
            if kept.violations:
                click.echo(server.words(), err=True)
    except NoPostgresError as error:
        raise click.UsageError(f"no PostgreSQL: {error}") from error
    except (DemoError, ServerError) as error:
        kept.violate(f"{type(error).__name__}: {error}")
    figures.heading(f"{time.monotonic() - started:.0f} s")
    figures.count("violations", len(kept.violations))
    for words in kept.violations[:SHOWN]:
        click.echo(f"violation: {words}", err=True)
    sys.exit(1 if kept.violations else 0)


def _soak(demo: Demo, run: Run, seconds: float | None, threads: int) -> None:
    channel = Channel(demo.origin, patience=Patience(), time=Time())
    trust = trustfile.fetch(channel).trust
    channel.close()
    asks = {}
    for client_id, wanted in _asks(demo, ["202400017"]).items():
        desk = Requester(demo, client_id)
        asks[client_id] = _released(desk, wanted)
        desk.close()
    faults = {fault.name: fault for fault in Faults(demo, run.server).all()}
    begun = time.monotonic()
    with Traffic(demo, trust, asks, run.kept, threads):
        run.await_release(tuple(asks), "the start")
        run.server.look()
        if seconds is None:
            for name in (*AT_ONCE, *(name for name in faults if not name.startswith("holder") and name not in AT_ONCE)):
                run.carry_out(faults[name], is_awaited=not name.startswith("holder"), longest=2.0)
        else:
            for fault in run.drawn(list(faults.values()), begun + seconds):
                run.carry_out(fault)
        run.await_release(tuple(asks), "all faults")
    spent = time.monotonic() - begun
    run.server.end()
    run.server.start()  # what was interrupted is closed by the start alone
    run.server.end()
    kept = run.kept
    for words in violations(demo.settings, list(kept.acknowledged.values()), kept.sample, trust):
        kept.violate(words)
    _tell(run, spent)


def _tell(run: Run, spent: float) -> None:
    kept = run.kept
    figures.heading("answers with a receipt; calls without an outcome, by what was said instead")
    for outcome, count in sorted(kept.answers.items()):
        figures.count(f"answers-{outcome}", count)
    figures.rate("answers", sum(kept.answers.values()) / spent)
    for words, count in sorted(kept.refusals.items()):
        figures.count(f"refused-{words}", count)
    figures.count("exchanges-acknowledged", len(kept.acknowledged))
    figures.count("answers-verified-offline", len(kept.sample))
    figures.heading("faults: how often; until all whom it concerns were released something again, at most")
    for name, seconds in sorted(run.recovered.items()):
        figures.count(f"fault-{name}", len(seconds))
        figures.count(f"recovered-{name}", 1000 * max(seconds), "ms")
    figures.heading("resident memory of the worker that grew most, from its first look to its last")
    first, last = max(run.server.grown.values(), key=lambda sizes: sizes[1] / sizes[0])
    figures.count("worker-memory-first", first, "MB")
    figures.count("worker-memory-last", last, "MB")
    figures.percent("worker-memory-growth", last / first - 1)


if __name__ == "__main__":
    main()
