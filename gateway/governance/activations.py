"""What becomes active, when, and how it is undone: scheduled, in shadow, active, rolled back; every one a new row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, GatewayError, InvalidInputError, UnknownError
from gateway.governance.change_rows import require_base, require_version, visible, written
from gateway.governance.editors import POLICY_APPROVER, POLICY_EDITOR, Editor
from gateway.governance.errors import BaseMovedError, NotInStateError, OwnChangeError
from gateway.governance.models import Activation, ChangeRequest, ShadowDifference, ShadowTally
from gateway.governance.proposals import Change
from gateway.governance.service import Policies

log = structlog.get_logger(__name__)

SHADOW_MAX: Final = timedelta(days=90)
AHEAD_MAX: Final = timedelta(days=366)
GATEWAY: Final = "gateway"
"""Who acts when the time has come."""


@dataclass(frozen=True, slots=True)
class Version:
    """One activation of a tier and owner. `name` is what receipts call it; `is_current`: it is in force."""

    id: int
    tier: str
    owner: str
    name: str
    kind: str
    actor: str
    at: datetime
    change_id: int | None
    policies: tuple[str, ...]
    is_current: bool


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What a candidate decided otherwise so far; `skipped` questions were too many at once and are not guessed."""

    compared: int
    differing: int
    skipped: int
    differences: tuple[dict[str, Any], ...]


