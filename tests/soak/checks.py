"""What must hold when everything has broken often enough and the server is stopped."""

from collections.abc import Sequence

from sqlalchemy import func, select

from gateway.errors import GatewayError
from gateway.evidence.models import LogEntry
from gateway.exchange.models import RECEIVED, Exchange
from gateway.settings import Settings
from gateway.wiring import build
from ipx import evidence
from ipx.errors import EvidenceError
from ipx.trust import Trust
from ipx.waiting import utc_now
from tests.soak.traffic import Acknowledged


def violations(
    settings: Settings, acknowledged: Sequence[Acknowledged], sample: Sequence[bytes], trust: Trust
) -> list[str]:
    """List what does not hold: of the log, of every exchange that was acknowledged, of a sample of whole answers."""
    return [*_in_the_database(settings, acknowledged), *_offline(sample, trust)]


def _in_the_database(settings: Settings, acknowledged: Sequence[Acknowledged]) -> list[str]:
    found = []
    services = build(settings)
    try:
        try:
            services.log.audit()
        except GatewayError as error:
            found.append(f"the log does not audit: {error}")
        with services.database.read() as session:
            states = dict(session.execute(select(Exchange.id, Exchange.state)).tuples().all())
            steps = dict(session.execute(select(LogEntry.step_id, LogEntry.idx)).tuples().all())
            left = session.scalar(select(func.count()).where(Exchange.state == RECEIVED)) or 0
    finally:
        services.close()
    if left:
        found.append(f"{left} exchanges are still received after a restart")
    for one in acknowledged:
        if states.get(one.exchange) != one.outcome:
            found.append(f"{one.exchange} was acknowledged as {one.outcome} and is {states.get(one.exchange)}")
        if steps.get(f"exchange:{one.exchange}:final") != one.log_index:
            found.append(f"{one.exchange} was acknowledged at leaf {one.log_index} and is not there")
    unlogged = [one for one, state in states.items() if state != RECEIVED and f"exchange:{one}:final" not in steps]
    return [*found, *(f"{one} is over and not in the log" for one in unlogged)]


def _offline(sample: Sequence[bytes], trust: Trust) -> list[str]:
    found = []
    for raw in sample:
        try:
            evidence.verify(raw, trust.unconfirmed(), now=utc_now())
        except EvidenceError as error:
            found.append(f"an answer does not verify offline: {error}")
    return found
