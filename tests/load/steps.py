"""The steps of a run: ever more connections, straight at the holder and through the gateway in turns."""

from dataclasses import dataclass

from tests.bench.answers import Faults
from tests.bench.figures import percentile, say
from tests.bench.load import fire
from tests.load import mix
from tests.load.worlds import Side

CONNECTIONS = (1, 8, 32, 128, 512, 1000)
SIGNED_SECONDS = 35.0
"""A request lives a minute from its signing on, so that no volley may take longer."""
GIVE_UP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Row:
    """One volley."""

    connections: int
    calls: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: int
    mixed: int
    megabytes: float


@dataclass(frozen=True, slots=True)
class Step:
    direct: Row
    through: Row


def climb(straight: Side, gateway: Side, seconds: float, faults: Faults) -> list[Step]:
    """Fire each step's two volleys, each of about so many seconds and at least two calls a connection."""
    direct_rate, through_rate = 200.0, 50.0
    steps = []
    for connections in CONNECTIONS:
        direct = volley(straight, connections, _count(direct_rate, seconds, connections), faults)
        through = volley(gateway, connections, _count(through_rate, seconds, connections), faults)
        direct_rate, through_rate = direct.per_second, through.per_second
        say(f"{connections} connections: direct {direct_rate:.0f}/s, through {through_rate:.0f}/s")
        steps.append(Step(direct, through))
    return steps


def volley(side: Side, connections: int, count: int, faults: Faults, *, per_second: float | None = None) -> Row:
    """Send so many calls of the mix over so many open connections: as fast as they are answered, or at an even pace."""
    chosen = mix.calls(count, seed=connections)
    calls = side.prepared(chosen)
    fired = fire(
        side.server.address,
        [call.http for call in calls],
        connections=connections,
        per_second=per_second,
        give_up_seconds=GIVE_UP_SECONDS,
    )
    looked = side.look(calls, chosen, fired, faults)
    return Row(
        connections=connections,
        calls=count,
        per_second=fired.per_second,
        p50_ms=percentile(fired.spent_ms, 50),
        p95_ms=percentile(fired.spent_ms, 95),
        p99_ms=percentile(fired.spent_ms, 99),
        errors=looked.errors,
        mixed=looked.mixed,
        megabytes=looked.bytes / 1e6,
    )


def _count(rate: float, seconds: float, connections: int) -> int:
    most = max(connections, round(rate * SIGNED_SECONDS))
    return min(most, max(2 * connections, round(rate * seconds)))
