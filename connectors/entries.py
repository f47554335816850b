"""The entries of the mapping language, compiled: each reads one field of one record and says what is wrong with it."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.formats.document import WHITE_SPACE, Json, Leaf, Node, Path
from connectors.quarantine import Reason, Rejection, UnfitValueError
from connectors.texts import damage
from connectors.transforms import Pipeline

Trail = tuple[str | int, ...]
"""Where a value goes: `("goods_services", 2, "class_number")`."""


@dataclass(slots=True)
class Reading:
    """What is learnt while one field of one record is read."""

    rejections: list[Rejection] = field(default_factory=list)
    covered: list[Hashable] = field(default_factory=list)
    """Origins whose values went into the record; what they do not cover goes to `extensions`."""
    failed: set[Hashable] = field(default_factory=set)

    def reject(self, trail: Trail, reason: Reason, where: str, origin: Hashable = None, detail: str = "") -> None:
        self.rejections.append(Rejection(written(trail), reason, where, detail))
        if origin is not None:
            self.failed.add(origin)


class Entry(Protocol):
    @property
    def where(self) -> str:
        """The path from the record down, as the source file writes it."""
        ...

    def read(self, node: Node, trail: Trail, reading: Reading) -> Json:
        """Read the field at `node`; None is absent. Never raises: what is wrong goes to `reading`."""
        ...


@dataclass(frozen=True, slots=True)
class ValueEntry:
    """`path`: one value, or none."""

    path: Path
    where: str
    use: Pipeline
    required: bool
    raw: bool

    def read(self, node: Node, trail: Trail, reading: Reading) -> Json:
        leaf = self.leaf(node, trail, reading)
        return None if leaf is None else self.transformed(leaf, trail, reading)

    def leaf(self, node: Node, trail: Trail, reading: Reading) -> Leaf | None:
        leaves = _leaves(self.path, node, trail, self.where, reading)
        if leaves is None:
            return None
        if not leaves and self.required:
            reading.reject(trail, Reason.MISSING_REQUIRED, self.where)
        if len(leaves) > 1:
            reading.reject(trail, Reason.MORE_THAN_ONE, self.where)
        return leaves[0] if len(leaves) == 1 else None

    def transformed(self, leaf: Leaf, trail: Trail, reading: Reading) -> Json:
        try:
            value = self.use.one(_undamaged(leaf))
        except UnfitValueError as error:
            reading.reject(trail, error.reason, self.where, leaf.origin, detail=error.detail)
            return None
        if value is None and self.required:
            reading.reject(trail, Reason.MISSING_REQUIRED, self.where)
        reading.covered.append(leaf.origin)
        return _json(value)


@dataclass(frozen=True, slots=True)
class AnyEntry:
    """`any`: the first of several `path` entries that finds something; the others are not read.

    Not a second try: what the chosen one finds unfit is rejected, whatever stands in the others.
    """

    choices: Sequence[ValueEntry]
    where: str
    required: bool
    raw: bool

    def read(self, node: Node, trail: Trail, reading: Reading) -> Json:
        chosen = self.chosen(node, trail, reading)
        return None if chosen is None else chosen.read(node, trail, reading)

    def chosen(self, node: Node, trail: Trail, reading: Reading) -> ValueEntry | None:
        for choice in self.choices:
            leaves = _leaves(choice.path, node, trail, choice.where, reading)
            if leaves is None:
                return None
            if leaves:
                return choice
        if self.required:
            reading.reject(trail, Reason.MISSING_REQUIRED, self.where)
        return None


@dataclass(frozen=True, slots=True)
class ListEntry:
    """`all`: the list of values; values that do not fit are left out and rejected one by one."""

    path: Path
    where: str
    use: Pipeline
    required: bool
    value: Path | None = None
    """Asked at each place that `path` finds, where a value is written in several pieces."""

    def read(self, node: Node, trail: Trail, reading: Reading) -> Json:
        leaves = self._found(node, trail, reading)
        if leaves is None:
            return None
        fit = []
        for index, leaf in enumerate(leaves):
            try:
                # Alone first, so that one bad value names itself and does not spoil the others.
                self.use.one(_undamaged(leaf))
            except UnfitValueError as error:
                reading.reject((*trail, index), error.reason, self.where, leaf.origin, detail=error.detail)
                continue
            fit.append(leaf.value)
            reading.covered.append(leaf.origin)
        if not leaves and self.required:
            reading.reject(trail, Reason.MISSING_REQUIRED, self.where)
        value = self.use.many(fit) if fit else None
        return [_json(item) for item in value] or None if isinstance(value, list) else _json(value)

    def _found(self, node: Node, trail: Trail, reading: Reading) -> list[Leaf] | None:
        if self.value is None:
            return _leaves(self.path, node, trail, self.where, reading)
        try:
            return [leaf for place in self.path.nodes(node) for leaf in self.value.leaves(place)]
        except UnfitValueError as error:
            reading.reject(trail, error.reason, self.where, detail=error.detail)
            return None


@dataclass(frozen=True, slots=True)
class ConstEntry:
    """`const`: the same value in every record. It does not make an object that has nothing else."""

    value: str | int | bool
    where: str = ""

    def read(self, node: Node, trail: Trail, reading: Reading) -> Json:
        del node, trail, reading
        return self.value


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """`each` and `one`: objects made of further entries."""

    path: Path
    where: str
    members: Mapping[str, Entry]
    required: bool
    is_list: bool
    split: str | None = None
    """Several objects written into one text: each part of the text is a node of its own."""

    def read(self, node: Node, trail: Trail, reading: Reading) -> Json:
        try:
            nodes = self.path.nodes(node) if self.split is None else self.path.parts(node, self.split)
        except UnfitValueError as error:
            reading.reject(trail, error.reason, self.where, detail=error.detail)
            return None
        if not self.is_list and len(nodes) > 1:
            reading.reject(trail, Reason.MORE_THAN_ONE, self.where)
            return None
        objects = []
        for index, found in enumerate(nodes):
            below, origin = (found, None) if self.split is None else found
            faults = len(reading.rejections)
            made = self._object(below, (*trail, index) if self.is_list else trail, reading)
            if made:
                objects.append(made)
            if origin is not None:
                reading.covered.append(origin)
            if origin is not None and len(reading.rejections) > faults:
                reading.failed.add(origin)  # a text of which one part does not fit stays in the leftover whole
        if not objects and self.required:
            reading.reject(trail, Reason.MISSING_REQUIRED, self.where)
        if self.is_list:
            return objects or None
        return objects[0] if objects else None

    def _object(self, node: Node, trail: Trail, reading: Reading) -> dict[str, Json] | None:
        start, faults = len(reading.covered), len(reading.rejections)
        made = read_members(self.members, node, trail, reading)
        if any(rejection.reason is Reason.MISSING_REQUIRED for rejection in reading.rejections[faults:]):
            # Without what it must have it is no such object; all of it stays in the leftover.
            del reading.covered[start:]
            if not made:  # nothing there at all: an empty element, not a broken one
                del reading.rejections[faults:]
            return None
        return made


def read_members(members: Mapping[str, Entry], node: Node, trail: Trail, reading: Reading) -> dict[str, Json] | None:
    """Read the entries of one object; None if nothing but constants would stand in it."""
    made: dict[str, Json] = {}
    has_own = False
    for name, entry in members.items():
        below = (*trail, name)
        chosen = entry.chosen(node, below, reading) if isinstance(entry, AnyEntry) else entry
        if chosen is None:
            continue
        if isinstance(entry, ValueEntry | AnyEntry) and isinstance(chosen, ValueEntry) and entry.raw:
            leaf = chosen.leaf(node, below, reading)
            if leaf is None:
                continue
            made[f"{name}_raw"] = leaf.value if isinstance(leaf.value, bool) else str(leaf.value).strip(WHITE_SPACE)
            value, has_own = chosen.transformed(leaf, below, reading), True
        else:
            value = chosen.read(node, below, reading)
        if value is not None:
            made[name] = value
            has_own = has_own or not isinstance(entry, ConstEntry)
    return made if has_own else None


def written(trail: Trail) -> str:
    """Write a trail as operators read it: `goods_services[2].class_number`."""
    text = ""
    for step in trail:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _leaves(path: Path, node: Node, trail: Trail, where: str, reading: Reading) -> list[Leaf] | None:
    try:
        return path.leaves(node)
    except UnfitValueError as error:
        reading.reject(trail, error.reason, where, detail=error.detail)
        return None


def _undamaged(leaf: Leaf) -> Any:
    if isinstance(leaf.value, str):
        fault = damage(leaf.value)
        if fault is not None:
            raise UnfitValueError(fault)
    return leaf.value


def _json(value: Any) -> Json:
    """Numbers that must not round travel as texts (`records.md`, rule 8)."""
    if value is None or isinstance(value, str | int | bool | dict):
        return value
    if isinstance(value, list):
        return [_json(item) for item in value]
    return str(value)
