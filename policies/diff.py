"""What a change of policies changes: for each record type and field group more, less, both or nothing, with a witness.

    python -m policies.diff     reads books as JSON, writes a comparison as JSON; ended when it takes too much

The analysis runs in a child process with limits on memory and time. "Impossible" is a fact; every witness was answered
by Cedar under both books before it is shown, and one that Cedar does not confirm makes its group *not analysed*.
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from policies.book import PolicyBook, Slice, compile_book
from policies.obligations import Obligations
from policies.question import Agency
from policies.reference import PolicyRef, PolicyText, Tier
from policies.schema import COMMON_ACTIONS, Attribute, Catalogue, FieldGroup, RecordType

ChangeKind = Literal["equivalent", "more_permissive", "less_permissive", "incomparable", "not_analysed"]
Severity = Literal["error", "warning"]
WIDENING: Final = frozenset({"more_permissive", "incomparable", "not_analysed"})
CHECK_MS: Final = 2000


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child may take."""

    seconds: int = 60
    megabytes: int = 1536


@dataclass(frozen=True, slots=True)
class Pair:
    """How one group, or one of the common actions, of a record type would be answered.

    `gained` is a question that only the new policies allow, `lost` one that only the old ones did: facts of a made-up
    record and request, confirmed by Cedar.
    """

    record_type: str
    name: str
    change: ChangeKind
    gained: Mapping[str, Any] | None = None
    lost: Mapping[str, Any] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Duty:
    """A policy whose obligations change; None: it is not there, or not readable."""

    policy: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Found:
    """Something about one policy of the new set: `never_applies always_overridden shadowed nobody_can_release`."""

    policy: str
    code: str
    message: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Comparison:
    """`untouched` are the record types where nothing differs; `failure` says why nothing could be analysed at all."""

    pairs: tuple[Pair, ...] = ()
    obligations: tuple[Duty, ...] = ()
    findings: tuple[Found, ...] = ()
    untouched: tuple[str, ...] = ()
    failure: str = ""

    @property
    def is_sound(self) -> bool:
        """No finding that keeps the policies from being activated."""
        return all(finding.severity != "error" for finding in self.findings)

    @property
    def widened(self) -> tuple[str, ...]:
        """`<record type>/<name>` of what becomes more permissive or could not be analysed."""
        if self.failure:
            return ("*/not_analysed",)
        return tuple(f"{pair.record_type}/{pair.name}" for pair in self.pairs if pair.change in WIDENING)

    def document(self) -> dict[str, Any]:
        return asdict(self)


def compare_apart(
    old: PolicyBook,
    new: PolicyBook,
    tier: Tier,
    owner: str,
    registry: Mapping[str, Agency],
    limits: Limits | None = None,
) -> Comparison:
    """Compare what two books make of one tier and owner, in a child process.

    The last comparisons are remembered by what they were asked: evidence collected anew for the same texts, beside the
    same guardrails and agencies, costs nothing.
    """
    limits = limits or Limits()
    catalogue = new.catalogue
    sent = {
        "catalogue": _catalogue_document(catalogue),
        "tier": tier,
        "owner": owner,
        "old": _texts_document(old, tier, owner),
        "new": _texts_document(new, tier, owner),
        "registry": [
            [one.code, one.kind, sorted(one.jurisdictions), one.suspended] for _, one in sorted(registry.items())
        ],
        "limits": asdict(limits),
    }
    asked = json.dumps(sent, sort_keys=True).encode()
    return _REMEMBERED.get(asked) or _REMEMBERED.keep(asked, _in_child(asked, limits))


