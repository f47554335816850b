"""Bare route, tokens and whole exchanges in turns, under the same load; each round is a comparison of its own."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import mean, median
from subprocess import Popen
from time import perf_counter

from gateway.demo import turns
from gateway.demo.run import Demo, free_port
from gateway.wiring import build
from ipx import evidence, trustfile
from ipx.answers import Released
from ipx.channel import Channel
from ipx.request import Ask
from ipx.trust import Trust
from ipx.waiting import Patience, Time
from tests.bench import figures
from tests.bench.answers import Faults, Release, require_plain, require_releases, require_tokens
from tests.bench.calls import BARE, Prepared, Requester
from tests.bench.figures import say
from tests.bench.load import Volley, fire
from tests.bench.servers import Address, bare_server, worker_megabytes
from tests.bench.stores import two_databases

STAGES = ("auth", "policy", "holder", "verify", "sign", "log")
PACE_PER_SECOND = 50.0
VERIFIED_OF_A_ROUND = 20
MOST_OF_A_VOLLEY = 20_000


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


@dataclass
class Gateway:
    """One running gateway, the two desks that call it, and what was measured of it."""

    name: str
    """Follows the names of its figures: empty for SQLite, which is the default."""
    address: Address
    server: Popen
    trust: Trust
    desks: dict[str, Requester]
    asks: dict[str, list[Ask]]
    """Requests that are released, by the client that makes them."""
    rates: dict[str, list[float]] = field(default_factory=dict)
    exchange_ms: list[float] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    verify_ms: list[float] = field(default_factory=list)

    def calls(self, count: int) -> list[Prepared]:
        """Make exchanges ready, both desks in turn."""
        made = [
            self.desks[client].exchanges(list(islice(cycle(asks), part)))
            for (client, asks), part in zip(self.asks.items(), (count - count // 2, count // 2), strict=True)
        ]
        return [call for pair in zip(*made, strict=False) for call in pair] + made[0][len(made[1]) :]

    def sign_ins(self, count: int) -> list[Prepared]:
        return next(iter(self.desks.values())).sign_ins(count)


def measure(folder: Path, size: Size, what: Sequence[str], postgres: str | None, faults: Faults) -> None:
    """Measure and print. `what` holds `token`, `exchange` or both; `postgres` adds a gateway on that server."""
    with ExitStack() as stack:
        bare = stack.enter_context(bare_server())
        say("the bare server is up; preparing the demo world and its gateway")
        gateways = [stack.enter_context(gateway(folder / "sqlite", "", None))]
        if postgres is not None:
            say("the same on PostgreSQL")
            gateways.append(stack.enter_context(gateway(folder / "postgresql", "-postgresql", postgres)))
        bare_rates, own_shares = _rounds(bare, gateways, size, what, faults)
        figures.heading(f"{size.connections} connections, median of {size.rounds} rounds")
        figures.rate("bare", median(bare_rates))
        for one in gateways:
            for kind in what:
                figures.rate(f"{kind}{one.name}", median(one.rates[kind]))
                figures.ratio(f"{kind}{one.name}/bare", figures.paired(one.rates[kind], bare_rates))
        for kind, shares in own_shares.items():
            figures.percent(f"load-generator/{kind}", mean(shares))
        if "exchange" in what:
            for one in gateways:
                _exchange_alone(one, size, faults)


@contextmanager
def gateway(folder: Path, name: str, postgres: str | None) -> Iterator[Gateway]:
    """Run the demo's real server, and find out which requests of its world are released."""
    with ExitStack() as stack:
        demo = Demo(folder, free_port())
        if postgres is not None:
            first, second = stack.enter_context(two_databases(folder, postgres))
            demo.settings = replace(demo.settings, database_url=first, checkpoint_database_url=second)
        demo.prepare()
        asks = _wanted(demo)
        server = stack.enter_context(demo.serving())
        desks = {client: Requester(demo, client) for client in asks}
        for desk in desks.values():
            stack.callback(desk.close)
        channel = Channel(demo.origin, patience=Patience(), time=Time())
        stack.callback(channel.close)
        trust = trustfile.fetch(channel).trust
        released = {client: _released(desks[client], wanted) for client, wanted in asks.items()}
        host, port = demo.settings.bind.split(":")
        yield Gateway(name, (host, int(port)), server, trust, desks, released)


def _wanted(demo: Demo) -> dict[str, list[Ask]]:
    """Every mark of the office's XML folder for customs; the recordal of customs' SQL database for the office."""
    folder = demo.world.sources_root / "ipo-xa" / "trademarks"
    marks = [replace(turns.MARK_AT_THE_BORDER, key=path.stem) for path in sorted(folder.glob("*.xml"))]
    asks: dict[str, list[Ask]] = {}
    services = build(demo.settings)
    try:
        for turn in (*marks, turns.RECORDAL):
            asks.setdefault(turn.client, []).append(turn.ask(partial(demo.urn, keys=services.holder_keys)))
    finally:
        services.close()
    return asks


