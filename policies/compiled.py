"""One policy as the engine uses it: what it covers, what it reads, what it obliges to. No condition is analysed here.

Ten thousand of these stay in memory: the tree is kept as text, and what many have in common is kept once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

from policies.cedar import PolicyTree, policy_tree
from policies.documents import instant_text
from policies.obligations import Obligations, UnknownObligation, read
from policies.reference import CODE, PolicyRef, PolicyText, TemplateLink
from policies.schema import COMMON_ACTIONS, Catalogue, entity_type, parents

_APPROVAL = "IPX::Approval"
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """`actions` and `record_types` are all it can apply to by its scope; `approvals` those its conditions name.

    `tree_text` is Cedar's JSON form, without the annotations. `asker` is the agency whose clients alone it can apply to
    by its scope; None: the scope leaves it open. `reads` names what the answer may depend on besides the
    scope: `<variable>.<member>`, or the variable alone where its value as a whole matters.
    """

    ref: PolicyRef
    cedar: str
    tree_text: str
    is_template: bool
    effect: str
    annotations: Mapping[str, str | None]
    obligations: Obligations | UnknownObligation
    asker: str | None
    actions: frozenset[str]
    record_types: frozenset[str]
    reads: frozenset[str]
    approvals: frozenset[str]

    @property
    def tree(self) -> PolicyTree:
        """The tree, read anew each time: whoever walks it often keeps it."""
        tree: PolicyTree = json.loads(self.tree_text)
        return tree

    @property
    def reads_action(self) -> bool:
        return "action" in self.reads

    @property
    def reason(self) -> str:
        """The code a refusal by this policy carries."""
        return self.annotations.get("reason") or "forbidden"

    def is_about(self, record_type: str) -> bool:
        return record_type in self.record_types

    def is_for(self, asking: str) -> bool:
        """Tell whether its scope leaves open that clients which ask for an agency are meant."""
        return self.asker is None or self.asker == asking


def compile_policy(catalogue: Catalogue, text: PolicyText) -> CompiledPolicy:
    """Read one policy's text.

    Raises:
        PolicyTextError: the text is no single policy.
    """
    tree, is_template = policy_tree(text.cedar)
    annotations: Mapping[str, str | None] = tree.get("annotations", {})
    return CompiledPolicy(
        ref=text.ref,
        cedar=text.cedar,
        tree_text=_tree_text(tree),
        is_template=is_template,
        effect=tree["effect"],
        annotations=annotations,
        obligations=_once(read(annotations)),
        asker=_asker(tree["principal"]),
        actions=_actions(catalogue, tree["action"]),
        record_types=_record_types(catalogue, tree["resource"]),
        reads=_reads(tree),
        approvals=_once(frozenset(_approvals(tree))),
    )


def _asker(scope: Mapping[str, Any]) -> str | None:
    """Read the agency below which a client has to stand: clients stand below the agency they ask for, and its units."""
    named = _slot_of(scope).get("entity")
    return _once(str(named["id"])) if named is not None and named["type"] == "IPX::Agency" else None


def _approvals(tree: PolicyTree) -> Iterator[str]:
    return (node["id"] for node in _nodes(tree["conditions"]) if node.get("type") == _APPROVAL and "id" in node)


def _tree_text(tree: PolicyTree) -> str:
    return json.dumps({**tree, "annotations": {}}, separators=(",", ":"))


def _reads(tree: PolicyTree) -> frozenset[str]:
    """Name what a policy reads; a scope over one record reads the record, other scopes nothing that can differ here."""
    found = {"resource"} if tree["resource"]["op"] == "==" else set()
    stack: list[Any] = [tree["conditions"]]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            member = _member(value)
            if member is not None:
                found.add(member)
            elif _asks_for_type(value):
                continue  # a slice holds one type of records
            elif isinstance(value.get("Var"), str):
                found.add(value["Var"])
            else:
                stack.extend(value.values())
    return _once(frozenset(found))


def _member(node: Mapping[str, Any]) -> str | None:
    """Give `<variable>.<member>` for an access to a variable's member, or the question whether it is there."""
    for operator in (".", "has"):
        access = node.get(operator)
        if isinstance(access, dict) and len(node) == 1 and isinstance(access.get("attr"), str):
            variable = access.get("left")
            if isinstance(variable, dict) and isinstance(variable.get("Var"), str):
                return f"{variable['Var']}.{access['attr']}"
    return None


def _asks_for_type(node: Mapping[str, Any]) -> bool:
    asked = node.get("is")
    return len(node) == 1 and isinstance(asked, dict) and asked.get("left") == {"Var": "resource"} and "in" not in asked


def _once(value: _Kind) -> _Kind:
    """Give the first of all equal values: many policies have the same one."""
    return cast("_Kind", _first(value))


@lru_cache(maxsize=4096)
def _first(value: Any) -> Any:
    return value


def compile_link(template: CompiledPolicy, link: TemplateLink) -> CompiledPolicy:
    """Fill a template's slots.

    The time of validity becomes a condition on the gateway's clock, so that a book need not be rebuilt when an
    agreement begins or ends.

    Raises:
        ValueError: the agency's code is malformed, or a source is given without a slot for it, or the other way round.
    """
    scopes = template.tree
    has_source_slot = "slot" in _slot_of(scopes["resource"])
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
        **scopes,
        "principal": _filled(scopes["principal"], "IPX::Agency", link.agency),
        "resource": _filled(scopes["resource"], "IPX::Source", link.source or ""),
        "conditions": [{"kind": "when", "body": valid}, *scopes["conditions"]],
    }
    return CompiledPolicy(
        ref=template.ref,
        cedar=template.cedar,
        tree_text=_tree_text(tree),
        is_template=False,
        effect=template.effect,
        annotations=template.annotations,
        obligations=template.obligations,
        asker=_asker(tree["principal"]),
        actions=template.actions,
        record_types=template.record_types,
        reads=_once(template.reads | {"context.now"}),
        approvals=template.approvals,
    )


def _actions(catalogue: Catalogue, scope: Mapping[str, Any]) -> frozenset[str]:
    """The actions a scope covers, seen through the classes the groups stand in."""
    above = _Above.of(catalogue)
    if scope["op"] == "All":
        return above.everything
    named = {entity["id"] for entity in scope.get("entities", [scope.get("entity")])}
    if scope["op"] == "==":
        return _once(above.everything & named)
    return _once(frozenset().union(*(above.below.get(name, ()) for name in named)))


class _Above:
    """Which actions stand below which, and Cedar's names of types; kept for the catalogue asked about last."""

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
        self.record_types = {f"IPX::{entity_type(known.name)}": known.name for known in catalogue.record_types}

    @classmethod
    def of(cls, catalogue: Catalogue) -> "_Above":
        last = cls._last
        if last is None or last.catalogue is not catalogue:
            last = cls._last = cls(catalogue)
        return last


def _record_types(catalogue: Catalogue, scope: Mapping[str, Any]) -> frozenset[str]:
    """The record types a scope leaves possible; a scope that names none leaves all."""
    cedar_type = scope.get("entity_type") or (scope.get("entity", {}).get("type") if scope["op"] == "==" else None)
    names = _Above.of(catalogue).record_types
    if cedar_type is None:
        return _once(frozenset(names.values()))
    return _once(frozenset({names[cedar_type]}) if cedar_type in names else frozenset())


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