def _in_child(asked: bytes, limits: Limits) -> Comparison:
    try:
        child = subprocess.run(
            [sys.executable, "-m", "policies.diff"],
            input=asked,
            capture_output=True,
            timeout=limits.seconds,
            env={"PYTHONPATH": os.pathsep.join(sys.path)},  # nothing of ours: no keys, no addresses
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Comparison(failure=f"not done within {limits.seconds} seconds")
    try:
        found = json.loads(child.stdout) if child.returncode == 0 else None
    except ValueError:
        found = None
    if found is None:
        return Comparison(failure="the analysis took too much memory, or broke")
    return _comparison(found)


class _Remembered:
    """The last comparisons by the hash of what was asked; one that failed is made anew."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._found: dict[bytes, Comparison] = {}
        self._lock = threading.Lock()

    def get(self, asked: bytes) -> Comparison | None:
        return self._found.get(hashlib.sha256(asked).digest())

    def keep(self, asked: bytes, comparison: Comparison) -> Comparison:
        if not comparison.failure and all(pair.change != "not_analysed" for pair in comparison.pairs):
            with self._lock:
                if len(self._found) >= self._limit:
                    del self._found[next(iter(self._found))]
                self._found[hashlib.sha256(asked).digest()] = comparison
        return comparison


_REMEMBERED: Final = _Remembered(limit=16)


def compare(old: PolicyBook, new: PolicyBook, tier: Tier, owner: str, registry: Mapping[str, Agency]) -> Comparison:
    """Compare in this process; `compare_apart` is for texts that people wrote."""
    from policies.comparing import Comparing  # noqa: PLC0415  (z3 is loaded where it is used)

    return Comparing(old, new, tier, owner, registry).compare()


def slices_of(book: PolicyBook, tier: Tier, owner: str, record_type: str) -> Slice | None:
    """Give the slice in which the policies of a tier and owner stand."""
    match tier:
        case "guardrail" | "holder":
            return book.holder_slice(owner, record_type)
        case "egress":
            return book.egress_slice(owner, record_type)


def names_of(known: RecordType) -> tuple[str, ...]:
    """What is compared of a record type: the common actions and its groups."""
    return (*COMMON_ACTIONS, *(group.name for group in known.groups))


def duties(old: PolicyBook, new: PolicyBook, tier: Tier, owner: str) -> Iterator[Duty]:
    """Give the policies whose obligations are not the same in both books."""
    sides = [
        {
            ref.policy_id: policy.obligations.document() if isinstance(policy.obligations, Obligations) else None
            for ref, policy in book.texts.of(tier, owner).items()
            if policy.effect == "permit"
        }
        for book in (old, new)
    ]
    for policy_id in sorted({*sides[0], *sides[1]}):
        before, after = (side.get(policy_id) for side in sides)
        if (before or None) != (after or None):
            yield Duty(policy_id, before, after)


def main() -> None:
    """Be the child: bounded in memory and time, no core dump."""
    sent = json.load(sys.stdin)
    limits = Limits(**sent["limits"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.megabytes << 20, limits.megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds))
    catalogue = _read_catalogue(sent["catalogue"])
    old, new = (_read_book(catalogue, sent[side]) for side in ("old", "new"))
    registry = {code: Agency(code, kind, frozenset(places), flag) for code, kind, places, flag in sent["registry"]}
    found = compare(old, new, sent["tier"], sent["owner"], registry)
    json.dump(asdict(found), sys.stdout)


def _texts_document(book: PolicyBook, tier: Tier, owner: str) -> list[list[str]]:
    """Write the policies that matter: those of the place, and the guardrails beside a holder's."""
    places: set[tuple[str, str]] = {(tier, owner)}
    if tier != "egress":
        places |= {place for place in book.sets if place[0] == "guardrail"}
    return [
        [ref.tier, ref.owner, ref.policy_id, ref.revision, policy.cedar]
        for place in sorted(places)
        for ref, policy in book.texts.of(*place).items()
    ]


def _read_book(catalogue: Catalogue, texts: Sequence[Sequence[Any]]) -> PolicyBook:
    read = [PolicyText(PolicyRef(tier, owner, name, revision), cedar) for tier, owner, name, revision, cedar in texts]
    return compile_book(catalogue, read, (), validated=frozenset(read))


def _catalogue_document(catalogue: Catalogue) -> dict[str, Any]:
    return {
        "record_types": [
            [known.name, [[group.name, group.classification, group.is_personal] for group in known.groups]]
            for known in catalogue.record_types
        ],
        "facts": [[fact.name, fact.kind, fact.is_optional] for fact in catalogue.facts],
        "enums": {name: list(values) for name, values in catalogue.enums.items()},
    }


def _read_catalogue(document: Mapping[str, Any]) -> Catalogue:
    return Catalogue(
        tuple(
            RecordType(name, tuple(FieldGroup(*group) for group in groups)) for name, groups in document["record_types"]
        ),
        tuple(Attribute(*fact) for fact in document["facts"]),
        {name: tuple(values) for name, values in document["enums"].items()},
    )


def _comparison(found: Mapping[str, Any]) -> Comparison:
    return Comparison(
        tuple(Pair(**pair) for pair in found["pairs"]),
        tuple(Duty(**duty) for duty in found["obligations"]),
        tuple(Found(**one) for one in found["findings"]),
        tuple(found["untouched"]),
        found["failure"],
    )


if __name__ == "__main__":
    main()
