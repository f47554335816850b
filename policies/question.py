"""What is asked of the policies: who asks for which groups of which record, and why.

Every fact in it comes from a verified register or the gateway's clock, never from the text of the request; only
`groups`, `purpose` and `legal_basis` are the requester's words.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from policies.values import value

Fact = bool | str | datetime | frozenset[str]


@dataclass(frozen=True, slots=True)
class Agency:
    code: str
    kind: str
    jurisdictions: frozenset[str]
    suspended: bool


@dataclass(frozen=True, slots=True)
class Client:
    """A registered system; `units` are the parts of the asking agency it works for, `assurance` its level of proof."""

    id: str
    units: frozenset[str]
    assurance: int
    suspended: bool


@dataclass(frozen=True, slots=True)
class Record:
    """A record as policies see it: its digest for a name, and the facts of the catalogue, none of its fields.

    `sealed_groups` are those that act as sealed in this record alone (an order covers them, a state raises them), each
    with the reason code; they are withheld unless a sealed release was approved, whatever any policy says.
    """

    digest: str
    facts: Mapping[str, Fact]
    sealed_groups: Mapping[str, str] = field(default_factory=dict)
    beside: dict[Hashable, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """A place for what is derived from it, of a few books: it is asked about again, and forgotten with this."""


@dataclass(frozen=True, slots=True)
class CaseReference:
    """The case a request cites, as the register of cases knows it; `defendants` are keyed hashes of identifiers."""

    number: str
    jurisdiction: str
    active: bool
    verified: bool
    defendants: frozenset[str]


@dataclass(frozen=True, slots=True)
class Representation:
    """The right owner for whom an agency asks, as registers know it; `party` is a keyed hash."""

    party: str
    right_keys: frozenset[str]
    verified: bool


@dataclass(frozen=True, slots=True)
class Delegation:
    """The mandate under which one agency's client asks on behalf of another agency."""

    supplier: str
    active: bool
    covers_purpose: bool


@value
class Question:
    """One question to a book of policies.

    `asking` is the agency on whose behalf the client asks. `supplier` is the agency that runs the client when that is
    another one, and then `delegation` says by which mandate. `record` is None before the holder was called.
    No `groups` means all groups of the record type.
    """

    client: Client
    asking: Agency
    supplier: Agency | None
    holder: Agency
    source: str
    record_type: str
    record: Record | None
    groups: frozenset[str]
    purpose: str
    legal_basis: str
    mode: str
    now: datetime
    approvals: frozenset[str]
    case_reference: CaseReference | None
    representing: Representation | None
    delegation: Delegation | None
    overdue_acknowledgements: int = 0
    """Recalls of which the asking agency was told and has not acknowledged in time, whoever called back."""

    def about(self, record: Record, representing: Representation | None) -> "Question":
        """Give the same question once its record is known; written out, for `replace` looks at each field anew."""
        return Question(
            self.client,
            self.asking,
            self.supplier,
            self.holder,
            self.source,
            self.record_type,
            record,
            self.groups,
            self.purpose,
            self.legal_basis,
            self.mode,
            self.now,
            self.approvals,
            self.case_reference,
            representing,
            self.delegation,
            self.overdue_acknowledgements,
        )
