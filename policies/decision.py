"""What the policies answer: a release of some groups, a denial, or a denial that an approval would change."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

from policies.obligations import Obligations
from policies.reference import PolicyRef

Refuser = Literal["guardrail", "holder", "egress", "error"]

NOT_GRANTED = "not_granted"
"""No policy of the holder lets this go."""

EGRESS_NOT_GRANTED = "egress_not_granted"
"""The holder would; no policy of the asking agency lets its client ask for it."""

NO_EGRESS = "no_egress"
"""The asking agency has no egress policies in force at all."""

PERSONAL_NOT_GRANTED = "personal_not_granted"
"""The group is granted, but it holds data on individuals and `personal` is not."""

UNKNOWN_OBLIGATION = "unknown_obligation"
"""The permit that would decide carries an obligation nobody can keep."""

NOTHING_DISCLOSED = "nothing_disclosed"
"""None of the groups asked for goes, for more than one reason: see `withheld`."""

FORBIDDEN = "forbidden"
"""A forbid decided that carries no `@reason`; the lint lets none be activated."""

POLICY_FAILED = "policy_failed"
"""A policy could not be evaluated; Cedar would have skipped it, and a skipped forbid is a release."""

OUTSIDE_CATALOGUE = "outside_catalogue"
"""Type, group, fact, purpose or another part of the question is not one the catalogue or the schema knows."""

REASONS = frozenset(
    {
        NOT_GRANTED,
        EGRESS_NOT_GRANTED,
        NO_EGRESS,
        PERSONAL_NOT_GRANTED,
        UNKNOWN_OBLIGATION,
        NOTHING_DISCLOSED,
        FORBIDDEN,
        POLICY_FAILED,
        OUTSIDE_CATALOGUE,
    }
)
"""The engine's own reason codes; every other code is the `@reason` of a forbid in the book."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A group that was asked for and does not go; `by` names the policies that kept it back, if any did."""

    group: str
    reason: str
    by: tuple[PolicyRef, ...]


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer rests on: the deciding policies, the permits a forbid overrode, the book and the engine."""

    by: tuple[PolicyRef, ...]
    overridden: tuple[PolicyRef, ...]
    book: str
    engine_version: str


@dataclass(frozen=True, slots=True)
class Release:
    disclosed: frozenset[str]
    withheld: tuple[Withheld, ...]
    obligations: Obligations
    basis: Basis
    beside: dict[Hashable, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """A place for what is derived from it: a remembered decision (`policies.remembered`) is acted on again."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Nothing goes. `refused_by` is `error` when the question could not be decided: that is an alarm.

    `may_acknowledge` is False when the refusal must look like "no such record". It is True when the requester may learn
    that the record exists, and when the refusal was certain without any record, for then it tells nothing of one.
    """

    refused_by: Refuser
    reason: str
    may_acknowledge: bool
    basis: Basis
    withheld: tuple[Withheld, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """Each set of `approvals` would turn the denial into a release, and no smaller set would."""

    approvals: tuple[frozenset[str], ...]
    denial: Denial


Decision = Release | Denial | Pending
