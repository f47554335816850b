"""What may stand in a policy of a tier and owner, beyond what Cedar's validation asks for.

The text gate comes first, then the parser; what needs an analysis of conditions (never true, shadowed) is not here.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cedarpy import pst

from policies import cedar
from policies.gate import Finding, gate
from policies.obligations import DESCRIPTIVE, UnknownObligation, read
from policies.reference import CODE, GATEWAY_AUTHORITY, Tier
from policies.schema import COMMON_ACTIONS, Catalogue, cedar_schema, entity_type
from policies.syntax import approvals_against, nodes

__all__ = ["Finding", "gate", "lint"]

_REASON = re.compile(r"[a-z][a-z0-9_]*")


def lint(cedar_text: str, tier: Tier, owner: str, catalogue: Catalogue) -> tuple[Finding, ...]:
    """Give all findings on a policy's text; without an `error` among them it may be activated.

    Args:
        cedar_text: the text, one policy or template. Text from outside was in `policies.untrusted` before.
        tier: the tier it is meant for.
        owner: whose policy it is to be.
        catalogue: the catalogue its schema comes from.
    """
    findings = gate(cedar_text)
    if findings:
        return findings
    try:
        tree = cedar.parse(cedar_text)
    except cedar.PolicyTextError as error:
        return (Finding("syntax", str(error)),)
    found = [*tree.static_policies.values(), *tree.templates.values()]
    if len(found) != 1:
        return (Finding("not_one_policy", f"a text holds one policy, this one {len(found)}"),)
    problems = cedar.problems(cedar_text, _schema(catalogue))
    if problems:
        return tuple(Finding("not_valid", problem) for problem in problems)
    policy = found[0]
    return (
        *_annotations(policy),
        *_tier(policy, tier, owner),
        *_scope(policy, tier, owner, catalogue),
        *_conditions(policy, tier, catalogue),
    )


@lru_cache(maxsize=4)
def _schema_of(text: str) -> Any:
    return cedar.read_schema(text)


def _schema(catalogue: Catalogue) -> Any:
    return _schema_of(cedar_schema(catalogue))


def _annotations(policy: pst.Template) -> Iterator[Finding]:
    written = policy.annotations
    if CODE.fullmatch(written.get("id", "")) is None:
        yield Finding("id", "@id is missing or malformed")
    if policy.effect == "permit" and not written.get("legal_basis", "").strip():
        yield Finding("legal_basis", "a permit names its @legal_basis")
    if policy.effect == "forbid" and _REASON.fullmatch(written.get("reason", "")) is None:
        yield Finding("reason", "a forbid gives its @reason as a code in small letters")
    obligations = read(written)
    if isinstance(obligations, UnknownObligation):
        yield Finding("obligation", f"@{obligations.annotation} is unknown or has a value it cannot have")
    elif policy.effect == "forbid" and not DESCRIPTIVE.issuperset(written):
        yield Finding("obligation_on_forbid", "obligations on a forbid oblige nobody", severity="warning")


def _tier(policy: pst.Template, tier: Tier, owner: str) -> Iterator[Finding]:
    if CODE.fullmatch(owner) is None:
        yield Finding("owner", "the owner's code is malformed")
    if tier == "guardrail" and policy.effect != "forbid":
        yield Finding("guardrail_permits", "a guardrail forbids only")
    if tier == "guardrail" and owner != GATEWAY_AUTHORITY:
        yield Finding("owner", f"guardrails belong to {GATEWAY_AUTHORITY}")


def _scope(policy: pst.Template, tier: Tier, owner: str, catalogue: Catalogue) -> Iterator[Finding]:
    if isinstance(policy.principal, pst.ScopeEq) or isinstance(policy.resource, pst.ScopeEq):
        yield Finding("one_entity", "a policy is not about one client or one record")
    for agency in _agencies(policy.resource):
        if tier == "holder" and agency != owner:
            yield Finding("foreign_records", f"the scope names records of {agency}")
    for agency in _agencies(policy.principal):
        if tier == "egress" and agency != owner:
            yield Finding("foreign_clients", f"the scope names clients of {agency}")
    if tier == "holder" and policy.effect == "permit":
        yield from _granted_groups(policy, catalogue)


def _agencies(scope: pst.PrincipalOrResourceConstraint) -> Iterator[str]:
    match scope:
        case pst.ScopeIn(pst.EntityUid(pst.EntityType("Agency"), code)) | pst.ScopeIsIn(
            _, pst.EntityUid(pst.EntityType("Agency"), code)
        ):
            yield code
        case _:
            pass


def _granted_groups(policy: pst.Template, catalogue: Catalogue) -> Iterator[Finding]:
    """A holder's permit lists groups one by one, all of the type it is about: new groups stay hidden."""
    scoped = policy.resource.entity_type if isinstance(policy.resource, pst.ScopeIs | pst.ScopeIsIn) else None
    known = next((one for one in catalogue.record_types if scoped and entity_type(one.name) == scoped.basename), None)
    match policy.action:
        case pst.ScopeAny():
            yield Finding("bare_action", "a permit lists the groups it grants")
            return
        case pst.ActionEq(entity):
            names = [entity.id]
        case pst.ActionIn(entities):
            names = [entity.id for entity in entities]
    if known is None:
        yield Finding("no_record_type", "a permit says which record type it is about (resource is …)")
        return
    groups = {*COMMON_ACTIONS, *(group.name for group in known.groups)}
    for name in names:
        if name == "disclose" or name.startswith("class."):
            yield Finding("class_granted", f"a permit lists groups, not the class {name}")
        elif name not in groups:
            yield Finding("foreign_group", f"{name} is no group of {known.name}: this grant is dead")


def _conditions(policy: pst.Template, tier: Tier, catalogue: Catalogue) -> Iterator[Finding]:
    optional = {fact.name for fact in catalogue.facts if fact.is_optional}
    for node in nodes(policy.clauses):
        match node:
            case pst.GetAttr(base=pst.Var(name="resource"), attr=name) if tier == "guardrail" and name in optional:
                yield Finding(
                    "optional_fact", f"a guardrail cannot rest on {name}: where it is absent nothing is forbidden"
                )
            case pst.HasAttr(base=pst.Var(name="resource")) if tier == "guardrail":
                yield Finding("optional_fact", "a guardrail cannot rest on a fact that may be absent")
            case pst.Like(pattern=pattern) if all(isinstance(element, pst.Wildcard) for element in pattern):
                yield Finding("like_anything", 'like "*" is true of anything')
            case pst.BinaryOp(op="add" | "sub" | "mul") | pst.UnaryOp(op="neg"):
                yield Finding("arithmetic", "arithmetic can overflow, and a failing policy is skipped")
            case pst.EntityLit(value=value) if _is_one_entity(value, catalogue):
                yield Finding("one_entity", "a policy is not about one client or one record")
    for clause in policy.clauses:
        if approvals_against(clause.expr, is_positive=isinstance(clause, pst.When) == (policy.effect == "permit")):
            yield Finding(
                "approval_refuses", "an approval may only release, and only context.approvals.contains… asks for one"
            )


def _is_one_entity(value: pst.EntityUid, catalogue: Catalogue) -> bool:
    return value.type.basename in {"Client", *(entity_type(known.name) for known in catalogue.record_types)}
