"""The facts a policy's rows may speak of, with their kinds: what the form offers, and how a value is read."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from policies.schema import Catalogue

_REQUEST: Final = {
    "context.purpose": "Purpose",
    "context.mode": "Mode",
    "context.now": "datetime",
    "context.legal_basis": "String",
    "context.approvals": "Set<Approval>",
    "context.overdue_acknowledgements": "Long",
    "context.case_reference": "given",
    "context.case_reference.verified": "Bool",
    "context.case_reference.active": "Bool",
    "context.case_reference.number": "String",
    "context.case_reference.jurisdiction": "Jurisdiction",
    "context.case_reference.defendants": "Set<PartyKey>",
    "context.representing": "given",
    "context.representing.verified": "Bool",
    "context.representing.party": "PartyKey",
    "context.representing.right_keys": "Set<String>",
    "context.delegation": "given",
    "context.delegation.active": "Bool",
    "context.delegation.covers_purpose": "Bool",
    "context.delegation.supplier": "Agency",
    "context.delegation.supplier.kind": "AgencyKind",
    "context.delegation.supplier.suspended": "Bool",
    "principal.agency": "Agency",
    "principal.agency.kind": "AgencyKind",
    "principal.agency.jurisdictions": "Set<Jurisdiction>",
    "principal.agency.suspended": "Bool",
    "principal.assurance": "Long",
    "principal.suspended": "Bool",
}
"""As the schema has them; `given` is a part of the context that may be absent."""


@lru_cache(maxsize=4)
def fact_kinds(catalogue: Catalogue) -> Mapping[str, str]:
    """Give every fact a row may begin with, as written in Cedar, and its kind."""
    kinds = dict(_REQUEST)
    for fact in catalogue.facts:
        kinds[f"resource.{fact.name}"] = fact.kind
        if fact.kind == "Agency":
            kinds[f"resource.{fact.name}.kind"] = "AgencyKind"
            kinds[f"resource.{fact.name}.suspended"] = "Bool"
    return kinds
