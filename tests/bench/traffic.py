"""Bare route, tokens and whole exchanges in turns, under the same load; each round is a comparison of its own."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median
from time import perf_counter

from ipx import evidence
from ipx.errors import EvidenceError
from ipx.trust import Trust
from tests.bench import figures
from tests.bench.answers import Faults, Release, require_plain, require_releases, require_tokens
from tests.bench.calls import BARE, Prepared
from tests.bench.figures import say
from tests.bench.gateways import Gateway, gateway
from tests.bench.load import Volley, fire
from tests.bench.servers import Served, bare_server

STAGES = ("auth", "policy", "holder", "verify", "sign", "log")
PACE_PER_SECOND = 50.0
VERIFIED_OF_A_VOLLEY = 20
MOST_OF_A_VOLLEY = 20_000
Check = Callable[[Sequence[Prepared], Volley, Faults], list[Release]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    seconds: float
    """Of one volley, about."""
    connections: int
    alone: int
    """Exchanges over one connection."""
    paced_seconds: float
    unseen_marks: int
    """Records that are asked for once, in all volleys together."""


@dataclass
class Series:
    """One kind of call to one server, and what came of it round by round."""

    name: str
    server: Served
    make: Callable[[int], list[Prepared]]
    check: Check
    expected: float
    """Calls a second, as the last volley had it; the next one is as long as that makes it."""
    most: int = MOST_OF_A_VOLLEY
    trust: Trust | None = None
    """With it some answers of each volley are verified offline."""
    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """Processor time of all workers for one call."""
    own_shares: list[float] = field(default_factory=list)
    spent_ms: list[float] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)

    def fire(self, seconds: float, connections: int, faults: Faults, *, counts: bool) -> float:
        """Fire one volley of about so many seconds; how many calls a second it came to."""
        calls = self.make(min(self.most, max(2 * connections, round(self.expected * seconds))))
        before = self.server.cpu_seconds()
        volley = fire(self.server.address, [call.http for call in calls], connections=connections)
        after = self.server.cpu_seconds()
        releases = self.check(calls, volley, faults)
        if self.trust is not None:
            _verify(releases[:: len(releases) // VERIFIED_OF_A_VOLLEY or 1], self.trust, faults)
        self.expected = volley.per_second
        if counts:
            self.rates.append(volley.per_second)
            self.own_shares.append(volley.own_share)
            self.spent_ms += volley.spent_ms
            self.releases += releases
            if before is not None and after is not None:
                self.cpu_ms.append((after - before) * 1000 / len(calls))
        return volley.per_second


def measure(folder: Path, size: Size, what: Sequence[str], postgres: str | None, faults: Faults) -> None:
    """Measure and print. `what` holds `token`, `exchange` or both; `postgres` adds a gateway on that server."""
    with ExitStack() as stack:
        bare = Series("bare", stack.enter_context(bare_server()), _plain, require_plain, 500.0)
        say("the bare server is up; preparing the demo world and its gateway")
        gateways = [stack.enter_context(gateway(folder / "sqlite", "", None, unseen_marks=size.unseen_marks))]
        if postgres is not None:
            say("the same on PostgreSQL")
            gateways.append(
                stack.enter_context(
                    gateway(folder / "postgresql", "-postgresql", postgres, unseen_marks=size.unseen_marks)
                )
            )
        series = [bare, *(one for which in gateways for one in _series_of(which, what, size))]
        _rounds(series, size, faults)
        _print_rates(series, size)
        if "exchange" in what:
            for which in gateways:
                _print_exchange(which, next(one for one in series if one.name == f"exchange{which.name}"), size, faults)


def _plain(count: int) -> list[Prepared]:
    return [Prepared(BARE, "")] * count


def _series_of(which: Gateway, what: Sequence[str], size: Size) -> list[Series]:
    series = []
    if "token" in what:
        series.append(Series(f"token{which.name}", which.server, which.sign_ins, require_tokens, 50.0))
    if "exchange" in what:
        most = size.unseen_marks // (size.rounds + 1)
        for name, make, limit in (
            (f"exchange{which.name}", which.exchanges, MOST_OF_A_VOLLEY),
            (f"exchange-first{which.name}", which.first_exchanges, most),
        ):
            series.append(Series(name, which.server, make, require_releases, 50.0, limit, which.trust))
    return series


def _rounds(series: Sequence[Series], size: Size, faults: Faults) -> None:
    """Fire volleys in turns. The first, short round warms up and counts for nothing but the length of the next."""
    for number in range(size.rounds + 1):
        seconds = size.seconds if number else min(1.0, size.seconds)
        rates = [(one.name, one.fire(seconds, size.connections, faults, counts=number > 0)) for one in series]
        said = ", ".join(f"{name} {per_second:.0f}/s" for name, per_second in rates)
        say(f"{f'round {number} of {size.rounds}' if number else 'warming up'}: {said}")


def _print_rates(series: Sequence[Series], size: Size) -> None:
    bare, *others = series
    figures.heading(f"{size.connections} connections, median of {size.rounds} rounds")
    figures.rate("bare", median(bare.rates))
    for one in others:
        figures.rate(one.name, median(one.rates))
        figures.ratio(f"{one.name}/bare", figures.paired(one.rates, bare.rates))
    figures.heading("processor time of the workers for one call; and the same ratio by it")
    for one in series:
        if one.cpu_ms:
            figures.milliseconds(f"cpu-{one.name}", median(one.cpu_ms))
    for one in others:
        if one.cpu_ms:
            figures.ratio(f"cpu-bare/{one.name}", figures.paired(bare.cpu_ms, one.cpu_ms))
    figures.heading("how much of one core the load generator took")
    for one in series:
        figures.percent(f"load-generator-{one.name}", mean(one.own_shares))


def _print_exchange(which: Gateway, loaded: Series, size: Size, faults: Faults) -> None:
    """One call at a time, then a steady pace; where the time of a call goes; what an auditor needs for an answer."""
    say(f"exchange{which.name}: one at a time, then {PACE_PER_SECOND:.0f} a second")
    calls = which.exchanges(size.alone)
    alone = fire(which.server.address, [call.http for call in calls], connections=1)
    releases = require_releases(calls, alone, faults)
    calls = which.exchanges(round(PACE_PER_SECOND * size.paced_seconds))
    paced = fire(
        which.server.address, [call.http for call in calls], connections=size.connections, per_second=PACE_PER_SECOND
    )
    require_releases(calls, paced, faults)
    figures.heading(f"exchange{which.name}: time of one call, client's view")
    for name, spent in (
        ("alone", alone.spent_ms),
        (f"at-{PACE_PER_SECOND:.0f}/s", paced.spent_ms),
        (f"{size.connections}-connections", loaded.spent_ms),
    ):
        for hundredth in (50, 95, 99):
            figures.milliseconds(f"exchange{which.name}-{name}-p{hundredth}", figures.percentile(spent, hundredth))
    figures.heading("share of the server's time by stage: one call at a time, then under load (waiting included)")
    _print_shares(f"share{which.name}", releases)
    _print_shares(f"share-loaded{which.name}", loaded.releases)
    for stage in STAGES:
        spent = [release.spent_ms.get(stage, 0.0) for release in releases]
        figures.milliseconds(f"stage{which.name} {stage}", figures.percentile(spent, 50))
    figures.heading("an answer verified offline; memory of the larger worker")
    figures.milliseconds(f"verify-answer{which.name}", _verify(releases[:: size.alone // 50 or 1], which.trust, faults))
    memory = which.server.worker_memory()
    if memory is not None:
        figures.memory(f"worker-memory{which.name}", memory.resident, memory.proportional, memory.peak)


def _print_shares(name: str, releases: Sequence[Release]) -> None:
    spent = {stage: sum(release.spent_ms.get(stage, 0.0) for release in releases) for stage in STAGES}
    for stage in STAGES:
        figures.percent(f"{name} {stage}", spent[stage] / (sum(spent.values()) or 1))


def _verify(releases: Sequence[Release], trust: Trust, faults: Faults) -> float:
    """Verify answers offline, as an auditor would; the median time in milliseconds."""
    spent = []
    for release in releases:
        started = perf_counter()
        try:
            evidence.verify(release.body, trust, now=datetime.now(UTC))
        except EvidenceError as error:
            faults.add(f"verify: {error}")
        spent.append((perf_counter() - started) * 1000)
    return figures.percentile(spent, 50)
