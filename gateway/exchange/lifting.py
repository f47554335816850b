"""From a denial to what could lift it: which approvals, by whom, until when, bound to which record and policies."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.exchange.journal import Filed
from gateway.exchange.models import ApprovalPeriod, ApprovalTask, Exchange
from gateway.exchange.outcomes import ApprovalWanted, Denied, Outcome, Pending
from gateway.exchange.redaction import denied, withheld
from gateway.exchange.sealing import SealedRecord
from gateway.governance.books import BookInForce
from gateway.records.catalogue import CATALOGUE
from ipx.ids import uuid7
from policies.engine import SEALED_RELEASE, Denial, Explanation, Question, Release, explain, obtainable
from policies.engine import Pending as Obtainable

WORKING_DAYS: Final = 5
"""How long a holder's officers have where the holder did not say otherwise."""
LONGEST: Final = timedelta(days=30)
FOUR_EYES: Final = 2
_SATURDAY: Final = 5


class Lifting:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def seek(
        self, current: BookInForce, question: Question, denial: Denial, sealed: SealedRecord, snapshot: bytes
    ) -> Pending | Denied:
        """Make a denial pending where approvals would change it, and where the requester may know of the record."""
        plain = denied(denial, snapshot)
        if plain.is_silent:
            return plain
        found = obtainable(current.book, question, denial, ask=current.remembered.decide)
        if not isinstance(found, Obtainable):
            return plain
        sets = tuple(sorted(tuple(sorted(names)) for names in found.approvals))
        return Pending(
            reason=denial.reason,
            withheld=tuple(map(withheld, denial.withheld)),
            approvals=sets,
            wanted=tuple(self._wanted(current, question, sets)),
            until=self._until(question.holder.code),
            record_digest=sealed.digest,
            policies=current.book.bearing(question.holder.code, question.asking.code, question.record_type),
            why=_document(explain(current.book, question, "holder")),
            snapshot=snapshot,
        )

    def opening(self, filed: Filed, outcome: Outcome) -> Callable[[Connection], None] | None:
        """Give what opens the tasks of a pending exchange, in the transaction that makes it pending."""
        if not isinstance(outcome, Pending):
            return None
        now = self._clock()
        rows = [
            {
                "id": uuid7(),
                "exchange_id": filed.exchange_id,
                "holder": filed.holder,
                "approval": wanted.approval,
                "quorum": wanted.quorum,
                "groups": list(wanted.groups),
                "policies": outcome.policies,
                "state": "open",
                "version": 1,
                "opened_at": now,
                "expires_at": outcome.until,
                "changed_at": now,
            }
            for wanted in outcome.wanted
        ]
        lasts = update(Exchange).where(Exchange.id == filed.exchange_id).values(deadline_at=outcome.until)

        def write(connection: Connection) -> None:
            connection.execute(insert(ApprovalTask), rows)
            connection.execute(lasts)

        return write

    def _wanted(
        self, current: BookInForce, question: Question, sets: tuple[tuple[str, ...], ...]
    ) -> Iterable[ApprovalWanted]:
        released: dict[str, set[str]] = {}
        for names in sets:
            decision = current.remembered.decide(replace(question, approvals=question.approvals | set(names)))
            disclosed = decision.disclosed if isinstance(decision, Release) else frozenset[str]()
            for name in names:
                released.setdefault(name, set()).update(disclosed)
        for name, groups in sorted(released.items()):
            opens_seal = name == SEALED_RELEASE or any(_is_sealed(question, group) for group in groups)
            yield ApprovalWanted(name, FOUR_EYES if opens_seal else 1, tuple(sorted(groups)))

    def _until(self, holder: str) -> datetime:
        with self._database.read() as session:
            days = session.scalar(select(ApprovalPeriod.working_days).where(ApprovalPeriod.holder == holder))
        return deadline(self._clock(), days or WORKING_DAYS)


def deadline(start: datetime, working_days: int) -> datetime:
    """Count working days from an instant, Monday to Friday by UTC; never more than 30 days in all."""
    end, left = start, working_days
    while left:
        end += timedelta(days=1)
        left -= end.weekday() < _SATURDAY
    return min(end, start + LONGEST).replace(microsecond=0)


def _is_sealed(question: Question, group: str) -> bool:
    known = CATALOGUE.types[question.record_type].groups.get(group)
    closed = question.record.sealed_groups if question.record else {}
    return group in closed or (known is not None and known.classification == "sealed")


def _document(explanation: Explanation) -> Mapping[str, Any]:
    """Write an explanation as JSON."""
    return {
        "refused_by": explanation.refused_by,
        "reason": explanation.reason,
        "groups": [asdict(group) for group in explanation.groups],
        "policies": [{**asdict(report), "ref": str(report.ref)} for report in explanation.policies],
        "overridden": [str(ref) for ref in explanation.basis.overridden] if explanation.basis else [],
    }
