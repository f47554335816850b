"""The one door to Cedar: nothing else imports cedarpy, so that an upgrade has one place to be judged.

What goes wrong inside Cedar comes out without Cedar's words where they could repeat record data.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import cedarpy
from cedarpy import pst

ENGINE_VERSION = f"cedarpy {version('cedarpy')}"

PolicyTree = Mapping[str, Any]
"""A policy in Cedar's JSON form."""

_FAILED_POLICY = re.compile(r"^error while evaluating policy `([^`]*)`")


class CedarRefusedError(Exception):
    """Cedar took the entities, the context or the request for malformed. Says nothing of what stood in them."""


class PolicyTextError(Exception):
    """Policy or schema text that Cedar cannot read or finds invalid; the message is for the text's author."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Cedar's word on one action; `failed` names the policies that could not be evaluated, as far as Cedar does."""

    is_allowed: bool
    by: tuple[str, ...]
    has_failed: bool
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Residual:
    """What remains of a policy when the record is not known: its effect, and its condition in Cedar's JSON form."""

    effect: str
    condition: Any


@dataclass(frozen=True, slots=True)
class Preview:
    """The residual of every policy under its id; never a decision. `failed`: policies that fail for any record."""

    residuals: Mapping[str, Residual]
    has_failed: bool
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request in plain Cedar: entity names in Cedar's syntax, context as JSON text."""

    principal: str
    action: str
    resource: str
    context: str


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """`decision` is `Allow`, `Deny`, or `NoDecision` for a refused request; `reasons` are Cedar's policy ids."""

    decision: str
    reasons: frozenset[str]
    has_errors: bool


def parse(cedar: str) -> pst.PolicySet:
    """Read policy text into a typed tree. Text from outside goes through `policies.untrusted` first.

    Raises:
        PolicyTextError: the text is no Cedar, or uses syntax newer than the tree knows.
    """
    try:
        return cedarpy.policies_to_pst(cedar)
    except ValueError as error:
        raise PolicyTextError(str(error)) from error


def policy_tree(cedar: str) -> tuple[PolicyTree, bool]:
    """Read the one policy of a text into Cedar's JSON form, and say whether it is a template.

    Raises:
        PolicyTextError: the text is no Cedar, or holds no policy, or several.
    """
    try:
        found = json.loads(cedarpy.policies_to_json_str(cedar))
    except ValueError as error:
        raise PolicyTextError(str(error)) from error
    policies, templates = list(found["staticPolicies"].values()), list(found["templates"].values())
    if len(policies) + len(templates) != 1:
        raise PolicyTextError(f"one policy a text, found {len(policies) + len(templates)}")
    return (policies or templates)[0], bool(templates)


def line_text(tree: PolicyTree) -> str:
    """Write a policy of one part as that part alone: its condition, or its scope if it has none."""
    document = {"staticPolicies": {"line": dict(tree)}, "templates": {}, "templateLinks": []}
    text = cedarpy.policies_from_json_str(json.dumps(document)).strip().removesuffix(";")
    scope, found, condition = text.partition(") when {")
    if found:
        return condition.strip().removesuffix("}").strip()
    scope, found, condition = text.partition(") unless {")
    if found:
        return f"!({condition.strip().removesuffix('}').strip()})"
    return (
        scope.partition("(")[2].removesuffix(")").removesuffix(", action, resource").removeprefix("principal, action, ")
    )


def read_schema(text: str) -> cedarpy.Schema:
    """Read schema text into a handle.

    Raises:
        PolicyTextError: the text is no Cedar schema.
    """
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        raise PolicyTextError(str(error)) from error


def problems(policies: str, schema: cedarpy.Schema | str) -> tuple[str, ...]:
    """Check policies against a schema and give what is wrong with them, for their author; unreadable text is one."""
    return tuple(str(error.error) for error in cedarpy.validate_policies(policies, schema).errors)


def is_valid(policies: str, schema: str) -> bool:
    """Tell whether policies pass Cedar's strict validation; text that cannot be read does not."""
    return bool(cedarpy.validate_policies(policies, schema))


def policy_set(trees: Mapping[str, PolicyTree]) -> cedarpy.PolicySet:
    """Make a set under our own policy ids, so that Cedar's reasons are our references."""
    return policy_set_of({name: json.dumps(tree) for name, tree in trees.items()})


def policy_set_of(tree_texts: Mapping[str, str]) -> cedarpy.PolicySet:
    """Make a set of trees that are JSON text already."""
    members = ",".join(f"{json.dumps(name)}:{text}" for name, text in tree_texts.items())
    return cedarpy.PolicySet.from_json_str(f'{{"staticPolicies":{{{members}}},"templates":{{}},"templateLinks":[]}}')


