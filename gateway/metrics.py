"""`/metrics` for Prometheus: what was counted by all processes of this node, and how things stand at this moment.

Only whoever holds `IPX_METRICS_TOKEN` is answered; without that setting there is no such address.
"""

import hmac
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

import svcs
from flask import Blueprint, Flask, Response, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from gateway import health, meters
from gateway.beats import Beats
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import GatewayError
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogCheckpoint
from gateway.evidence.published import PublishedShards
from gateway.evidence.state import Confirmation, EvidenceState
from gateway.exchange.models import PENDING, RECEIVED, Exchange
from gateway.exchange.recall_reading import RecallReader
from gateway.intake.following import Following
from gateway.web import problem
from gateway.web.current import current_request

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def install(app: Flask, token: str | None, clock: Clock) -> None:
    """Count every answer of the application; serve the counts where there is a token to ask with."""
    app.after_request(_count)
    if token is None:
        return
    figures = Blueprint("metrics", __name__)

    @figures.get("/metrics")
    def metrics() -> Response:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return problem.answer("unauthenticated", headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
        response = Response(exposition(clock), content_type=CONTENT_TYPE_PLAIN_0_0_4)
        response.headers["Cache-Control"] = "no-store"
        return response

    app.register_blueprint(figures)


def exposition(clock: Clock) -> bytes:
    """Write all figures in Prometheus's text format. Needs an application context."""
    counted = meters.REGISTRY
    if os.environ.get(FOLDER):
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    now = CollectorRegistry()
    now.register(Standing(clock))
    return generate_latest(counted) + generate_latest(now)


class Standing(Collector):
    """How things stand, read when asked; a part that cannot be read is left out and counts as not working."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Nothing is to be read at registration."""
        return ()

    def collect(self) -> Iterator[Metric]:
        works = GaugeMetricFamily("ipx_part_works", "1 where a part works, as /health tells", labels=["part"])
        for part in (*health.needed(), *health.beside(self._clock)):
            works.add_metric([part.name], float(part.works))
        yield works
        for read in (self._log, self._exchanges, self._recalls, self._beats, self._sources):
            try:
                yield from list(read())
            except GatewayError:
                continue

    def _log(self) -> Iterator[Metric]:
        log, state = svcs.flask.get(EvidenceLog), svcs.flask.get(EvidenceState).now()
        size = svcs.flask.get(PublishedShards).number(log.shard.number).newest().size
        yield GaugeMetricFamily("ipx_log_size", "Leaves of the published log", value=size)
        with svcs.flask.get(Database).read_connection() as connection:
            shard = log.shard.number
            signed = select(LogCheckpoint.at).where(LogCheckpoint.shard == shard).order_by(LogCheckpoint.size.desc())
            newest = connection.scalar(signed.limit(1))
        if newest is not None:
            yield GaugeMetricFamily(
                "ipx_checkpoint_age_seconds", "Since the newest checkpoint was signed", value=self._age(newest)
            )
        for name, confirmed in (("unwitnessed", state.witnessed_size), ("unstamped", state.stamped_size)):
            waiting = GaugeMetricFamily(
                f"ipx_{name}_entries", f"Leaves that are {name} yet; absent where nobody is asked"
            )
            if confirmed is not None:
                waiting.add_metric([], max(0, size - max(confirmed, 0)))
            yield waiting
        since = state.waiting_since
        waited = self._age(since) if since else 0.0
        yield GaugeMetricFamily(
            "ipx_timestamp_wait_seconds", "How long the oldest leaf waits for a stamp", value=waited
        )
        standing = GaugeMetricFamily("ipx_evidence_state", "1 at the state that holds", labels=["state"])
        for one in Confirmation:
            standing.add_metric([one.value], float(one is state.state))
        yield standing

    def _exchanges(self) -> Iterator[Metric]:
        query = (
            select(Exchange.state, func.count(), func.min(Exchange.received_at))
            .where(Exchange.state.in_((PENDING, RECEIVED)))
            .group_by(Exchange.state)
        )
        with svcs.flask.get(Database).read_connection() as connection:
            rows = {state: (count, oldest) for state, count, oldest in connection.execute(query)}
        waiting = GaugeMetricFamily("ipx_exchanges_open", "Exchanges without an end, by state", labels=["state"])
        oldest = GaugeMetricFamily("ipx_exchanges_oldest_seconds", "Age of the oldest of them", labels=["state"])
        for state in (PENDING, RECEIVED):
            count, since = rows.get(state, (0, None))
            waiting.add_metric([state], count)
            oldest.add_metric([state], self._age(since) if since else 0.0)
        yield from (waiting, oldest)

    def _recalls(self) -> Iterator[Metric]:
        late = GaugeMetricFamily(
            "ipx_acknowledgements_overdue", "Addressees of recalls that have not answered in time", labels=["holder"]
        )
        for holder, count in svcs.flask.get(RecallReader).overdue().items():
            late.add_metric([holder], count)
        yield late

    def _beats(self) -> Iterator[Metric]:
        ages = GaugeMetricFamily(
            "ipx_worker_beat_age_seconds", "Since a process said that it does background work", labels=["node", "role"]
        )
        for beat in svcs.flask.get(Beats).all():
            ages.add_metric([beat.node, beat.role], self._age(beat.at))
        yield ages

    def _sources(self) -> Iterator[Metric]:
        states = GaugeMetricFamily("ipx_source_state", "1 at the state of a source", labels=["source", "state"])
        waiting = GaugeMetricFamily("ipx_source_quarantined", "Records that wait for an operator", labels=["source"])
        for one in svcs.flask.get(Following).status():
            states.add_metric([one.source, one.state], 1)
            waiting.add_metric([one.source], one.waiting)
        yield from (states, waiting)

    def _age(self, at: datetime) -> float:
        return max(0.0, (self._clock() - at).total_seconds())


def _count(response: Response) -> Response:
    call = current_request()
    rule = call.url_rule
    meters.called(call.method, None if rule is None else rule.rule, response.status_code)
    if rule is not None and rule.endpoint == "oauth.token":
        said = response.get_json(silent=True) if response.status_code >= 400 else None  # noqa: PLR2004
        meters.TOKENS.labels("issued" if said is None else str(said.get("error", "other"))).inc()
    return response
