"""A book of policies: schema, compiled policies and slices as one immutable value, named by the digest of its content.

Cedar tries every policy of a set on every request, so a set holds only what can matter: the guardrails and the policies
of the record's holder, split by record type; a permit of one agency cannot touch another agency's records because it
never stands in their sets.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from policies import cedar
from policies.compiled import CompiledPolicy, compile_link, compile_policy
from policies.gate import gate
from policies.reference import CODE, GATEWAY_AUTHORITY, TIERS, PolicyRef, PolicyText, TemplateLink, Tier, revision_of
from policies.schema import COMMON_ACTIONS, Catalogue, RecordType, cedar_schema


class BookError(Exception):
    """Policies that cannot make a book: names the policy and what is wrong with it. The book in force stays."""

    def __init__(self, ref: PolicyRef, problem: str) -> None:
        super().__init__(f"{ref}: {problem}")
        self.ref = ref
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Slice:
    """What can matter for one record type of one holder (with guardrails), or to one asking agency (without).

    `asks_as` maps each action to the one asked in its place: actions that exactly the same policies cover, none of
    which looks at the action, have one answer. `granted` holds the actions some permit covers, under any condition.
    """

    side: Literal["holder", "egress"]
    policies: Mapping[str, CompiledPolicy]
    rules: Any
    permits: Any
    asks_as: Mapping[str, str]
    granted: frozenset[str]
    reads_now: bool
    """Whether the same question may get another answer later."""

    def refs(self, names: Iterable[str]) -> tuple[PolicyRef, ...]:
        """Turn Cedar's policy names into references, sorted and each once."""
        return tuple(sorted({self.policies[name].ref for name in names if name in self.policies}))


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """Everything one question needs; swapping the book in force is one assignment, and a question uses one book."""

    catalogue: Catalogue
    schema_text: str
    schema: Any
    digest: str
    texts: Mapping[PolicyRef, CompiledPolicy]
    holders: Mapping[tuple[str, str], Slice]
    guards: Mapping[str, Slice]
    egress: Mapping[tuple[str, str], Slice]

    def holder_slice(self, holder: str, record_type: str) -> Slice:
        """Guardrails and the holder's own policies; a holder without policies has the guardrails alone."""
        return self.holders.get((holder, record_type)) or self.guards[record_type]

    def egress_slice(self, agency: str, record_type: str) -> Slice | None:
        return self.egress.get((agency, record_type))

    def bearing(self, holder: str, asking: str, record_type: str) -> str:
        """Digest of all policies that can bear on a question: it changes once one of them does, and only then.

        Returns:
            SHA-256, hexadecimal, over schema, names and trees of both sides' slices.
        """
        sides = (self.holder_slice(holder, record_type), self.egress_slice(asking, record_type))
        content = [self.schema_text] + [
            [name, policy.cedar, policy.tree]
            for side in sides
            if side is not None
            for name, policy in sorted(side.policies.items())
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def compile_book(
    catalogue: Catalogue,
    policies: Iterable[PolicyText],
    links: Iterable[TemplateLink],
    previous: PolicyBook | None = None,
) -> PolicyBook:
    """Compile policies into a book.

    Args:
        catalogue: what the schema is generated from.
        policies: all policies in force, of all tiers and owners.
        links: the standard agreements in force; a template without link grants nothing.
        previous: a book whose unchanged policies and slices are taken over, so that a change at one holder costs one
            holder's time.

    Raises:
        BookError: a policy does not pass the text gate, is no single policy, does not carry the id and revision it is
            stored under, stands twice, is not valid under the schema, or is a permit among the guardrails.
        CatalogueError: the catalogue makes no schema.
    """
    schema_text = cedar_schema(catalogue)
    if previous is not None and previous.schema_text != schema_text:
        previous = None
    schema = previous.schema if previous is not None else cedar.read_schema(schema_text)
    texts = _compile_texts(catalogue, policies, schema, previous)
    linked = tuple(sorted(links, key=lambda link: (link.template, link.agency, link.source or "", link.valid_from)))
    in_force = {str(ref): policy for ref, policy in texts.items() if not policy.is_template}
    in_force.update(_compile_links(texts, linked))
    guardrails = {name: policy for name, policy in in_force.items() if policy.ref.tier == "guardrail"}
    return PolicyBook(
        catalogue=catalogue,
        schema_text=schema_text,
        schema=schema,
        digest=_digest(schema_text, texts, linked),
        texts=MappingProxyType(texts),
        holders=_slices(catalogue, in_force, "holder", guardrails, previous.holders if previous else {}),
        guards=MappingProxyType(
            {
                known.name: _slice("holder", known, guardrails, previous.guards.get(known.name) if previous else None)
                for known in catalogue.record_types
            }
        ),
        egress=_slices(catalogue, in_force, "egress", {}, previous.egress if previous else {}),
    )


def _compile_texts(
    catalogue: Catalogue, policies: Iterable[PolicyText], schema: Any, previous: PolicyBook | None
) -> dict[PolicyRef, CompiledPolicy]:
    compiled: dict[PolicyRef, CompiledPolicy] = {}
    seen: set[tuple[Tier, str, str]] = set()
    new: list[CompiledPolicy] = []
    for text in policies:
        ref = text.ref
        if (ref.tier, ref.owner, ref.policy_id) in seen:
            raise BookError(ref, "stands twice")
        seen.add((ref.tier, ref.owner, ref.policy_id))
        known = previous.texts.get(ref) if previous is not None else None
        if known is None or known.cedar != text.cedar:
            known = _compile_text(catalogue, text)
            new.append(known)
        compiled[ref] = known
    _validate(new, schema)
    return dict(sorted(compiled.items()))


def _compile_text(catalogue: Catalogue, text: PolicyText) -> CompiledPolicy:
    ref = text.ref
    if ref.tier not in TIERS or not CODE.fullmatch(ref.owner) or not CODE.fullmatch(ref.policy_id):
        raise BookError(ref, "tier, owner or id is malformed")
    if ref.revision != revision_of(text.cedar):
        raise BookError(ref, "the text is not the one its revision names")
    findings = gate(text.cedar)
    if findings:
        raise BookError(ref, findings[0].message)
    try:
        compiled = compile_policy(catalogue, text)
    except cedar.PolicyTextError as error:
        raise BookError(ref, str(error)) from error
    if compiled.annotations.get("id") != ref.policy_id:
        raise BookError(ref, "@id is not the id it is stored under")
    if ref.tier == "guardrail" and (compiled.effect != "forbid" or ref.owner != GATEWAY_AUTHORITY):
        raise BookError(ref, f"a guardrail forbids, and {GATEWAY_AUTHORITY} owns it")
    return compiled


def _validate(policies: Sequence[CompiledPolicy], schema: Any) -> None:
    """All at once, for that is fast; one by one only to name the culprit."""
    if policies and cedar.problems("\n".join(policy.cedar for policy in policies), schema):
        for policy in policies:
            found = cedar.problems(policy.cedar, schema)
            if found:
                raise BookError(policy.ref, found[0])


def _compile_links(
    texts: Mapping[PolicyRef, CompiledPolicy], links: Sequence[TemplateLink]
) -> Iterator[tuple[str, CompiledPolicy]]:
    for number, link in enumerate(links):
        template = texts.get(link.template)
        if template is None or not template.is_template:
            raise BookError(link.template, "is linked but is no template of this book")
        try:
            yield f"{link.template}#{number}", compile_link(template, link)
        except ValueError as error:
            raise BookError(link.template, str(error)) from error


def _slices(
    catalogue: Catalogue,
    in_force: Mapping[str, CompiledPolicy],
    side: Literal["holder", "egress"],
    guardrails: Mapping[str, CompiledPolicy],
    previous: Mapping[tuple[str, str], Slice],
) -> Mapping[tuple[str, str], Slice]:
    by_owner: dict[str, dict[str, CompiledPolicy]] = {}
    for name, policy in in_force.items():
        if policy.ref.tier == side:
            by_owner.setdefault(policy.ref.owner, {})[name] = policy
    return MappingProxyType(
        {
            (owner, known.name): _slice(side, known, {**guardrails, **own}, previous.get((owner, known.name)))
            for owner, own in by_owner.items()
            for known in catalogue.record_types
        }
    )


def _slice(
    side: Literal["holder", "egress"],
    record_type: RecordType,
    candidates: Mapping[str, CompiledPolicy],
    previous: Slice | None,
) -> Slice:
    chosen = {name: policy for name, policy in candidates.items() if policy.is_about(record_type.name)}
    if previous is not None and previous.policies == chosen:
        return previous
    actions = (*COMMON_ACTIONS, *(group.name for group in record_type.groups))
    trees = {name: policy.tree for name, policy in chosen.items()}
    return Slice(
        side=side,
        policies=MappingProxyType(chosen),
        rules=cedar.policy_set(trees),
        permits=cedar.policy_set({name: tree for name, tree in trees.items() if chosen[name].effect == "permit"}),
        asks_as=MappingProxyType(_alike(actions, chosen)),
        granted=frozenset(
            action
            for action in actions
            if any(policy.effect == "permit" and action in policy.actions for policy in chosen.values())
        ),
        reads_now=any(policy.reads_now for policy in chosen.values()),
    )


def _alike(actions: Sequence[str], chosen: Mapping[str, CompiledPolicy]) -> dict[str, str]:
    first: dict[tuple[str, ...], str] = {}
    asked: dict[str, str] = {}
    for action in actions:
        covering = {name: policy for name, policy in chosen.items() if action in policy.actions}
        if any(policy.reads_action for policy in covering.values()):
            asked[action] = action
        else:
            asked[action] = first.setdefault(tuple(sorted(covering)), action)
    return asked


def _digest(schema_text: str, texts: Mapping[PolicyRef, CompiledPolicy], links: Sequence[TemplateLink]) -> str:
    """SHA-256 over schema, every policy's place and full text hash, and every link; the order given does not matter."""
    content = {
        "schema": hashlib.sha256(schema_text.encode()).hexdigest(),
        "policies": [[str(ref), hashlib.sha256(text.cedar.encode()).hexdigest()] for ref, text in texts.items()],
        "links": [
            [str(link.template), link.agency, link.source, link.valid_from.isoformat(), link.valid_until.isoformat()]
            for link in links
        ],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
