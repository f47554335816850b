"""A book of policies: schema, policies and slices as one immutable value, named by the digest of its content.

Cedar tries every policy of a set on every request, so a set holds only what can matter: the guardrails and the policies
of the record's holder, split by record type; a permit of one agency cannot touch another agency's records because it
never stands in their sets.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from policies import cedar
from policies.reference import PolicyText, TemplateLink
from policies.schema import Catalogue, RecordType, cedar_schema
from policies.sets import BookError, OwnedSet, Place, Texts, compile_sets, sha256
from policies.slices import Keeper, Side, Slice, Slices

__all__ = ["BookError", "PolicyBook", "Slice", "compile_book", "validity"]

READS_MAX = 4096
"""Of how many pairs of agencies and types a book remembers what their policies read."""


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """Everything one question needs; swapping the book in force is one assignment, and a question uses one book."""

    catalogue: Catalogue
    schema_text: str
    schema: Any
    digest: str
    sets: Mapping[Place, OwnedSet]
    texts: Texts
    guards: Slices
    """Guardrails alone: the slices of a holder without policies."""
    holders: Mapping[str, Slices]
    egress: Mapping[str, Slices]
    keeper: Keeper
    _reads: dict[tuple[str, str, str], frozenset[str]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def knows(self, record_type: str) -> bool:
        return self.catalogue.record_type(record_type) is not None

    def holder_slice(self, holder: str, record_type: str) -> Slice:
        """Guardrails and the holder's own policies; a holder without policies has the guardrails alone.

        Raises:
            LookupError: the catalogue has no such record type.
            BookError: the holder's policies cannot be read after all.
        """
        return (self.holders.get(holder) or self.guards).of(self._known(record_type))

    def egress_slice(self, agency: str, record_type: str) -> Slice | None:
        """The asking agency's policies, None where it has none. Raises as `holder_slice` does."""
        found = self.egress.get(agency)
        return None if found is None else found.of(self._known(record_type))

    def reads(self, holder: str, asking: str, record_type: str) -> frozenset[str]:
        """Name what the policies of both sides read, as `CompiledPolicy.reads`. Raises as `holder_slice` does."""
        place = (holder, asking, record_type)
        known = self._reads.get(place)
        if known is None:
            known = self._read(holder, asking, record_type)
            if len(self._reads) >= READS_MAX:
                self._reads.clear()
            self._reads[place] = known
        return known

    def _read(self, holder: str, asking: str, record_type: str) -> frozenset[str]:
        egress = self.egress_slice(asking, record_type)
        own = self.holder_slice(holder, record_type).reads
        return own if egress is None or egress.reads <= own else own | egress.reads

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
            [name, policy.cedar, policy.tree_text]
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
            stored under, stands twice, is not valid under the schema, or is a permit among the guardrails. Of texts
            in `validated` only hashes and names are looked at now; one that cannot be read later denies.
        CatalogueError: the catalogue makes no schema.
    """
    schema_text = cedar_schema(catalogue)
    if previous is not None and previous.schema_text != schema_text:
        previous = None
    schema = previous.schema if previous is not None else cedar.read_schema(schema_text)
    before: Mapping[Place, OwnedSet] = previous.sets if previous is not None else {}
    sets = compile_sets(catalogue, policies, links, schema, before, validated)
    guardrails = {
        name: policy for place, one in sets.items() if place[0] == "guardrail" for name, policy in one.in_force.items()
    }
    is_guarded_alike = (
        previous is not None
        and all(before.get(place) is one for place, one in sets.items() if place[0] == "guardrail")
        and {place for place in before if place[0] == "guardrail"} <= sets.keys()
    )
    keeper = previous.keeper if previous is not None else Keeper()
    guards = Slices("holder", guardrails, None, keeper)
    if previous is not None:
        guards.take_over(catalogue, previous.guards)

    def slices(side: Side) -> Mapping[str, Slices]:
        found: dict[str, Slices] = {}
        known = (previous.holders if side == "holder" else previous.egress) if previous is not None else {}
        for place, one in sets.items():
            if place[0] != side:
                continue
            old = known.get(place[1])
            if old is not None and before.get(place) is one and (side == "egress" or is_guarded_alike):
                found[place[1]] = old
                continue
            if side == "holder":
                found[place[1]] = Slices(side, guardrails, one, keeper, guards)
            else:
                found[place[1]] = Slices(side, {}, one, keeper)
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
        keeper=keeper,
    )


def validity(catalogue: Catalogue) -> str:
    """Name the schema and the engine that a finding of validity holds for: a SHA-256, hexadecimal."""
    return hashlib.sha256(f"{cedar.ENGINE_VERSION}\n{cedar_schema(catalogue)}".encode()).hexdigest()


def _digest(schema_text: str, sets: Mapping[Place, OwnedSet]) -> str:
    """SHA-256 over schema and every set's place and digest, which covers its texts and links; order does not matter."""
    return sha256(
        {
            "schema": hashlib.sha256(schema_text.encode()).hexdigest(),
            "sets": [[*place, one.digest] for place, one in sets.items()],
        }
    )
