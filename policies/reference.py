"""How a policy is named: its tier, its owner, its id, and the revision of its text."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Tier = Literal["guardrail", "holder", "egress"]
TIERS: tuple[Tier, ...] = get_args(Tier)

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{1,62}")
"""Agency codes and policy ids (fullmatch, compared exactly)."""

GATEWAY_AUTHORITY = "gateway"
"""Owner of every guardrail."""

_WRITTEN = re.compile(rf"(guardrail|holder|egress)/({CODE.pattern})/({CODE.pattern})@([0-9a-f]{{8}})")


@dataclass(frozen=True, slots=True, order=True)
class PolicyRef:
    """One revision of one policy, written `tier/owner/policy_id@revision`; the revision is `revision_of` its text."""

    tier: Tier
    owner: str
    policy_id: str
    revision: str

    def __str__(self) -> str:
        return f"{self.tier}/{self.owner}/{self.policy_id}@{self.revision}"


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The Cedar text people sign, hash and compare; every other form is derived from it."""

    ref: PolicyRef
    cedar: str


@dataclass(frozen=True, slots=True)
class TemplateLink:
    """A standard agreement put into force: a template's slots filled with an agency and, if it has that slot, a source.

    Outside `valid_from` (inclusive) to `valid_until` (exclusive) the agreement grants and forbids nothing.
    """

    template: PolicyRef
    agency: str
    source: str | None
    valid_from: datetime
    valid_until: datetime


def revision_of(cedar: str) -> str:
    """The first 8 hexadecimal digits of the SHA-256 of a policy's text in UTF-8."""
    return hashlib.sha256(cedar.encode()).hexdigest()[:8]


def read_ref(text: str) -> PolicyRef | None:
    """The reverse of `str(ref)`; None for any other text."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    tier, owner, policy_id, revision = match.groups()
    return PolicyRef(next(known for known in TIERS if known == tier), owner, policy_id, revision)
