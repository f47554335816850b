"""Reviews: second persons look at exactly one body of evidence; what they said is bound to its hash."""

from collections.abc import Sequence
from typing import Final, Literal

from sqlalchemy import select

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError
from gateway.governance.change_rows import require_base, require_version, visible, written
from gateway.governance.editors import POLICY_APPROVER, Editor
from gateway.governance.errors import EvidenceChangedError, NotInStateError, OwnChangeError
from gateway.governance.models import ChangeRequest, Review
from gateway.governance.proposals import Change, reviewers_needed
from gateway.governance.service import Policies

COMMENT_CHARACTERS: Final = 4000
Verdict = Literal["approve", "reject"]


class Reviews:
    def __init__(self, database: Database, policies: Policies, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._policies = policies
        self._audit = audit
        self._clock = clock

    def say(
        self,
        editor: Editor,
        change_id: int,
        *,
        version: int,
        evidence_sha256: str,
        verdict: Verdict,
        comment: str = "",
        ticks: Sequence[str] = (),
    ) -> Change:
        """Approve or reject what was put to review.

        With the last approval that is needed it is `reviewed`; one rejection makes it `rejected`.

        Args:
            editor: an approver who saved nothing in it.
            change_id: which.
            version: the one the reviewer saw.
            evidence_sha256: of the evidence the reviewer saw.
            verdict: what they say.
            comment: in their own words; wanted for a rejection.
            ticks: to approve, all of `Change.widened`, each ticked by hand.

        Raises:
            UnknownError: there is no such change request for this editor.
            NotEntitledError: not an approver of this tier and owner.
            OwnChangeError: the reviewer wrote a part of it.
            ChangedMeanwhileError, EvidenceChangedError, BaseMovedError: what they saw is not what there is now.
            NotInStateError: nobody asked for its review, or it is over, or this reviewer has spoken.
            InvalidInputError: a tick is missing, a rejection has no comment.
        """
        _require_comment(verdict, comment)
        with self._database.write() as session:
            row = visible(session, editor, change_id, is_held=True)
            editor.require(row.tier, row.owner, POLICY_APPROVER)
            _require_reviewable(row, editor, evidence_sha256)
            require_base(self._policies, session, row)
            require_version(session, row, version)
            if verdict == "approve":
                _require_ticks(row, ticks)
            said = session.scalars(
                select(Review).where(Review.change_id == row.id, Review.evidence_sha256 == evidence_sha256)
            ).all()
            if any(one.reviewer == editor.actor for one in said):
                raise NotInStateError(f"{editor.actor} has reviewed change {row.id}")
            session.add(
                Review(
                    change_id=row.id,
                    evidence_sha256=evidence_sha256,
                    reviewer=editor.actor,
                    author=row.author,
                    verdict=verdict,
                    comment=comment,
                    ticks=sorted(ticks),
                    at=self._clock(),
                )
            )
            if verdict == "reject":
                row.state, row.note = "rejected", comment
            elif sum(one.verdict == "approve" for one in said) + 1 >= reviewers_needed(row):
                row.state = "reviewed"
            act = "policy.change_approved" if verdict == "approve" else "policy.change_rejected"
            detail = {"evidence_sha256": evidence_sha256, "ticks": sorted(ticks)}
            return written(self._policies, self._audit, self._clock, session, row, editor.actor, act, detail)


def _require_comment(verdict: Verdict, comment: str) -> None:
    faults = []
    if len(comment) > COMMENT_CHARACTERS:
        faults.append(Fault("/comment", "length", f"at most {COMMENT_CHARACTERS} characters"))
    if verdict == "reject" and not comment.strip():
        faults.append(Fault("/comment", "missing", "say why, so that the author can mend it"))
    if faults:
        raise InvalidInputError(faults)


def _require_reviewable(row: ChangeRequest, editor: Editor, evidence_sha256: str) -> None:
    if editor.actor in row.contributors:
        raise OwnChangeError(f"{editor.actor} wrote a part of change {row.id}")
    if row.state != "checked" or row.asked_at is None or row.evidence_sha256 is None:
        raise NotInStateError(f"change {row.id} is not up for review, it is {row.state}")
    if row.evidence_sha256 != evidence_sha256:
        raise EvidenceChangedError(f"the evidence of change {row.id} is {row.evidence_sha256}")


def _require_ticks(row: ChangeRequest, ticks: Sequence[str]) -> None:
    """Two people each tick by hand what becomes more permissive: nothing widens by being overlooked."""
    missing = sorted(set(row.widened) - set(ticks))
    if missing:
        raise InvalidInputError(
            [Fault(f"/ticks/{name}", "not_ticked", "tick each that becomes more permissive") for name in missing]
        )
