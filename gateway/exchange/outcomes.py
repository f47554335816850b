"""How an exchange can end. All are values: a refusal is an outcome with a receipt, not an exception."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Stage = Literal["policy", "holder", "verify", "sign", "log"]

NO_INFORMATION = "no_information"
"""The one reason for "no such record" and "you may not learn whether there is": the two look alike everywhere."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A field group that was asked for and is not in the answer."""

    group: str
    reason: str
    policy: str | None
    """The policy that decided, `<tier>/<owner>/<id>@<revision>`; None where no policy grants the group."""


@dataclass(frozen=True, slots=True)
class Released:
    presentation: str
    """The record as an SD-JWT with the released disclosures."""
    sealed_by: Literal["holder", "gateway"]
    disclosed: tuple[str, ...]
    """Digests of the released disclosures, sorted."""
    withheld: tuple[Withheld, ...]
    obligations: Mapping[str, Any]
    snapshot: bytes
    """What the policy engine was asked, exactly; kept encrypted for replay."""


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


Outcome = Released | Denied | Failed


def name_of(outcome: Outcome) -> Literal["released", "denied", "failed"]:
    match outcome:
        case Released():
            return "released"
        case Denied():
            return "denied"
        case Failed():
            return "failed"


def problem_of(outcome: str, stage: str | None, reason: str | None) -> str | None:
    """Give the problem kind (`gateway/web/problem.py`) with which an outcome is answered; None for a release."""
    if outcome == "released":
        return None
    if outcome == "denied":
        return "no-information" if reason == NO_INFORMATION else "denied"
    if reason in _FAILED_BY_REASON:
        return _FAILED_BY_REASON[reason]
    return _FAILED_AT.get(stage or "", "log-unavailable")


_FAILED_BY_REASON = {"interrupted": "interrupted", "timeout": "holder-timeout"}
_FAILED_AT = {"holder": "holder-failed", "verify": "holder-failed", "policy": "policy-unavailable"}
