"""What is counted while the gateway works: exchanges, stages, tokens, calls. Labels are closed lists, nobody's data.

Under gunicorn each process writes its counts into files of its own in the folder `PROMETHEUS_MULTIPROC_DIR`, and
whoever is asked adds them up; `gunicorn_conf` makes the folder before this module is imported.
"""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY: Final = CollectorRegistry(auto_describe=True)
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
NO_ROUTE: Final = "none"
"""In place of an address that there is not: what somebody tried is not told."""

EXCHANGES: Final = Counter(
    "ipx_exchanges",
    "Outcomes of exchanges that were logged; a pending one counts again when it ends",
    ("outcome", "requester", "holder"),
    registry=REGISTRY,
)
REPEATS: Final = Counter(
    "ipx_exchange_repeats", "Exchanges that were answered again from what was stored", registry=REGISTRY
)
STAGES: Final = Histogram(
    "ipx_stage_seconds",
    "Time of one exchange by stage, as in Server-Timing",
    ("stage",),
    buckets=SECONDS,
    registry=REGISTRY,
)
TOKENS: Final = Counter(
    "ipx_token_requests", "Answers of the token endpoint: issued, or the OAuth error", ("result",), registry=REGISTRY
)
CALLS: Final = Counter(
    "ipx_http_requests",
    "Answers by method, route and status; the route is a template",
    ("method", "route", "status"),
    registry=REGISTRY,
)
TASKS: Final = Counter(
    "ipx_background_tasks", "Tasks of the worker's rounds by what came of them", ("task", "result"), registry=REGISTRY
)
CONNECTIONS: Final = Gauge(
    "ipx_database_connections",
    "Connections in use of the pools of all processes of this node, seen every few seconds",
    ("database",),
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
CONNECTIONS_MOST: Final = Gauge(
    "ipx_database_connections_max",
    "Connections that the pools of all processes of this node may hold",
    ("database",),
    registry=REGISTRY,
    multiprocess_mode="livesum",
)


class _Counters(dict[tuple[str, ...], Counter]):
    """The counters of one meter by their labels, each looked for in the meter once."""

    def __init__(self, meter: Counter) -> None:
        super().__init__()
        self._meter = meter

    def __missing__(self, labels: tuple[str, ...]) -> Counter:
        counter = self[labels] = self._meter.labels(*labels)
        return counter


_exchanges: Final = _Counters(EXCHANGES)
_calls: Final = _Counters(CALLS)
_stages: Final = {name: STAGES.labels(name) for name in ("auth", "policy", "holder", "verify", "sign", "log")}


def exchanged(outcome: str, requester: str, holder: str) -> None:
    """Count a step of an exchange that is in the log."""
    _exchanges[outcome, requester, holder].inc()


def timed(spent_ms: Mapping[str, float]) -> None:
    """Note how long each stage of one exchange took."""
    for name, spent in spent_ms.items():
        _stages[name].observe(spent / 1000)


def called(method: str, route: str | None, status: int) -> None:
    """Count an answer; a method that there is not counts as `other`."""
    _calls[method if method in METHODS else "other", route or NO_ROUTE, str(status)].inc()
