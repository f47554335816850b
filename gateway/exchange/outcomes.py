"""How an exchange can end. All are values: a refusal is an outcome with a receipt, not an exception."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ipx.values import value

Stage = Literal["policy", "holder", "verify", "sign", "log"]

NO_INFORMATION = "no_information"
"""The one reason for "no such record" and "you may not learn whether there is": the two look alike everywhere."""

RECALLED = "record_recalled"
"""The holder called the record back while it was being asked for: whoever asks again gets what is true then."""


@value
class Withheld:
    """A field group that was asked for and is not in the answer."""

    group: str
    reason: str
    policy: str | None
    """The policy that decided, `<tier>/<owner>/<id>@<revision>`; None where no policy grants the group."""


@value
class Released:
    issuer_jwt: str
    """The record's signed part: an SD-JWT before its first `~`."""
    disclosures: tuple[str, ...]
    """Those that are released."""
    disclosed: tuple[str, ...]
    """Their digests, in order."""
    sealed_by: Literal["holder", "gateway"]
    withheld: tuple[Withheld, ...]
    obligations: Mapping[str, Any]
    snapshot: bytes
    """What the policy engine was asked, exactly; kept encrypted for replay."""
    approvals: tuple[str, ...] = ()
    """Granted by officers of the holder, and facts of the decision."""

    @property
    def presentation(self) -> str:
        """The record as an SD-JWT with the released disclosures."""
        return "~".join((self.issuer_jwt, *self.disclosures, ""))


@value
class ReleasedRecord:
    """One of the records that answer a query."""

    name: str
    presentation: str
    withheld: tuple[Withheld, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Records of a query that release nothing, and of which the requester may know that they exist."""

    reason: str
    count: int


@value
class ReleasedRecords:
    """A page of records, in the order of their keys, and what is to be said of those that are not in it."""

    records: tuple[ReleasedRecord, ...]
    sealed_by: Literal["holder", "gateway"]
    obligations: Mapping[str, Any]
    """The heaviest of all records'."""
    next: str | None
    """Name of the last record where there are more; None: there are no more."""
    refused: tuple[Refused, ...]
    unreadable: int
    """Records of the source that could not be read, and so could not be decided."""
    snapshot: bytes

    @property
    def presentation(self) -> str:
        """All records as signed evidence holds them: each on a line of its own."""
        return "\n".join(record.presentation for record in self.records)

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What is withheld from one record or more, each group and reason once."""
        found = {(item.group, item.reason): item for record in self.records for item in record.withheld}
        return tuple(found[key] for key in sorted(found))

    def page(self) -> dict[str, Any]:
        """Say what the page is of the whole, as answer and receipt do."""
        return {
            "complete": self.next is None,
            "next": self.next,
            "refused": [{"reason": item.reason, "count": item.count} for item in self.refused],
            "unreadable": self.unreadable,
        }


@dataclass(frozen=True, slots=True)
class Denied:
    reason: str
    withheld: tuple[Withheld, ...] = ()
    snapshot: bytes = b""

    @property
    def is_silent(self) -> bool:
        """Even the record's existence is not told."""
        return self.reason == NO_INFORMATION


@dataclass(frozen=True, slots=True)
class Failed:
    """The work broke at `stage`; `reason` is a word from a closed list, never a holder's own text."""

    stage: Stage
    reason: str
    snapshot: bytes = field(default=b"")


@dataclass(frozen=True, slots=True)
class ApprovalWanted:
    """One approval that a pending exchange waits for."""

    approval: str
    quorum: int
    """How many officers of the holder must grant it."""
    groups: tuple[str, ...]
    """What would be released with it, and with what it needs beside it."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Nothing goes yet; officers of the holder may change that. Told only to who may know of the record."""

    reason: str
    """Why it was not released at once."""
    withheld: tuple[Withheld, ...]
    approvals: tuple[tuple[str, ...], ...]
    """Each of these sets would release something, and no smaller one would."""
    wanted: tuple[ApprovalWanted, ...]
    until: datetime
    record_digest: str
    """Hexadecimal: an approval is void once the record is another one."""
    policies: str
    """Hexadecimal, of all policies that can bear on the decision: an approval is void once one of them changed."""
    why: Mapping[str, Any]
    """The decision explained to the holder's officers; may hold facts of the record."""
    snapshot: bytes

    def promise(self) -> dict[str, Any]:
        """Say what the requester may count on, as answer and receipt do."""
        return {
            "waiting_for": "approval",
            "approvals_needed": [list(names) for names in self.approvals],
            "until": f"{self.until:%Y-%m-%dT%H:%M:%SZ}",
        }


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The requester took a pending request back."""

    snapshot: bytes = field(default=b"")


Outcome = Released | ReleasedRecords | Denied | Failed | Pending | Withdrawn


def name_of(outcome: Outcome) -> Literal["released", "denied", "failed", "pending", "withdrawn"]:
    match outcome:
        case Released() | ReleasedRecords():
            return "released"
        case Denied():
            return "denied"
        case Failed():
            return "failed"
        case Pending():
            return "pending"
        case Withdrawn():
            return "withdrawn"


def problem_of(outcome: str, stage: str | None, reason: str | None) -> str | None:
    """Give the problem kind (`gateway/web/problem.py`) with which an outcome is answered; None where it is none."""
    if outcome in NO_PROBLEM:
        return None
    if outcome == "denied":
        return "no-information" if reason == NO_INFORMATION else "denied"
    if reason in _FAILED_BY_REASON:
        return _FAILED_BY_REASON[reason]
    return _FAILED_AT.get(stage or "", "log-unavailable")


NO_PROBLEM = frozenset({"released", "pending", "withdrawn"})
_FAILED_BY_REASON = {"interrupted": "interrupted", "timeout": "holder-timeout"}
_FAILED_AT = {"holder": "holder-failed", "verify": "holder-failed", "policy": "policy-unavailable"}