class Activations:
    def __init__(self, database: Database, policies: Policies, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._policies = policies
        self._audit = audit
        self._clock = clock

    def activate(self, editor: Editor, change_id: int, *, version: int) -> Change:
        """Put a reviewed change in force now; every worker decides by it within a second.

        Raises:
            UnknownError, NotEntitledError, ChangedMeanwhileError: as `Changes.save` does.
            NotInStateError: it is not reviewed.
            BaseMovedError: other policies came into force since its review.
        """
        with self._database.write() as session:
            row = self._held(session, editor, change_id, version, ("reviewed", "scheduled", "shadow"))
            self._policies.lock(session)
            require_base(self._policies, session, row)
            return self._activate(session, row, editor.actor)

    def schedule(
        self,
        editor: Editor,
        change_id: int,
        *,
        version: int,
        activate_at: datetime,
        shadow_from: datetime | None = None,
    ) -> Change:
        """Have a reviewed change become active at a time, and decide in shadow before that, from another time on.

        Raises:
            InvalidInputError: a time is past, too far ahead, or the shadow would begin after the activation.
            UnknownError, NotEntitledError, ChangedMeanwhileError, NotInStateError, BaseMovedError: as `activate` does.
        """
        now, faults = self._clock(), []
        if not now < activate_at <= now + AHEAD_MAX:
            faults.append(Fault("/activate_at", "time", f"in the future, at most {AHEAD_MAX.days} days ahead"))
        if shadow_from is not None and not activate_at - SHADOW_MAX <= shadow_from < activate_at:
            faults.append(Fault("/shadow_from", "time", f"before it is active, at most {SHADOW_MAX.days} days"))
        if faults:
            raise InvalidInputError(faults)
        with self._database.write() as session:
            row = self._held(session, editor, change_id, version, ("reviewed", "scheduled", "shadow"))
            require_base(self._policies, session, row)
            row.activate_at, row.shadow_from, row.scheduled_by = activate_at, shadow_from, editor.actor
            is_shadow = shadow_from is not None and shadow_from <= now
            row.state = "shadow" if is_shadow else "scheduled"
            if is_shadow:
                self._begin_shadow(session, row)
            detail = {"activate_at": activate_at.isoformat(), "shadow_from": shadow_from and shadow_from.isoformat()}
            return written(
                self._policies, self._audit, self._clock, session, row, editor.actor, "policy.change_scheduled", detail
            )

    def unschedule(self, editor: Editor, change_id: int, *, version: int) -> Change:
        """Take the times away again; it stays reviewed. Raises as `activate` does."""
        with self._database.write() as session:
            row = self._held(session, editor, change_id, version, ("scheduled", "shadow"))
            row.state, row.activate_at, row.shadow_from, row.scheduled_by = "reviewed", None, None, None
            return written(
                self._policies, self._audit, self._clock, session, row, editor.actor, "policy.change_unscheduled", {}
            )

    def roll_back(self, editor: Editor, activation_id: int, *, in_force: int, reason: str) -> Version:
        """Put what was in force before in force again, as a new activation.

        What is put back was in force by review once; whoever undoes is a second person to what is undone.

        Args:
            editor: an approver of the tier and owner, and no author of what is undone.
            activation_id: whose policies are to be in force again.
            in_force: the activation that the editor saw in force.
            reason: for the audit trail.

        Raises:
            UnknownError: there is no such activation for this editor.
            NotEntitledError, OwnChangeError: not this editor.
            BaseMovedError: another activation is in force than the one seen.
            NotInStateError: it is in force already.
            InvalidInputError: no reason is given.
        """
        if not reason.strip():
            raise InvalidInputError([Fault("/reason", "missing", "say why it is rolled back")])
        with self._database.write() as session:
            target = session.get(Activation, activation_id)
            if target is None or not editor.covers(target.tier, target.owner):
                raise UnknownError(f"no activation {activation_id}")
            editor.require(target.tier, target.owner, POLICY_APPROVER)
            self._policies.lock(session)
            newest = self._policies.newest_of(session, target.tier, target.owner)
            if newest is None or newest.id != in_force:
                raise BaseMovedError(f"in force is {newest and newest.id}")
            if newest.revisions == target.revisions and newest.tests == target.tests:
                raise NotInStateError(f"activation {activation_id} is what is in force")
            self._require_second(session, editor, newest)
            rows = self._policies.revisions_of(session, target.revisions)
            self._supersede(session, target.tier, target.owner)
            made = self._policies.write_activation(
                session,
                target.tier,
                target.owner,
                list(rows.values()),
                target.tests,
                kind="rollback",
                actor=editor.actor,
                change_id=target.change_id,
                detail={"rolled_back_to": target.id, "undone": newest.id, "reason": reason},
            )
            return _version(made, rows, is_current=True)

    def history(
        self, editor: Editor, tier: str, owner: str, *, limit: int = 50, after: int | None = None
    ) -> Sequence[Version]:
        """List what was in force for a tier and owner, the newest first, from below the number `after` on.

        Nothing to whom it is no business.
        """
        if not editor.covers(tier, owner):
            return []
        query = (
            select(Activation)
            .where(Activation.tier == tier, Activation.owner == owner)
            .order_by(Activation.id.desc())
            .limit(limit)
        )
        if after is not None:
            query = query.where(Activation.id < after)
        with self._database.read() as session:
            rows = session.scalars(query).all()
            return [
                _version(
                    row,
                    self._policies.revisions_of(session, row.revisions),
                    is_current=after is None and row is rows[0],
                )
                for row in rows
            ]

    def shadow(self, editor: Editor, change_id: int) -> ShadowReport:
        """Give what a candidate in shadow decided otherwise than the book in force, the most frequent first.

        Raises:
            UnknownError: there is no such change request for this editor.
        """
        with self._database.read() as session:
            row = visible(session, editor, change_id)
            tally = session.get(ShadowTally, row.id)
            found = session.scalars(
                select(ShadowDifference)
                .where(ShadowDifference.change_id == row.id)
                .order_by(ShadowDifference.seen.desc(), ShadowDifference.key)
                .limit(200)
            ).all()
        names = ("requester", "holder", "record_type", "purpose", "change", "gained", "lost", "seen")
        return ShadowReport(
            tally.compared if tally else 0,
            tally.differing if tally else 0,
            tally.skipped if tally else 0,
            tuple({name: getattr(one, name) for name in names} for one in found),
        )

    def go_round(self) -> int:
        """Begin the shadows and make the activations whose time has come. Returns how many changes were moved."""
        now = self._clock()
        query = select(ChangeRequest.id).where(
            (ChangeRequest.state.in_(("scheduled", "shadow")) & (ChangeRequest.activate_at <= now))
            | ((ChangeRequest.state == "scheduled") & (ChangeRequest.shadow_from <= now))
        )
        with self._database.read() as session:
            due = session.scalars(query.order_by(ChangeRequest.activate_at)).all()
        for change_id in due:
            try:
                self._move(change_id, now)
            except GatewayError as error:
                log.warning("scheduled policies not moved", change=change_id, error=type(error).__name__)
        return len(due)

    def _move(self, change_id: int, now: datetime) -> None:
        with self._database.write() as session:
            row = session.get_one(ChangeRequest, change_id, with_for_update=True)
            if row.state not in {"scheduled", "shadow"} or row.activate_at is None:
                return  # another worker was here
            self._policies.lock(session)
            try:
                require_base(self._policies, session, row)
            except BaseMovedError:
                # What was reviewed is not what would come about: it goes back, and is said to.
                row.state, row.note = "draft", "other policies came into force before its time: take it over to them"
                row.evidence_sha256 = row.evidence_run = row.asked_at = row.activate_at = row.shadow_from = None
                written(self._policies, self._audit, self._clock, session, row, GATEWAY, "policy.change_voided", {})
                return
            if row.activate_at <= now:
                self._activate(session, row, GATEWAY)
            elif row.state == "scheduled":
                row.state = "shadow"
                self._begin_shadow(session, row)
                written(self._policies, self._audit, self._clock, session, row, GATEWAY, "policy.shadow_began", {})

    def _activate(self, session: Session, row: ChangeRequest, actor: str) -> Change:
        revisions = list(self._policies.revisions_of(session, row.manifest.values()).values())
        self._supersede(session, row.tier, row.owner)
        row.state, row.note = "active", ""
        # First the change's own entry, for the activation is the last act of the transaction.
        made = self._policies.write_activation(
            session,
            row.tier,
            row.owner,
            revisions,
            row.tests.values(),
            kind="change",
            actor=actor,
            change_id=row.id,
            detail={"evidence_sha256": row.evidence_sha256, "scheduled_by": row.scheduled_by},
        )
        row.activation_id = made.id
        detail = {"activation": made.id, "evidence_sha256": row.evidence_sha256}
        return written(self._policies, self._audit, self._clock, session, row, actor, "policy.change_activated", detail)

    def _supersede(self, session: Session, tier: str, owner: str) -> None:
        query = select(ChangeRequest).where(
            ChangeRequest.tier == tier, ChangeRequest.owner == owner, ChangeRequest.state == "active"
        )
        for other in session.scalars(query):
            other.state, other.changed_at = "superseded", self._clock()
            other.version += 1

    def _begin_shadow(self, session: Session, row: ChangeRequest) -> None:
        if session.get(ShadowTally, row.id) is None:
            session.add(ShadowTally(change_id=row.id, compared=0, differing=0, skipped=0))

    def _held(
        self, session: Session, editor: Editor, change_id: int, version: int, states: Sequence[str]
    ) -> ChangeRequest:
        row = visible(session, editor, change_id, is_held=True)
        editor.require(row.tier, row.owner, POLICY_APPROVER, POLICY_EDITOR)
        require_version(session, row, version)
        if row.state not in states:
            raise NotInStateError(f"change {row.id} is {row.state}")
        return row

    def _require_second(self, session: Session, editor: Editor, undone: Activation) -> None:
        change = session.get(ChangeRequest, undone.change_id) if undone.change_id else None
        authors = [*change.contributors] if change and undone.kind == "change" else [undone.actor]
        if editor.actor in authors and undone.kind != "import":
            raise OwnChangeError(f"{editor.actor} wrote a part of what would be undone")


def _version(row: Activation, revisions: Any, *, is_current: bool) -> Version:
    return Version(
        row.id,
        row.tier,
        row.owner,
        f"{row.owner}@{row.manifest_sha256[:8]}",
        row.kind,
        row.actor,
        row.at,
        row.change_id,
        tuple(revisions),
        is_current,
    )
