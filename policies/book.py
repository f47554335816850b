"""A book of policies: schema, compiled policies and slices as one immutable value, named by the digest of its content.

Cedar tries every policy of a set on every request, so a set holds only what can matter: the guardrails and the policies
of the record's holder, split by record type; a permit of one agency cannot touch another agency's records because it
never stands in their sets.
"""

import hashlib
import json
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from policies import cedar
from policies.compiled import CompiledPolicy, compile_link, compile_policy
from policies.gate import gate
from policies.reference import CODE, GATEWAY_AUTHORITY, TIERS, PolicyRef, PolicyText, TemplateLink, revision_of
from policies.schema import COMMON_ACTIONS, Catalogue, RecordType, cedar_schema

Place = tuple[str, str]
"""A tier and an owner."""


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


class _Slices:
    """One owner's slices of one side, each made when it is first asked for."""

    __slots__ = ("_base", "_built", "_guardrails", "_lock", "_own", "_side")

    def __init__(
        self,
        side: Literal["holder", "egress"],
        guardrails: Mapping[str, CompiledPolicy],
        own: Mapping[str, CompiledPolicy],
        base: "_Slices | None" = None,
    ) -> None:
        self._base = base
        self._side = side
        self._guardrails = guardrails
        self._own = own
        self._built: dict[str, Slice] = {}
        self._lock = threading.Lock()

    def of(self, record_type: RecordType) -> Slice:
        found = self._built.get(record_type.name)
        if found is None:
            with self._lock:
                found = self._built.get(record_type.name)
                if found is None:
                    found = self._built[record_type.name] = self._made(record_type)
        return found

    def _made(self, record_type: RecordType) -> Slice:
        """Make a slice; where an owner says nothing of a record type, all such owners share one."""
        if self._base is not None and not any(policy.is_about(record_type.name) for policy in self._own.values()):
            return self._base.of(record_type)
        return _slice(self._side, record_type, self._chosen(record_type.name))

    def take_over(self, catalogue: Catalogue, previous: "_Slices") -> None:
        """Take slices that are the same, and make anew now those that changed and are in use: nobody waits then."""
        for name, slice_ in list(previous._built.items()):  # noqa: SLF001  (its own kind)
            known = catalogue.record_type(name)
            if slice_.policies == self._chosen(name):
                self._built[name] = slice_
            elif known is not None:
                self.of(known)

    def _chosen(self, record_type: str) -> dict[str, CompiledPolicy]:
        both = {**self._guardrails, **self._own}
        return {name: policy for name, policy in both.items() if policy.is_about(record_type)}


@dataclass(frozen=True, slots=True)
class _Set:
    """The policies of one tier and owner, compiled; taken over whole where its texts and links are the same."""

    given: tuple[PolicyText, ...]
    links: tuple[TemplateLink, ...]
    texts: Mapping[PolicyRef, CompiledPolicy]
    in_force: Mapping[str, CompiledPolicy]
    digest: str


class Texts(Mapping[PolicyRef, CompiledPolicy]):
    """All policies of a book by reference, in order."""

    def __init__(self, sets: Mapping[Place, _Set]) -> None:
        self._sets = sets

    def __getitem__(self, ref: PolicyRef) -> CompiledPolicy:
        return self._sets[ref.tier, ref.owner].texts[ref]

    def __iter__(self) -> Iterator[PolicyRef]:
        return (ref for one in self._sets.values() for ref in one.texts)

    def __len__(self) -> int:
        return sum(len(one.texts) for one in self._sets.values())

    def of(self, tier: str, owner: str) -> Mapping[PolicyRef, CompiledPolicy]:
        """Give those of one tier and owner."""
        found = self._sets.get((tier, owner))
        return found.texts if found is not None else {}


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """Everything one question needs; swapping the book in force is one assignment, and a question uses one book."""

    catalogue: Catalogue
    schema_text: str
    schema: Any
    digest: str
    sets: Mapping[Place, _Set]
    texts: Texts
    guards: _Slices
    """Guardrails alone: the slices of a holder without policies."""
    holders: Mapping[str, _Slices]
    egress: Mapping[str, _Slices]

    def knows(self, record_type: str) -> bool:
        return self.catalogue.record_type(record_type) is not None

    def holder_slice(self, holder: str, record_type: str) -> Slice:
        """Guardrails and the holder's own policies; a holder without policies has the guardrails alone.

        Raises:
            LookupError: the catalogue has no such record type.
        """
        return (self.holders.get(holder) or self.guards).of(self._known(record_type))

    def egress_slice(self, agency: str, record_type: str) -> Slice | None:
        """The asking agency's policies, None where it has none. Raises as `holder_slice` does."""
        found = self.egress.get(agency)
        return None if found is None else found.of(self._known(record_type))

    def _known(self, record_type: str) -> RecordType:
        known = self.catalogue.record_type(record_type)
        if known is None:
            raise LookupError(record_type)
        return known

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
    *,
    validated: Collection[PolicyText] = frozenset(),
) -> PolicyBook:
    """Compile policies into a book.

    Args:
        catalogue: what the schema is generated from.
        policies: all policies in force, of all tiers and owners.
        links: the standard agreements in force; a template without link grants nothing.
        previous: a book whose unchanged policies and slices are taken over, so that a change at one holder costs one
            holder's time.
        validated: texts that passed the gate and were found valid under this very `validity` before: most of the time
            goes there.

    Raises:
        BookError: a policy does not pass the text gate, is no single policy, does not carry the id and revision it is
            stored under, stands twice, is not valid under the schema, or is a permit among the guardrails.
        CatalogueError: the catalogue makes no schema.
    """
    schema_text = cedar_schema(catalogue)
    if previous is not None and previous.schema_text != schema_text:
        previous = None
    schema = previous.schema if previous is not None else cedar.read_schema(schema_text)
    sets = _compile_sets(catalogue, policies, links, schema, previous, validated)
    before: Mapping[Place, _Set] = previous.sets if previous is not None else {}
    guardrails = {
        name: policy for place, one in sets.items() if place[0] == "guardrail" for name, policy in one.in_force.items()
    }
    is_guarded_alike = (
        previous is not None
        and all(before.get(place) is one for place, one in sets.items() if place[0] == "guardrail")
        and {place for place in before if place[0] == "guardrail"} <= sets.keys()
    )

    guards = _Slices("holder", guardrails, {})
    if previous is not None:
        guards.take_over(catalogue, previous.guards)

    def slices(side: Literal["holder", "egress"]) -> Mapping[str, _Slices]:
        found: dict[str, _Slices] = {}
        known = (previous.holders if side == "holder" else previous.egress) if previous is not None else {}
        for place, one in sets.items():
            if place[0] != side:
                continue
            old = known.get(place[1])
            if old is not None and before.get(place) is one and (side == "egress" or is_guarded_alike):
                found[place[1]] = old
                continue
            if side == "holder":
                found[place[1]] = _Slices(side, guardrails, one.in_force, guards)
            else:
                found[place[1]] = _Slices(side, {}, one.in_force)
            if old is not None:
                found[place[1]].take_over(catalogue, old)
        return MappingProxyType(found)

    return PolicyBook(
        catalogue=catalogue,
        schema_text=schema_text,
        schema=schema,
        digest=_digest(schema_text, sets),
        sets=sets,
        texts=Texts(sets),
        guards=guards,
        holders=slices("holder"),
        egress=slices("egress"),
    )


