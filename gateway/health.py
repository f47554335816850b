"""Is it alive, is it ready, what fails: for load balancers, container engines and operators.

Anybody may ask, so each failing part is told by its name and a sentence of a closed list, never by an error's own text:
that may hold addresses and names.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import svcs
from flask import Blueprint, Response, jsonify
from sqlalchemy import select

from gateway import draining
from gateway.beats import SILENT, Beats
from gateway.clock import SKEW, Clock
from gateway.db.engine import Database
from gateway.errors import GatewayError, StoreUnavailableError
from gateway.evidence.errors import (
    LogForkedError,
    LogRotatedError,
    LogUnavailableError,
    SignerUnavailableError,
)
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogCheckpoint
from gateway.evidence.receipts import Receipts
from gateway.evidence.state import Confirmation, EvidenceState
from gateway.exchange.failing_holders import failing_holders
from gateway.exchange.models import RECEIVED, Exchange
from gateway.governance.books import PolicyBooks
from gateway.intake.following import Following
from gateway.oauth.replay import ReplayStore, SeenKey

REASONS: Final[tuple[tuple[type[GatewayError], str], ...]] = (
    (LogRotatedError, "the log's key was rotated: this node needs a start with the new one"),
    (LogForkedError, "the log contradicts itself or what was published of it: this node has stopped for good"),
    (LogUnavailableError, "the log or its checkpoint store cannot be written"),
    (SignerUnavailableError, "a private key cannot be used: its token does not answer"),
    (StoreUnavailableError, "it cannot be reached, read or written"),
)
"""What strangers may know of an error: the first line that fits."""

CONFIRMED: Final = {
    Confirmation.UNWITNESSED: "too few witnesses answer: bundles wait",
    Confirmation.LATE: "time-stamps are late: bundles wait",
    Confirmation.OVERDUE: "time-stamps are overdue: no new exchange is taken",
}

PROBE: Final = SeenKey(b"probe".ljust(32, b"\0"), 0, "proof")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the gateway as it is now."""

    name: str
    works: bool
    reason: str | None = None
    is_needed: bool = True
    """Whether exchanges stop where it fails."""

    def document(self) -> dict[str, Any]:
        return {"part": self.name, "works": self.works, "needed": self.is_needed} | (
            {"reason": self.reason} if self.reason else {}
        )


def blueprint(clock: Clock) -> Blueprint:
    health = Blueprint("health", __name__)

    @health.get("/livez")
    def livez() -> Response:
        return jsonify({"live": True})

    @health.get("/readyz")
    def readyz() -> Response:
        if draining.has_begun():
            return _answer({"ready": False, "failing": "draining"}, 503)
        for part, works in parts():
            if not works:
                return _answer({"ready": False, "failing": part}, 503)
        return jsonify(
            {"ready": True, "evidence": svcs.flask.get(EvidenceState).now().detail(), "sources": _sources()},
        )

    @health.get("/health")
    def whole() -> Response:
        return _answer(*report(clock))

    return health


def report(clock: Clock) -> tuple[dict[str, Any], int]:
    """Give the state of every part and the status that says whether exchanges go on: 200 or 503."""
    told = [*needed(), *beside(clock)]
    fails = [part.name for part in told if part.is_needed and not part.works]
    limps = [part.name for part in told if not part.is_needed and not part.works]
    if draining.has_begun():
        fails.insert(0, "draining")
    state = "failing" if fails else "degraded" if limps else "working"
    document = {"state": state, "failing": fails, "degraded": limps, "parts": [part.document() for part in told]}
    return document, 503 if fails else 200


def parts() -> Iterator[tuple[str, bool]]:
    """Tell of each part that every exchange needs whether it works, in the order in which they rest on each other."""
    return ((part.name, part.works) for part in needed())


def needed() -> Iterator[Part]:
    """Look at each part without which no exchange is taken."""
    for name, check in (
        ("database", _database),
        ("replay store", _replay),
        ("log", _log),
        ("witnesses", _witnesses),
        ("receipt key", _receipts),
        ("policy", _policy),
    ):
        yield _looked_at(name, check)


