"""Approvals: what waits for officers of a holder, with what is asked and why, and what they say to it.

    open → granted → the request is decided afresh → released or denied
    open → refused | expired | void | withdrawn

An approval is granted once its quorum of officers has granted it; one refusal ends it. It is bound to the request, the
record and the policies of the moment when it was opened: once one of these is another one, it is void.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import structlog
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from gateway.agencies.models import Agency
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, GatewayError, InvalidInputError, UnknownError
from gateway.exchange.approval_tasks import (
    NOTE_CHARACTERS,
    PAGE_TASKS,
    REASON_CODES,
    STATES,
    Officer,
    State,
    Task,
    TaskDetail,
    Verdict,
    checked,
    note_name,
    task_of,
)
from gateway.exchange.errors import IllegalTransitionError, OfficerExcludedError, StaleVersionError
from gateway.exchange.lifting import LONGEST, WORKING_DAYS
from gateway.exchange.models import PENDING, ApprovalPeriod, ApprovalTask, ApprovalVerdict, Exchange
from gateway.exchange.requests import Requests
from gateway.exchange.resumption import Resumption, Waited
from gateway.exchange.settling import Settling

log = structlog.get_logger(__name__)

__all__ = [
    "NOTE_CHARACTERS",
    "PAGE_TASKS",
    "REASON_CODES",
    "STATES",
    "Approvals",
    "Officer",
    "State",
    "Task",
    "TaskDetail",
    "Verdict",
]


class Approvals:
    def __init__(
        self,
        database: Database,
        requests: Requests,
        resumption: Resumption,
        settling: Settling,
        audit: AuditTrail,
        clock: Clock,
    ) -> None:
        self._database = database
        self._requests = requests
        self._resumption = resumption
        self._settling = settling
        self._audit = audit
        self._clock = clock

    def list(
        self, agency: str, *, state: State | None = "open", after: str | None = None, limit: int = PAGE_TASKS
    ) -> Sequence[Task]:
        """List what is wanted of a holder, the nearest deadline first.

        Args:
            agency: the holder.
            state: only tasks in this state; None for all.
            after: id of the last task of the page before.
            limit: at most so many, no more than 200; a shorter list is the last.

        Raises:
            UnknownError: `after` is no task of this holder.
        """
        query = select(ApprovalTask.id).where(ApprovalTask.holder == agency)
        if state is not None:
            query = query.where(ApprovalTask.state == state)
        with self._database.read() as session:
            if after is not None:
                last = self._of(session, after, agency)
                query = query.where(
                    or_(
                        ApprovalTask.expires_at > last.expires_at,
                        and_(ApprovalTask.expires_at == last.expires_at, ApprovalTask.id > last.id),
                    )
                )
            ordered = query.order_by(ApprovalTask.expires_at, ApprovalTask.id).limit(min(limit, PAGE_TASKS))
            return self._tasks(session, session.scalars(ordered).all())

    def count(self, agency: str, *, state: State = "open") -> int:
        """Count what is wanted of a holder."""
        query = select(ApprovalTask.id).where(ApprovalTask.holder == agency, ApprovalTask.state == state)
        with self._database.read() as session:
            return len(session.scalars(query).all())

    def show(self, task_id: str, agency: str) -> TaskDetail:
        """Give a task with what is asked and why, to its holder.

        Raises:
            UnknownError: this holder has no such task.
            ErasedError: the exchange was erased.
        """
        with self._database.read() as session:
            row = self._of(session, task_id, agency)
            ids = session.scalars(select(ApprovalTask.id).where(ApprovalTask.exchange_id == row.exchange_id)).all()
            tasks = self._tasks(session, ids)
            said = session.scalars(
                select(ApprovalVerdict).where(ApprovalVerdict.task_id == task_id).order_by(ApprovalVerdict.at)
            ).all()
        task = next(one for one in tasks if one.id == task_id)
        waited = self._settling.waited(task.exchange_id)
        request = self._requests.reread(waited.request, waited.client_id)
        cipher = waited.cipher
        return TaskDetail(
            task=task,
            record=request.record,
            legal_basis=request.legal_basis,
            case_ref=request.case_ref,
            groups_asked=tuple(sorted(request.groups)),
            request=waited.request,
            reason=waited.pending.reason,
            withheld=waited.pending.withheld,
            approvals=waited.pending.approvals,
            beside=tuple(one for one in tasks if one.id != task_id),
            why=waited.pending.why,
            verdicts=tuple(
                Verdict(
                    actor=one.actor,
                    verdict=one.verdict,
                    groups=tuple(one.groups),
                    reason_code=one.reason_code,
                    note=cipher.decrypt(note_name(task_id, one.actor), one.note).decode() if one.note else "",
                    at=one.at,
                )
                for one in said
            ),
            is_current=self._is_current(task.exchange_id, waited),
        )

    def grant(
        self,
        task_id: str,
        officer: Officer,
        *,
        version: int,
        reason_code: str,
        groups: Sequence[str] | None = None,
        note: str = "",
    ) -> Task:
        """Grant an approval; with the quorum's last voice the request is decided afresh before this returns.

        Args:
            task_id: of an open task.
            officer: an officer of the holder, who has not spoken yet and did not ask.
            version: of the task as the officer saw it.
            reason_code: a word of `REASON_CODES["grant"]`.
            groups: what may be released; what others took out stays out. None: all that is left.
            note: in the officer's words, at most 2,000 characters; encrypted, and erased with the exchange.

        Returns:
            the task as it is then: `void` where policies or record have changed.

        Raises:
            UnknownError: this holder has no such task.
            IllegalTransitionError: it is not open any more, or this officer has spoken.
            StaleVersionError: it was changed since it was read.
            OfficerExcludedError: the officer's own system asked.
            InvalidInputError: an unknown reason, groups that are not offered, a note that is too long.
        """
        return self._speak(task_id, officer, "grant", version, reason_code, groups, note)

    def refuse(self, task_id: str, officer: Officer, *, version: int, reason_code: str, note: str = "") -> Task:
        """Refuse an approval; one refusal ends it. Arguments and errors as of `grant`."""
        return self._speak(task_id, officer, "refuse", version, reason_code, None, note)

    def period(self, holder: str) -> int:
        """Tell how many working days the officers of a holder have."""
        with self._database.read() as session:
            row = session.get(ApprovalPeriod, holder)
        return row.working_days if row else WORKING_DAYS

    def set_period(self, holder: str, working_days: int, *, actor: str) -> None:
        """Say how many working days officers of a holder have from now on; what is open keeps its deadline.

        Raises:
            UnknownError: there is no such agency.
            InvalidInputError: not 1 to 30.
        """
        if not 1 <= working_days <= LONGEST.days:
            raise InvalidInputError([Fault("/working_days", "range", f"1 to {LONGEST.days}")])
        with self._database.write() as session:
            if session.get(Agency, holder) is None:
                raise UnknownError(f"there is no agency {holder}")
            session.merge(ApprovalPeriod(holder=holder, working_days=working_days))
            self._audit.record(session, actor, "approval.period_set", holder, {"working_days": working_days})

    def _speak(
        self,
        task_id: str,
        officer: Officer,
        verdict: Literal["grant", "refuse"],
        version: int,
        reason_code: str,
        groups: Sequence[str] | None,
        note: str,
    ) -> Task:
        now = self._clock()
        with self._database.read() as session:
            exchange_id = self._of(session, task_id, officer.agency).exchange_id
        waited = self._settling.waited(exchange_id)
        is_current = self._is_current(exchange_id, waited)  # looked at again when the request is decided
        with self._database.write() as session:
            row = self._of(session, task_id, officer.agency)
            self._require_open(session, row, officer, version, now)
            kept = checked(row, verdict, reason_code, groups, note)
            state = self._state(session, row, verdict) if is_current else "void"
            detail = {"approval": row.approval, "groups": kept, "reason_code": reason_code, "state": state}
            act = f"approval.{'granted' if verdict == 'grant' else 'refused'}" if is_current else "approval.found_void"
            # Before the task is locked: whoever ends an exchange holds the log and then its tasks, never the reverse.
            self._audit.record(session, officer.actor, act, f"approval:{task_id}", detail)
            seen = and_(ApprovalTask.id == task_id, ApprovalTask.version == version, ApprovalTask.state == "open")
            values = {"version": version + 1, "changed_at": now, "state": state, "groups": kept}
            if session.connection().execute(update(ApprovalTask).where(seen).values(values)).rowcount != 1:
                raise StaleVersionError(f"approval {task_id} was changed at this moment")
            if is_current:
                said = ApprovalVerdict(
                    task_id=task_id,
                    actor=officer.actor,
                    verdict=verdict,
                    groups=kept,
                    reason_code=reason_code,
                    note=waited.cipher.encrypt(note_name(task_id, officer.actor), note.encode()) if note else None,
                    at=now,
                )
                session.add(said)
        if state != "open":
            self._settle(exchange_id)
        with self._database.read() as session:
            return self._tasks(session, [task_id])[0]

    def _settle(self, exchange_id: str) -> None:
        """End the exchange now if that is possible; what was said stands, and a worker tries again."""
        try:
            self._settling.settle(exchange_id)
        except GatewayError as error:
            log.warning("exchange not settled yet", exchange=exchange_id, error=type(error).__name__)

    def _is_current(self, exchange_id: str, waited: Waited) -> bool:
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
        return self._resumption.is_current(waited, row.record_type, row.holder)

    def _require_open(self, session: Session, row: ApprovalTask, officer: Officer, version: int, now: datetime) -> None:
        exchange = session.get_one(Exchange, row.exchange_id)
        if officer.actor == f"client:{exchange.client_id}":
            raise OfficerExcludedError(f"{officer.actor} asked for this itself")
        if row.state != "open" or exchange.state != PENDING or row.expires_at <= now:
            raise IllegalTransitionError(f"approval {row.id} is not open any more")
        if session.get(ApprovalVerdict, (row.id, officer.actor)) is not None:
            raise IllegalTransitionError(f"{officer.actor} has spoken on approval {row.id}")
        if row.version != version:
            raise StaleVersionError(f"approval {row.id} is at version {row.version}")

    def _state(self, session: Session, row: ApprovalTask, verdict: str) -> State:
        """Tell what becomes of a task with this verdict; that nobody speaks meanwhile, its version makes sure."""
        if verdict == "refuse":
            return "refused"
        granting = select(ApprovalVerdict.actor).where(
            ApprovalVerdict.task_id == row.id, ApprovalVerdict.verdict == "grant"
        )
        return "granted" if len(session.scalars(granting).all()) + 1 >= row.quorum else "open"

    def _of(self, session: Session, task_id: str, agency: str) -> ApprovalTask:
        row = session.get(ApprovalTask, task_id)
        if row is None or row.holder != agency:
            raise UnknownError(f"{agency} has no approval {task_id}")
        return row

    def _tasks(self, session: Session, ids: Sequence[str]) -> Sequence[Task]:
        rows = session.execute(
            select(ApprovalTask, Exchange)
            .join(Exchange, Exchange.id == ApprovalTask.exchange_id)
            .where(ApprovalTask.id.in_(ids))
            .order_by(ApprovalTask.expires_at, ApprovalTask.id)
        ).all()
        granting: dict[str, list[str]] = {}
        said = select(ApprovalVerdict.task_id, ApprovalVerdict.actor).where(
            ApprovalVerdict.task_id.in_(ids), ApprovalVerdict.verdict == "grant"
        )
        for task_id, actor in session.execute(said.order_by(ApprovalVerdict.at)):
            granting.setdefault(task_id, []).append(actor)
        return [task_of(row, exchange, granting.get(row.id, [])) for row, exchange in rows]
