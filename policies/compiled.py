"""One policy as the engine uses it: what it covers, what it obliges to, and its tree. No condition is analysed here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.cedar import PolicyTree, policy_tree
from policies.documents import instant_text
from policies.obligations import Obligations, UnknownObligation, read
from policies.reference import CODE, PolicyRef, PolicyText, TemplateLink
from policies.schema import COMMON_ACTIONS, Catalogue, entity_type, parents

_APPROVAL = "IPX::Approval"


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """`actions` and `record_types` are all it can apply to by its scope; `approvals` those its conditions name."""

    ref: PolicyRef
    cedar: str
    tree: PolicyTree
    is_template: bool
    effect: str
    annotations: Mapping[str, str | None]
    obligations: Obligations | UnknownObligation
    actions: frozenset[str]
    record_types: frozenset[str]
    reads_action: bool
    reads_now: bool
    """Its answer may change by the passing of time alone."""
    approvals: frozenset[str]

    @property
    def reason(self) -> str:
        """The code a refusal by this policy carries."""
        return self.annotations.get("reason") or "forbidden"

    def is_about(self, record_type: str) -> bool:
        return record_type in self.record_types


def compile_policy(catalogue: Catalogue, text: PolicyText) -> CompiledPolicy:
    """Read one policy's text.

    Raises:
        PolicyTextError: the text is no single policy.
    """
    tree, is_template = policy_tree(text.cedar)
    annotations: Mapping[str, str | None] = tree.get("annotations", {})
    nodes = list(_nodes(tree["conditions"]))
    return CompiledPolicy(
        ref=text.ref,
        cedar=text.cedar,
        tree=tree,
        is_template=is_template,
        effect=tree["effect"],
        annotations=annotations,
        obligations=read(annotations),
        actions=_actions(catalogue, tree["action"]),
        record_types=_record_types(catalogue, tree["resource"]),
        reads_action="action" in variables(tree["conditions"]),
        reads_now=_reads_now(nodes),
        approvals=frozenset(node["id"] for node in nodes if node.get("type") == _APPROVAL and "id" in node),
    )


def _reads_now(nodes: list[Mapping[str, Any]]) -> bool:
    """Tell whether conditions read the time: by its name, or by taking the context as a whole."""
    context = {"Var": "context"}
    members = [
        inner
        for node in nodes
        for inner in (node.get("."), node.get("has"))
        if isinstance(inner, dict) and inner.get("left") == context
    ]
    return any(inner.get("attr") == "now" for inner in members) or len(members) < nodes.count(context)


def compile_link(template: CompiledPolicy, link: TemplateLink) -> CompiledPolicy:
    """Fill a template's slots.

    The time of validity becomes a condition on the gateway's clock, so that a book need not be rebuilt when an
    agreement begins or ends.

    Raises:
        ValueError: the agency's code is malformed, or a source is given without a slot for it, or the other way round.
    """
    has_source_slot = "slot" in _slot_of(template.tree["resource"])
    if CODE.fullmatch(link.agency) is None or has_source_slot != (link.source is not None):
        raise ValueError("agency or source does not fit the template's slots")
    clock = {".": {"left": {"Var": "context"}, "attr": "now"}}
    valid = {
        "&&": {
            "left": {"<=": {"left": _instant(instant_text(link.valid_from)), "right": clock}},
            "right": {"<": {"left": clock, "right": _instant(instant_text(link.valid_until))}},
        }
    }
    tree = {
        **template.tree,
        "principal": _filled(template.tree["principal"], "IPX::Agency", link.agency),
        "resource": _filled(template.tree["resource"], "IPX::Source", link.source or ""),
        "conditions": [{"kind": "when", "body": valid}, *template.tree["conditions"]],
    }
    return CompiledPolicy(
        ref=template.ref,
        cedar=template.cedar,
        tree=tree,
        is_template=False,
        effect=template.effect,
        annotations=template.annotations,
        obligations=template.obligations,
        actions=template.actions,
        record_types=template.record_types,
        reads_action=template.reads_action,
        reads_now=True,
        approvals=template.approvals,
    )


def _actions(catalogue: Catalogue, scope: Mapping[str, Any]) -> frozenset[str]:
    """The actions a scope covers, seen through the classes the groups stand in."""
    above = _Above.of(catalogue)
    if scope["op"] == "All":
        return above.everything
    named = {entity["id"] for entity in scope.get("entities", [scope.get("entity")])}
    if scope["op"] == "==":
        return above.everything & named
    return frozenset().union(*(above.below.get(name, ()) for name in named))


class _Above:
    """Which actions stand below which; kept for the catalogue that was asked about last."""

    _last: "_Above | None" = None

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        below = {action: {action} for action in COMMON_ACTIONS}
        for known in catalogue.record_types:
            for group in known.groups:
                for over in (group.name, *parents(group)):
                    below.setdefault(over, set()).add(group.name)
        self.below = {over: frozenset(actions) for over, actions in below.items()}
        groups = (group.name for known in catalogue.record_types for group in known.groups)
        self.everything = frozenset((*COMMON_ACTIONS, *groups))

    @classmethod
    def of(cls, catalogue: Catalogue) -> "_Above":
        last = cls._last
        if last is None or last.catalogue is not catalogue:
            last = cls._last = cls(catalogue)
        return last


def _record_types(catalogue: Catalogue, scope: Mapping[str, Any]) -> frozenset[str]:
    """The record types a scope leaves possible; a scope that names none leaves all."""
    cedar_type = scope.get("entity_type") or (scope.get("entity", {}).get("type") if scope["op"] == "==" else None)
    names = {f"IPX::{entity_type(known.name)}": known.name for known in catalogue.record_types}
    if cedar_type is None:
        return frozenset(names.values())
    return frozenset({names[cedar_type]}) if cedar_type in names else frozenset()


def variables(conditions: Any) -> frozenset[str]:
    """Which of `principal`, `action`, `resource` and `context` conditions in Cedar's JSON form read."""
    return frozenset(node["Var"] for node in _nodes(conditions) if isinstance(node.get("Var"), str))


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _slot_of(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a scope names an entity or a slot: in itself, or below `is … in …`."""
    below: Mapping[str, Any] = scope.get("in", scope)
    return below


def _filled(scope: Mapping[str, Any], cedar_type: str, identifier: str) -> Mapping[str, Any]:
    if "slot" not in _slot_of(scope):
        return scope
    filled = {"entity": {"type": cedar_type, "id": identifier}}
    if "in" in scope:
        return {**scope, "in": filled}
    return {"op": scope["op"], **filled}


def _instant(text: str) -> Mapping[str, Any]:
    return {"datetime": [{"Value": text}]}