def _released(desk: Requester, asks: list[Ask]) -> list[Ask]:
    with desk.client() as client:
        return [ask for ask in asks if isinstance(client.request(ask), Released)]


def _rounds(
    bare: Address, gateways: Sequence[Gateway], size: Size, what: Sequence[str], faults: Faults
) -> tuple[list[float], dict[str, list[float]]]:
    """Fire volleys in turns. The first, short round warms up and counts for nothing but the length of the next."""
    bare_rates: list[float] = []
    own_shares: dict[str, list[float]] = {kind: [] for kind in ("bare", *what)}
    expected = {("bare", ""): 500.0} | {(kind, one.name): 50.0 for kind in what for one in gateways}
    for number in range(size.rounds + 1):
        seconds = size.seconds if number else min(1.0, size.seconds)
        plain = fire(bare, [BARE] * _count(expected["bare", ""], seconds, size), connections=size.connections)
        require_plain(plain, faults)
        expected["bare", ""] = plain.per_second
        said = [f"bare {plain.per_second:.0f}/s"]
        if number:
            bare_rates.append(plain.per_second)
            own_shares["bare"].append(plain.own_share)
        for one in gateways:
            for kind in what:
                count = _count(expected[kind, one.name], seconds, size)
                volley = _volley(one, kind, count, size, faults, counts=number > 0)
                expected[kind, one.name] = volley.per_second
                said.append(f"{kind}{one.name} {volley.per_second:.0f}/s")
                if number:
                    one.rates.setdefault(kind, []).append(volley.per_second)
                    own_shares[kind].append(volley.own_share)
        say(f"{f'round {number} of {size.rounds}' if number else 'warming up'}: {', '.join(said)}")
    return bare_rates, own_shares


def _count(per_second: float, seconds: float, size: Size) -> int:
    return min(MOST_OF_A_VOLLEY, max(2 * size.connections, round(per_second * seconds)))


def _volley(one: Gateway, kind: str, count: int, size: Size, faults: Faults, *, counts: bool) -> Volley:
    calls = one.sign_ins(count) if kind == "token" else one.calls(count)
    volley = fire(one.address, [call.http for call in calls], connections=size.connections)
    if kind == "token":
        require_tokens(volley, faults)
        return volley
    releases = require_releases(calls, volley, faults)
    _verify(one, releases[:: max(1, len(releases) // VERIFIED_OF_A_ROUND)], faults)
    if counts:
        one.exchange_ms += volley.spent_ms
        one.releases += releases
    return volley


def _verify(one: Gateway, releases: Sequence[Release], faults: Faults) -> None:
    """Verify some answers offline, as an auditor would, and take the time."""
    for release in releases:
        started = perf_counter()
        try:
            evidence.verify(release.body, one.trust, now=datetime.now(UTC))
        except evidence.EvidenceError as error:
            faults.add(f"verify: {error}")
        one.verify_ms.append((perf_counter() - started) * 1000)


def _exchange_alone(one: Gateway, size: Size, faults: Faults) -> None:
    """One call at a time, then a steady pace; and where the time of a call goes."""
    calls = one.calls(size.alone)
    alone = fire(one.address, [call.http for call in calls], connections=1)
    releases = require_releases(calls, alone, faults)
    calls = one.calls(round(PACE_PER_SECOND * size.paced_seconds))
    paced = fire(
        one.address, [call.http for call in calls], connections=size.connections, per_second=PACE_PER_SECOND
    )
    require_releases(calls, paced, faults)
    figures.heading(f"exchange{one.name}: time of one call, client's view")
    for name, spent in (
        (f"{size.connections}-connections", one.exchange_ms),
        ("alone", alone.spent_ms),
        (f"at-{PACE_PER_SECOND:.0f}/s", paced.spent_ms),
    ):
        for hundredth in (50, 95, 99):
            figures.milliseconds(f"exchange{one.name}-{name}-p{hundredth}", figures.percentile(spent, hundredth))
    figures.heading(f"exchange{one.name}: share of the server's own time by stage, one call at a time and under load")
    _shares("share", one.name, releases)
    _shares("share-loaded", one.name, one.releases)
    for stage in STAGES:
        figures.milliseconds(f"stage{one.name} {stage}", median(_spent(release, stage) for release in releases))
    figures.heading("an answer verified offline; resident memory of the larger worker")
    figures.milliseconds(f"verify-answer{one.name}", median(one.verify_ms))
    megabytes = worker_megabytes(one.server)
    if megabytes is not None:
        figures.count(f"worker-memory{one.name}", megabytes, "MB")


def _shares(name: str, suffix: str, releases: Sequence[Release]) -> None:
    spent = {stage: sum(_spent(release, stage) for release in releases) for stage in STAGES}
    for stage in STAGES:
        figures.percent(f"{name}{suffix} {stage}", spent[stage] / (sum(spent.values()) or 1))


def _spent(release: Release, stage: str) -> float:
    return release.spent_ms.get(stage, 0.0)