def known_entities(documents: str, schema: cedarpy.Schema) -> cedarpy.Entities:
    """Read entities against the schema: without it, policies over classes of groups would be skipped in silence.

    Raises:
        CedarRefusedError: an entity is not as the schema says.
    """
    try:
        return cedarpy.Entities.from_json_str(documents, schema)
    except ValueError:
        raise CedarRefusedError from None  # Cedar's message repeats attribute values


def request(principal: tuple[str, str], action: str, resource: tuple[str, str], context: str) -> Mapping[str, Any]:
    """One request; `context` is JSON text, written once for all requests of a question."""
    return {
        "principal": {"type": principal[0], "id": principal[1]},
        "action": {"type": "IPX::Action", "id": action},
        "resource": {"type": resource[0], "id": resource[1]},
        "context": context,
    }


def ask(
    requests: Sequence[Mapping[str, Any]],
    policies: cedarpy.PolicySet,
    known: cedarpy.Entities,
    schema: cedarpy.Schema,
) -> list[Answer]:
    """Decide each request, in order.

    Raises:
        CedarRefusedError: a request is not as the schema says; Cedar then gives no decision on it.
    """
    try:
        results = cedarpy.is_authorized_batch([dict(one) for one in requests], policies, known, schema=schema)
    except (ValueError, TypeError):
        raise CedarRefusedError from None
    if any(result.decision is cedarpy.Decision.NoDecision for result in results):
        raise CedarRefusedError
    return [
        Answer(
            is_allowed=result.decision is cedarpy.Decision.Allow,
            by=tuple(sorted(result.diagnostics.reasons)),
            has_failed=bool(result.diagnostics.errors),
            failed=_failed(result.diagnostics.errors),
        )
        for result in results
    ]


def preview(
    client: str, context: str, policies: cedarpy.PolicySet, known: cedarpy.Entities, schema: cedarpy.Schema
) -> Preview:
    """Evaluate policies as far as they go while action and record are unknown.

    Args:
        client: the client's id, which becomes Cedar text here: the caller vouches for every character of it.
        context: as JSON text.
        policies: the set.
        known: the entities, without the record.
        schema: what entities, context and client are checked against.

    Raises:
        CedarRefusedError: context or entities are not as the schema says.
    """
    asked = {"principal": f'IPX::Client::"{client}"', "action": None, "resource": None, "context": context}
    try:
        result = cedarpy.is_authorized_partial(asked, policies, known, schema=schema)
    except (ValueError, TypeError):
        raise CedarRefusedError from None
    errors = result.diagnostics.errors
    if errors and not result.residuals:
        raise CedarRefusedError
    residuals = {
        name: Residual(tree["effect"], _condition(tree["conditions"])) for name, tree in result.residuals.items()
    }
    return Preview(residuals, has_failed=bool(errors), failed=_failed(errors))


def evaluate(policies: str, schema: str, entities: str, requests: Sequence[RawRequest]) -> list[RawAnswer]:
    """Decide plain Cedar requests, as the public corpora hold them.

    Raises:
        PolicyTextError: policies or schema cannot be read.
        CedarRefusedError: the entities cannot be read.
    """
    try:
        handle, rules = cedarpy.Schema.from_str(schema), cedarpy.PolicySet.from_str(policies)
    except ValueError as error:
        raise PolicyTextError(str(error)) from error
    known = known_entities(entities, handle)
    asked = [
        {"principal": one.principal, "action": one.action, "resource": one.resource, "context": one.context}
        for one in requests
    ]
    return [
        RawAnswer(result.decision.value, frozenset(result.diagnostics.reasons), bool(result.diagnostics.errors))
        for result in cedarpy.is_authorized_batch(asked, rules, known, schema=handle)
    ]


def _condition(clauses: Sequence[Mapping[str, Any]]) -> Any:
    """One expression for all clauses of a residual policy."""
    whole: Any = {"Value": True}
    for clause in clauses:
        body = clause["body"] if clause["kind"] == "when" else {"!": {"arg": clause["body"]}}
        whole = body if whole == {"Value": True} else {"&&": {"left": whole, "right": body}}
    return whole


def _failed(errors: Sequence[str]) -> tuple[str, ...]:
    """Only the names of failing policies: the rest of Cedar's message may repeat record data."""
    return tuple(sorted({match.group(1) for error in errors if (match := _FAILED_POLICY.match(error))}))
