"""Change requests as people see them: what they would change, what is known about that, and who said what."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.governance.evidence import Proposal
from gateway.governance.models import Activation, ChangeEvidence, ChangeRequest, PolicyRevision, PolicyTestRow, Review
from gateway.governance.service import Policies, manifest_text, text_of
from policies.engine import PolicyRef, PolicyText, revision_of
from policies.policy_tests import PolicyTest, read_test
from policies.reference import TIERS, Tier

STATES: Final = (
    *("draft", "checked", "reviewed", "scheduled", "shadow", "active", "superseded"),
    *("rejected", "withdrawn"),
)
OPEN: Final = ("draft", "checked", "reviewed", "scheduled", "shadow")
"""States in which a change request can still become active."""
EVIDENCE: Final = ("lint", "validation", "tests", "diff", "replay", "coverage", "card")
"""Kinds of evidence, in the order in which they are collected and shown."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One policy, or test, that the change adds (`old` is None), removes (`new` is None) or writes anew."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one kind of evidence found; `result` is described in docs/policies.md, kind by kind."""

    kind: str
    is_passed: bool
    result: Mapping[str, Any]
    sha256: str
    engine_version: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """One review. `is_current`: it speaks of the present evidence, and so counts."""

    reviewer: str
    verdict: str
    comment: str
    ticks: tuple[str, ...]
    evidence_sha256: str
    at: datetime
    is_current: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A change request with everything around it."""

    id: int
    tier: str
    owner: str
    title: str
    reason: str
    ticket: str | None
    author: str
    contributors: tuple[str, ...]
    state: str
    version: int
    base: int
    is_base_moved: bool
    """Other policies came into force since: it has to be taken over to them (`Changes.rebase`) before anything else."""
    policies: Mapping[str, str]
    """Policy id → Cedar text, all that would be in force."""
    tests: Mapping[str, Mapping[str, Any]]
    """Test name → document, all that would stand beside them."""
    edits: tuple[Edit, ...]
    test_edits: tuple[Edit, ...]
    evidence: tuple[Evidence, ...]
    evidence_sha256: str | None
    """Hash over base, proposal and all evidence, which reviews are bound to; None: no complete evidence."""
    widened: tuple[str, ...]
    """`<record type>/<group or action>` that would become more permissive or could not be analysed."""
    reviewers_needed: int
    reviews: tuple[Said, ...]
    asked_at: datetime | None
    shadow_from: datetime | None
    activate_at: datetime | None
    activation_id: int | None
    note: str
    created_at: datetime
    changed_at: datetime

    @property
    def texts(self) -> tuple[PolicyText, ...]:
        """All policies that would be in force, as the engine takes them."""
        tier = next(tier for tier in TIERS if tier == self.tier)
        return tuple(
            PolicyText(PolicyRef(tier, self.owner, name, revision_of(cedar)), cedar)
            for name, cedar in sorted(self.policies.items())
        )

    @property
    def approvals(self) -> tuple[Said, ...]:
        """The approving reviews that count."""
        return tuple(said for said in self.reviews if said.is_current and said.verdict == "approve")

    def found(self, kind: str) -> Evidence | None:
        """Give the evidence of a kind, None where it was not collected for the present proposal."""
        return next((one for one in self.evidence if one.kind == kind), None)


def read_change(session: Session, policies: Policies, row: ChangeRequest) -> Change:
    """Put together what a row of the change request's table stands for."""
    base = policies.newest_of(session, row.tier, row.owner)
    old = _base(session, policies, row)
    proposed = policies.revisions_of(session, row.manifest.values())
    tests = policies.tests_of(session, row.tests.values())
    rows = session.scalars(
        select(ChangeEvidence)
        .where(ChangeEvidence.change_id == row.id, ChangeEvidence.run == row.evidence_run)
        .order_by(ChangeEvidence.id)
    ).all()
    said = session.scalars(select(Review).where(Review.change_id == row.id).order_by(Review.at)).all()
    return Change(
        id=row.id,
        tier=row.tier,
        owner=row.owner,
        title=row.title,
        reason=row.reason,
        ticket=row.ticket,
        author=row.author,
        contributors=tuple(row.contributors),
        state=row.state,
        version=row.version,
        base=row.base,
        is_base_moved=row.state in OPEN and (base.id if base else 0) != row.base,
        policies={name: revision.cedar_text for name, revision in proposed.items()},
        tests={name: json.loads(test.document) for name, test in tests.items()},
        edits=_edits(
            {name: one.cedar_text for name, one in old[0].items()},
            {name: one.cedar_text for name, one in proposed.items()},
        ),
        test_edits=_edits(
            {name: one.document for name, one in old[1].items()}, {name: one.document for name, one in tests.items()}
        ),
        evidence=tuple(
            Evidence(one.kind, one.is_passed, json.loads(one.result), one.sha256, one.engine_version, one.created_at)
            for one in rows
        ),
        evidence_sha256=row.evidence_sha256,
        widened=tuple(row.widened),
        reviewers_needed=reviewers_needed(row),
        reviews=tuple(
            Said(
                one.reviewer,
                one.verdict,
                one.comment,
                tuple(one.ticks),
                one.evidence_sha256,
                one.at,
                one.evidence_sha256 == row.evidence_sha256,
            )
            for one in said
        ),
        asked_at=row.asked_at,
        shadow_from=row.shadow_from,
        activate_at=row.activate_at,
        activation_id=row.activation_id,
        note=row.note,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )


def proposal_of(session: Session, policies: Policies, row: ChangeRequest) -> Proposal:
    """Give all that would be in force for a change request's tier and owner, to collect evidence about."""
    tier = cast("Tier", row.tier)
    documents = policies.tests_of(session, row.tests.values())
    return Proposal(
        tier,
        row.owner,
        tuple(text_of(one) for one in policies.revisions_of(session, row.manifest.values()).values()),
        tuple(stored_test(one.document, tier, row.owner) for one in documents.values()),
    )


def stored_test(document: str, tier: Tier, owner: str) -> PolicyTest:
    """Read a test as it is stored."""
    return read_test(json.loads(document), tier, owner)


def reviewers_needed(row: ChangeRequest) -> int:
    """How many people have to approve: guardrails and whatever widens need two."""
    return 2 if row.tier == "guardrail" or row.widened else 1


def evidence_digest(
    base: str, proposed: Sequence[PolicyRevision], tests: Sequence[PolicyTestRow], evidence: Mapping[str, str]
) -> str:
    """Hash what a review is bound to.

    Args:
        base: digest of the book in force that the evidence was collected against.
        proposed: all that would be in force for the tier and owner.
        tests: all that would stand beside it.
        evidence: kind → SHA-256 of its result.

    Returns:
        SHA-256, hexadecimal, over all of it as canonical JSON.
    """
    content = {
        "base": base,
        "policies": manifest_text(proposed),
        "tests": sorted([test.name, test.sha256] for test in tests),
        "evidence": dict(sorted(evidence.items())),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _base(
    session: Session, policies: Policies, row: ChangeRequest
) -> tuple[dict[str, PolicyRevision], dict[str, PolicyTestRow]]:

    base = session.get(Activation, row.base) if row.base else None
    if base is None:
        return {}, {}
    return policies.revisions_of(session, base.revisions), policies.tests_of(session, base.tests)


def _edits(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Edit, ...]:
    names = sorted({*old, *new})
    return tuple(Edit(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name))