def beside(clock: Clock) -> Iterator[Part]:
    """Look at what exchanges go on without, for a while."""
    for name, look in (
        ("evidence", _confirmed),
        ("background work", lambda: _worked(clock)),
        ("sources", _followed),
        ("holders", lambda: _answering(clock)),
        ("clock", lambda: _timed(clock)),
    ):
        try:
            reason, is_needed = look()
        except GatewayError as error:
            yield Part(name, works=False, reason=_reason(error), is_needed=False)
        else:
            yield Part(name, works=reason is None, reason=reason, is_needed=is_needed)


Look = tuple[str | None, bool]
"""What is wrong, if anything is, and whether exchanges stop for it."""


def _confirmed() -> Look:
    state = svcs.flask.get(EvidenceState).now().state
    return CONFIRMED.get(state), state is Confirmation.OVERDUE


def _worked(clock: Clock) -> Look:
    beats, now = svcs.flask.get(Beats).all(), clock()
    if not beats or beats[0].at <= now - SILENT:
        return "no process has said lately that it does it", False
    left = select(Exchange.id).where(Exchange.state == RECEIVED, Exchange.deadline_at < now - SILENT).limit(1)
    with svcs.flask.get(Database).read_connection() as connection:
        is_left = connection.scalar(left) is not None
    return "an exchange that was interrupted is closed by nobody" if is_left else None, False


def _followed() -> Look:
    failing = [one.source for one in svcs.flask.get(Following).failing()]
    return f"these fail or are stale: {', '.join(failing)}" if failing else None, False


def _answering(clock: Clock) -> Look:
    """No holder is asked here: exchanges tell who failed, and a release tells that it is over."""
    failing = failing_holders(svcs.flask.get(Database), clock())
    return f"the systems of these fail: {', '.join(failing)}" if failing else None, False


def _timed(clock: Clock) -> Look:
    """Compare this node's clock with that of the database, and with what any node has signed already."""
    database = svcs.flask.get(Database)
    newest = select(LogCheckpoint.at).order_by(LogCheckpoint.shard.desc(), LogCheckpoint.size.desc()).limit(1)
    with database.read_connection() as connection:
        signed_at = connection.scalar(newest)
        theirs = None if database.is_sqlite else connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    now = clock()
    if theirs is not None and abs(theirs - now) > SKEW:
        return f"it differs from the database's by {abs(theirs - now).total_seconds():.0f} s", False
    if signed_at is not None and signed_at > now + SKEW:
        return "it is behind what the log has signed already", False
    return None, False


def _looked_at(name: str, check: Callable[[], None]) -> Part:
    try:
        check()
    except GatewayError as error:
        return Part(name, works=False, reason=_reason(error))
    return Part(name, works=True)


def _reason(error: GatewayError) -> str:
    for kind, words in REASONS:
        if isinstance(error, kind):
            return words
    return "it cannot be used"


def _answer(document: dict[str, Any], status: int) -> Response:
    answer = jsonify(document)
    answer.status_code = status
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _sources() -> dict[str, object]:
    """Name the followed sources that fail: no reason to take a node out of service, but one to look."""
    failing = svcs.flask.get(Following).failing()
    return {"failing": [{"source": one.source, "state": one.state, "failure": one.failure} for one in failing]}


def _database() -> None:
    database = svcs.flask.get(Database)
    database.require_room()
    with database.read_connection() as connection:
        connection.exec_driver_sql("SELECT 1")


def _replay() -> None:
    svcs.flask.get_abstract(ReplayStore).was_used(PROBE)


def _log() -> None:
    svcs.flask.get(EvidenceLog).ready()


def _witnesses() -> None:
    svcs.flask.get(EvidenceState).require_whole()


def _receipts() -> None:
    svcs.flask.get(Receipts).ready()


def _policy() -> None:
    svcs.flask.get(PolicyBooks).current()
