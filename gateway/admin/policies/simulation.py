"""A made-up request as a question to the engine: what would happen if this agency asked for such a record."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from policies.engine import Agency, CaseReference, Client, Question, Representation
from policies.matrix import ASSURANCE, plain_record
from policies.schema import Catalogue

SOME_CASE: Final = "some case"
SOME_RIGHT: Final = "some right"
SOMEBODY: Final = "somebody"
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands until who asks the engine sets the time."""
MARKS: Final = ("sealed", "unpublished", "deferred", "notified", "under_appeal", "final", "consent_all")
"""Facts of a record that are true or not."""


@dataclass(frozen=True, slots=True)
class Supposition:
    """What is supposed about a request and its record.

    `case`: empty, `cited` (verified and open), `named` (the record names it too), `defendant` (a defendant of it is a
    party of the record). `owner`: empty, `represented`, `right` (and the record is about a right of that owner).
    """

    asking: str
    holder: str
    record_type: str
    purpose: str
    groups: frozenset[str] = frozenset()
    stage: str = "unknown"
    status: str = "active"
    marks: frozenset[str] = frozenset()
    case: str = ""
    owner: str = ""
    approvals: frozenset[str] = frozenset()
    mode: str = "single"


def question(supposition: Supposition, agencies: Mapping[str, Agency], source: str, catalogue: Catalogue) -> Question:
    """Make the question of a supposition; everything about the record that is not said is as plain as can be."""
    asking, holder = agencies[supposition.asking], agencies[supposition.holder]
    record = plain_record(catalogue, holder)
    facts = {
        **record.facts,
        "stage": supposition.stage,
        "status": supposition.status,
        **{mark: mark in supposition.marks for mark in MARKS},
    }
    if supposition.case == "named":
        facts["case_numbers"] = frozenset({SOME_CASE})
    if supposition.case == "defendant":
        facts["parties"] = frozenset({SOMEBODY})
    if supposition.owner == "right":
        facts["right_keys"] = frozenset({SOME_RIGHT})
    jurisdiction = min(asking.jurisdictions, default="")
    return Question(
        client=Client("simulation", frozenset(), ASSURANCE, suspended=False),
        asking=asking,
        supplier=None,
        holder=holder,
        source=source,
        record_type=supposition.record_type,
        record=replace(record, facts=facts),
        groups=supposition.groups,
        purpose=supposition.purpose,
        legal_basis="",
        mode=supposition.mode,
        now=LONG_AGO,
        approvals=supposition.approvals,
        case_reference=CaseReference(
            SOME_CASE, jurisdiction, active=True, verified=True, defendants=frozenset({SOMEBODY})
        )
        if supposition.case
        else None,
        representing=Representation(SOMEBODY, frozenset({SOME_RIGHT}), verified=True) if supposition.owner else None,
        delegation=None,
    )
