"""From a decision to what leaves: only the disclosures of allowed groups, and for each other group the reason."""

from collections.abc import Mapping
from typing import Any

from gateway.exchange.outcomes import NO_INFORMATION, Denied, Released, Withheld
from gateway.exchange.sealing import SealedRecord
from policies.engine import Denial, Pending, Release
from policies.engine import Withheld as PolicyWithheld

TOO_FEW_ROWS = "too_few_rows"
"""The policies release such records only together with so many others."""
UNSUPPORTED = frozenset({"encrypt"})
"""Obligations that must be met before the answer leaves and that this version cannot meet: the answer is a denial."""


def release(sealed: SealedRecord, decision: Release, snapshot: bytes) -> Released | Denied:
    """Redact a record to the groups that the policies disclose."""
    groups = decision.disclosed
    ordered, obligations = _stated(decision)
    if UNSUPPORTED & obligations.keys():
        return Denied("unsupported_obligation", ordered, snapshot)
    if (decision.obligations.min_count or 1) > 1:
        return Denied(TOO_FEW_ROWS, ordered, snapshot)
    if not groups:
        return Denied("nothing_disclosed", ordered, snapshot)
    disclosures, disclosed = sealed.presented(groups)
    return Released(
        issuer_jwt=sealed.issued.jwt,
        disclosures=disclosures,
        disclosed=disclosed,
        sealed_by=sealed.sealed_by,
        withheld=ordered,
        obligations=obligations,
        snapshot=snapshot,
    )


def _stated(decision: Release) -> tuple[tuple[Withheld, ...], Mapping[str, Any]]:
    """Say what every release by this decision withholds, in order, and what it obliges to; found once, and shared."""
    stated: tuple[tuple[Withheld, ...], Mapping[str, Any]] | None = decision.beside.get("stated")
    if stated is None:
        ordered = sorted(map(withheld, decision.withheld), key=lambda item: item.group)
        stated = decision.beside["stated"] = tuple(ordered), decision.obligations.document()
    return stated


def denied(decision: Denial | Pending, snapshot: bytes) -> Denied:
    """Turn a policy's refusal into an outcome; where not even the record's existence may be told, it says nothing."""
    denial = decision.denial if isinstance(decision, Pending) else decision
    if not denial.may_acknowledge:
        return Denied(NO_INFORMATION, snapshot=snapshot)
    return Denied(denial.reason, tuple(withheld(item) for item in denial.withheld), snapshot)


def withheld(item: PolicyWithheld) -> Withheld:
    return Withheld(item.group, item.reason, str(item.by[0]) if item.by else None)
