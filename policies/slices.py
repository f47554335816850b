"""The slices of a book: what can matter to one question, each made when it is first asked for.

Cedar's handles are the largest part of a book in memory, about nine kilobytes a policy. How many stay is limited for
all books that came of one another: what was not asked for longest is let go, and made anew when it is asked for again.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol
from weakref import WeakSet

from policies import cedar
from policies.compiled import CompiledPolicy
from policies.reference import PolicyRef
from policies.schema import COMMON_ACTIONS, Catalogue, RecordType

Side = Literal["holder", "egress"]
POLICIES_KEPT: Final = 6144
"""In all slices together, each policy counted once for every slice it stands in."""


class InForce(Protocol):
    """Policies by the names they have in Cedar."""

    @property
    def in_force(self) -> Mapping[str, CompiledPolicy]: ...


class Permits:
    """The permits of a slice alone, made once a forbid has overridden something."""

    __slots__ = ("_policies", "_rules")

    def __init__(self, policies: Mapping[str, CompiledPolicy]) -> None:
        self._policies = policies
        self._rules: Any = None

    @property
    def rules(self) -> Any:
        """The set; two threads may make it at once, and either one will do."""
        if self._rules is None:
            texts = {name: one.tree_text for name, one in self._policies.items() if one.effect == "permit"}
            self._rules = cedar.policy_set_of(texts)
        return self._rules


@dataclass(frozen=True, slots=True)
class Slice:
    """What can matter for one record type of one holder (with guardrails), or to one asking agency (without).

    `asks_as` maps each action to the one asked in its place: actions that exactly the same policies cover, none of
    which looks at the action, have one answer. `granted` holds the actions some permit covers, under any condition.
    `reads` is all that its policies read, as `CompiledPolicy.reads`.
    """

    side: Side
    policies: Mapping[str, CompiledPolicy]
    rules: Any
    permits: Permits
    asks_as: Mapping[str, str]
    granted: frozenset[str]
    reads: frozenset[str]

    def refs(self, names: Iterable[str]) -> tuple[PolicyRef, ...]:
        """Turn Cedar's policy names into references, sorted and each once."""
        return tuple(sorted({self.policies[name].ref for name in names if name in self.policies}))


class Keeper:
    """Lets go of the slices that were not asked for longest, once there are too many."""

    def __init__(self, limit: int = POLICIES_KEPT) -> None:
        self._limit = limit
        self._all: WeakSet[Slices] = WeakSet()
        self._lock = threading.Lock()
        self._uses = count()

    def add(self, slices: "Slices") -> None:
        with self._lock:
            self._all.add(slices)

    def use(self) -> int:
        """Give a number that is larger than all before."""
        return next(self._uses)

    def make_room(self) -> None:
        """Let go until a tenth is free, where more are kept than may be."""
        with self._lock:
            kept = [one for slices in self._all for one in slices.kept()]
            size = sum(one.size for one in kept)
            if size <= self._limit:
                return
            for one in sorted(kept, key=lambda one: one.used):
                one.slices.let_go(one.record_type)
                size -= one.size
                if size <= self._limit * 9 // 10:
                    return


@dataclass(frozen=True, slots=True)
class Kept:
    """One slice in memory: whose, how many policies stand in it, and when it was used last."""

    slices: "Slices"
    record_type: str
    size: int
    used: int


class Slices:
    """One owner's slices of one side."""

    __slots__ = ("__weakref__", "_base", "_built", "_guardrails", "_keeper", "_lock", "_own", "_side", "_used")

    def __init__(
        self,
        side: Side,
        guardrails: Mapping[str, CompiledPolicy],
        own: InForce | None,
        keeper: Keeper,
        base: "Slices | None" = None,
    ) -> None:
        self._side: Side = side
        self._guardrails = guardrails
        self._own = own
        self._keeper = keeper
        self._base = base
        self._built: dict[str, Slice] = {}
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()
        keeper.add(self)

    def of(self, record_type: RecordType) -> Slice:
        """Give the slice of a record type; all owners that say nothing of it share one.

        Raises:
            BookError: the owner's policies cannot be read after all.
        """
        name = record_type.name
        found = self._built.get(name)
        if found is not None:
            self._used[name] = self._keeper.use()
            return found
        if self._base is not None and not any(one.is_about(name) for one in self._policies().values()):
            return self._base.of(record_type)
        with self._lock:
            found = self._built.get(name)
            if found is None:
                found = self._built[name] = _slice(self._side, record_type, self._chosen(name))
            self._used[name] = self._keeper.use()
        self._keeper.make_room()
        return found

    def take_over(self, catalogue: Catalogue, previous: "Slices") -> None:
        """Take slices that are the same, and make anew now those that changed and are in use: nobody waits then."""
        for name, slice_ in list(previous._built.items()):  # noqa: SLF001  (its own kind)
            known = catalogue.record_type(name)
            if slice_.policies == self._chosen(name):
                self._built[name] = slice_
                self._used[name] = self._keeper.use()
            elif known is not None:
                self.of(known)

    def kept(self) -> Iterator[Kept]:
        for name, slice_ in list(self._built.items()):
            yield Kept(self, name, len(slice_.policies), self._used.get(name, 0))

    def let_go(self, record_type: str) -> None:
        self._built.pop(record_type, None)

    def _policies(self) -> Mapping[str, CompiledPolicy]:
        return self._own.in_force if self._own is not None else {}

    def _chosen(self, record_type: str) -> dict[str, CompiledPolicy]:
        both = {**self._guardrails, **self._policies()}
        return {name: policy for name, policy in both.items() if policy.is_about(record_type)}


def _slice(side: Side, record_type: RecordType, chosen: Mapping[str, CompiledPolicy]) -> Slice:
    actions = (*COMMON_ACTIONS, *(group.name for group in record_type.groups))
    permits = [policy for policy in chosen.values() if policy.effect == "permit"]
    return Slice(
        side=side,
        policies=MappingProxyType(chosen),
        rules=cedar.policy_set_of({name: policy.tree_text for name, policy in chosen.items()}),
        permits=Permits(chosen),
        asks_as=MappingProxyType(_alike(actions, chosen)),
        granted=frozenset(action for action in actions if any(action in policy.actions for policy in permits)),
        reads=frozenset().union(*(policy.reads for policy in chosen.values())),
    )


def _alike(actions: Sequence[str], chosen: Mapping[str, CompiledPolicy]) -> dict[str, str]:
    first: dict[tuple[str, ...], str] = {}
    asked: dict[str, str] = {}
    for action in actions:
        covering = [name for name, policy in chosen.items() if action in policy.actions]
        if any(chosen[name].reads_action for name in covering):
            asked[action] = action
        else:
            asked[action] = first.setdefault(tuple(covering), action)
    return asked