def validity(catalogue: Catalogue) -> str:
    """Name the schema and the engine that a finding of validity holds for: a SHA-256, hexadecimal."""
    return hashlib.sha256(f"{cedar.ENGINE_VERSION}\n{cedar_schema(catalogue)}".encode()).hexdigest()


def _compile_sets(
    catalogue: Catalogue,
    policies: Iterable[PolicyText],
    links: Iterable[TemplateLink],
    schema: Any,
    previous: PolicyBook | None,
    validated: Collection[PolicyText],
) -> Mapping[Place, _Set]:
    given: dict[Place, list[PolicyText]] = {}
    for text in policies:
        given.setdefault((text.ref.tier, text.ref.owner), []).append(text)
    linked: dict[Place, list[TemplateLink]] = {}
    for link in sorted(links, key=lambda link: (link.template, link.agency, link.source or "", link.valid_from)):
        linked.setdefault((link.template.tier, link.template.owner), []).append(link)
        if (link.template.tier, link.template.owner) not in given:
            raise BookError(link.template, "is linked but is no template of this book")
    before: Mapping[Place, _Set] = previous.sets if previous is not None else {}
    sets: dict[Place, _Set] = {}
    new: list[CompiledPolicy] = []
    for place, texts in sorted(given.items()):
        own, links_of = tuple(texts), tuple(linked.get(place, ()))
        known = before.get(place)
        if known is not None and known.given == own and known.links == links_of:
            sets[place] = known
        else:
            sets[place] = _compile_set(catalogue, own, links_of, known, new, validated)
    _validate(new, schema)
    return MappingProxyType(sets)


def _compile_set(
    catalogue: Catalogue,
    given: tuple[PolicyText, ...],
    links: tuple[TemplateLink, ...],
    previous: _Set | None,
    new: list[CompiledPolicy],
    validated: Collection[PolicyText],
) -> _Set:
    """Compile one tier and owner's policies; what has to be validated yet is added to `new`."""
    compiled: dict[PolicyRef, CompiledPolicy] = {}
    seen: set[str] = set()
    for text in given:
        ref = text.ref
        if ref.policy_id in seen:
            raise BookError(ref, "stands twice")
        seen.add(ref.policy_id)
        known = previous.texts.get(ref) if previous is not None else None
        if known is None or known.cedar != text.cedar:
            is_validated = text in validated
            known = _compile_text(catalogue, text, is_validated=is_validated)
            if not is_validated:
                new.append(known)
        compiled[ref] = known
    texts = dict(sorted(compiled.items()))
    in_force = {str(ref): policy for ref, policy in texts.items() if not policy.is_template}
    in_force.update(_compile_links(texts, links))
    content = {
        "policies": [[str(ref), hashlib.sha256(text.cedar.encode()).hexdigest()] for ref, text in texts.items()],
        "links": [
            [str(link.template), link.agency, link.source, link.valid_from.isoformat(), link.valid_until.isoformat()]
            for link in links
        ],
    }
    return _Set(given, links, texts, in_force, _sha256(content))


def _compile_text(catalogue: Catalogue, text: PolicyText, *, is_validated: bool) -> CompiledPolicy:
    ref = text.ref
    if ref.tier not in TIERS or not CODE.fullmatch(ref.owner) or not CODE.fullmatch(ref.policy_id):
        raise BookError(ref, "tier, owner or id is malformed")
    if ref.revision != revision_of(text.cedar):
        raise BookError(ref, "the text is not the one its revision names")
    findings = () if is_validated else gate(text.cedar)
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


def _slice(side: Literal["holder", "egress"], record_type: RecordType, chosen: Mapping[str, CompiledPolicy]) -> Slice:
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


def _digest(schema_text: str, sets: Mapping[Place, _Set]) -> str:
    """SHA-256 over schema and every set's place and digest, which covers its texts and links; order does not matter."""
    return _sha256(
        {
            "schema": hashlib.sha256(schema_text.encode()).hexdigest(),
            "sets": [[*place, one.digest] for place, one in sets.items()],
        }
    )


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
