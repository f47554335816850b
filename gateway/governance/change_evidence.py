"""Evidence as it is kept with the change request that it is about, and bound to it by one digest."""

from datetime import datetime

from sqlalchemy.orm import Session

from gateway.governance.evidence import Collected
from gateway.governance.models import ChangeEvidence, ChangeRequest
from gateway.governance.proposals import evidence_digest
from gateway.governance.service import Policies
from policies.engine import ENGINE_VERSION


def keep_evidence(
    policies: Policies, session: Session, row: ChangeRequest, collected: Collected, at: datetime
) -> tuple[str, bool]:
    """Keep collected evidence with a change request: it is `checked` where all of it passes, and a draft where not.

    Args:
        policies: gives what the request proposes.
        session: its transaction.
        row: the request as the evidence was collected about it.
        collected: the evidence.
        at: when.

    Returns:
        the digest that reviews of it name (`evidence_digest`), and whether all of it passes.
    """
    hashes = {}
    for one in collected.kinds:
        session.add(
            ChangeEvidence(
                change_id=row.id,
                run=row.version,
                kind=one.kind,
                engine_version=ENGINE_VERSION,
                is_passed=one.is_passed,
                result=one.result,
                sha256=one.sha256,
                created_at=at,
            )
        )
        hashes[one.kind] = one.sha256
    proposed = policies.revisions_of(session, row.manifest.values())
    tests = policies.tests_of(session, row.tests.values())
    digest = evidence_digest(collected.book, list(proposed.values()), list(tests.values()), hashes)
    is_passed = all(one.is_passed for one in collected.kinds)
    row.evidence_run = row.version
    row.evidence_sha256 = digest if is_passed else None
    row.widened = list(collected.widened)
    row.asked_at = None
    row.state, row.note = ("checked", "") if is_passed else ("draft", "the evidence does not pass")
    return digest, is_passed
