"""Emergency denials: one person stops something at once, until a time; somebody else looks at it within a day.

Only a forbid, only under a new id: whatever else is in force stays, so nothing can be widened this way.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError, UnknownError
from gateway.governance.editors import POLICY_APPROVER, POLICY_EDITOR, Editor
from gateway.governance.errors import NotInStateError, OwnChangeError
from gateway.governance.models import Emergency, PolicyRevision
from gateway.governance.service import Policies
from policies.engine import PolicyRef, PolicyText, parse, revision_of
from policies.reference import TIERS

log = structlog.get_logger(__name__)

REVIEW_WITHIN: Final = timedelta(hours=24)
LASTS_MAX: Final = timedelta(days=30)
GATEWAY: Final = "gateway"


class Emergencies:
    def __init__(self, database: Database, policies: Policies, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._policies = policies
        self._audit = audit
        self._clock = clock

    def deny(
        self,
        editor: Editor,
        tier: str,
        owner: str,
        policy_id: str,
        cedar: str,
        *,
        until: datetime | timedelta,
        reason: str,
    ) -> Emergency:
        """Put a forbid in force now, beside all that is; it ends by itself.

        Args:
            editor: a policy editor or approver of the tier and owner; guardrails are the gateway authority's.
            tier: usually `guardrail`; an agency may stop its own records (`holder`) or clients (`egress`).
            owner: whose.
            policy_id: one that is not in force.
            cedar: a forbid that passes the lint.
            until: when it ends, or how long it lasts from now: at most 30 days.
            reason: for whoever reviews it.

        Raises:
            NotEntitledError: not this editor's tier and owner.
            InvalidInputError: it is no forbid, the time cannot be taken, no reason is given, the lint finds an error.
            AlreadyExistsError: a policy of this id is in force: a text in its place could let more through.
        """
        editor.require(tier, owner, POLICY_EDITOR, POLICY_APPROVER)
        known = next((one for one in TIERS if one == tier), None)
        if known is None:
            raise InvalidInputError([Fault("/tier", "unknown_tier", f"one of {', '.join(TIERS)}")])
        now, faults = self._clock(), []
        until = now + until if isinstance(until, timedelta) else until
        if not now < until <= now + LASTS_MAX:
            faults.append(Fault("/until", "time", f"in the future, at most {LASTS_MAX.days} days ahead"))
        if not reason.strip():
            faults.append(Fault("/reason", "missing", "say what happened"))
        if faults:
            raise InvalidInputError(faults)
        text = PolicyText(PolicyRef(known, owner, policy_id, revision_of(cedar)), cedar)
        self._policies.checked([text])
        if next(iter(parse(cedar).static_policies.values())).effect != "forbid":
            raise InvalidInputError([Fault("/cedar", "not_a_forbid", "an emergency only forbids")])
        with self._database.write() as session:
            self._policies.lock(session)
            in_force = self._in_force(session, tier, owner)
            if policy_id in in_force:
                raise AlreadyExistsError(f"policy {tier}/{owner}/{policy_id} is in force")
            row = self._policies.write_revision(session, text, editor.actor)
            emergency = Emergency(
                tier=tier,
                owner=owner,
                policy_id=policy_id,
                revision=row.id,
                actor=editor.actor,
                reason=reason,
                began_at=now,
                until=until,
                review_due=now + REVIEW_WITHIN,
            )
            session.add(emergency)
            session.flush()
            detail = {"emergency": emergency.id, "until": until.isoformat(), "reason": reason}
            self._activate(session, emergency, [*in_force.values(), row], "emergency", editor.actor, detail)
        return emergency

    def review(self, editor: Editor, emergency_id: int, verdict: Literal["keep", "lift"], *, comment: str = "") -> None:
        """Say as a second person whether it stays until its end or is lifted now.

        Raises:
            UnknownError: there is none of this number for this editor.
            NotEntitledError: not an approver of the tier and owner.
            OwnChangeError: it is the reviewer's own.
            NotInStateError: it is over, or was reviewed.
        """
        with self._database.write() as session:
            row = self._held(session, editor, emergency_id)
            editor.require(row.tier, row.owner, POLICY_APPROVER)
            if row.actor == editor.actor:
                raise OwnChangeError(f"emergency {row.id} is {editor.actor}'s own")
            if row.ended_at is not None or row.verdict is not None:
                raise NotInStateError(f"emergency {row.id} is over, or was reviewed")
            row.reviewed_by, row.reviewed_at, row.verdict = editor.actor, self._clock(), verdict
            if verdict == "lift":
                self._end(session, row, editor.actor)
            detail = {"verdict": verdict, "comment": comment}
            self._audit.record(session, editor.actor, "policy.emergency_reviewed", f"emergency:{row.id}", detail)

    def list(
        self, editor: Editor, *, is_open: bool | None = None, limit: int | None = None, after: int | None = None
    ) -> Sequence[Emergency]:
        """List emergency denials that are this editor's business, the newest first.

        Args:
            editor: who asks.
            is_open: only those that are, or are not, still in force.
            limit: at most so many.
            after: those of lower numbers.
        """
        query = select(Emergency).order_by(Emergency.id.desc())
        if is_open is not None:
            query = query.where(Emergency.ended_at.is_(None) if is_open else Emergency.ended_at.is_not(None))
        if editor.agency is not None:
            query = query.where(Emergency.owner == editor.agency, Emergency.tier != "guardrail")
        if after is not None:
            query = query.where(Emergency.id < after)
        with self._database.read() as session:
            return session.scalars(query.limit(limit)).all()

    def show(self, editor: Editor, emergency_id: int) -> Emergency:
        """Give one emergency denial.

        Raises:
            UnknownError: there is none of this number for this editor.
        """
        with self._database.read() as session:
            return self._held(session, editor, emergency_id)

    def go_round(self) -> int:
        """End what has ended, and say of what nobody reviewed in time that it is overdue. Returns how many."""
        now = self._clock()
        is_overdue = Emergency.verdict.is_(None) & (Emergency.review_due <= now) & Emergency.overdue_at.is_(None)
        query = select(Emergency.id).where(Emergency.ended_at.is_(None), (Emergency.until <= now) | is_overdue)
        with self._database.read() as session:
            due = session.scalars(query).all()
        for emergency_id in due:
            with self._database.write() as session:
                row = session.get_one(Emergency, emergency_id, with_for_update=True)
                if row.ended_at is not None:
                    continue  # another worker was here
                if row.until <= now:
                    self._end(session, row, GATEWAY)
                elif row.overdue_at is None and row.verdict is None:
                    row.overdue_at = now
                    log.warning("emergency denial not reviewed in time", emergency=row.id, by=row.actor)
                    self._audit.record(session, GATEWAY, "policy.emergency_overdue", f"emergency:{row.id}", {})
        return len(due)

    def _end(self, session: Session, row: Emergency, actor: str) -> None:
        self._policies.lock(session)
        row.ended_at = self._clock()
        in_force = self._in_force(session, row.tier, row.owner)
        kept = [one for one in in_force.values() if one.id != row.revision]
        if len(kept) < len(in_force):  # else a change took it out, or made something lasting of it
            self._activate(session, row, kept, "lifted", actor, {"emergency": row.id})

    def _activate(
        self,
        session: Session,
        row: Emergency,
        revisions: Sequence[PolicyRevision],
        kind: str,
        actor: str,
        detail: dict[str, object],
    ) -> None:
        base = self._policies.newest_of(session, row.tier, row.owner)
        self._policies.write_activation(
            session,
            row.tier,
            row.owner,
            revisions,
            base.tests if base else (),
            kind=kind,
            actor=actor,
            detail=detail,
        )

    def _in_force(self, session: Session, tier: str, owner: str) -> dict[str, PolicyRevision]:
        base = self._policies.newest_of(session, tier, owner)
        return self._policies.revisions_of(session, base.revisions) if base else {}

    def _held(self, session: Session, editor: Editor, emergency_id: int) -> Emergency:
        row = session.get(Emergency, emergency_id, with_for_update=None)
        if row is None or not editor.covers(row.tier, row.owner):
            raise UnknownError(f"no emergency {emergency_id}")
        return row
