"""JSON records, addressed by JMESPath. Duplicate keys, NaN, lone surrogates and deep nesting are refused."""

import json
from collections.abc import Collection, Hashable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, JMESPathTypeError

from connectors.formats.document import (
    Document,
    Json,
    Leaf,
    Limits,
    Node,
    Path,
    ReadRules,
    cut,
    decode,
    is_blank,
)
from connectors.quarantine import Reason, UnfitValueError, UnreadableError

Steps = tuple[str, ...]
"""A way of names from a record down, list indices left out: `("respondents", "name")`."""


class JsonPath:
    def __init__(self, text: str, within: Path | None = None) -> None:
        """Compile a JMESPath expression.

        Raises:
            ValueError: not JMESPath.
        """
        self.text = text
        try:
            self._compiled = jmespath.compile(text)
            with suppress(JMESPathTypeError):  # a function asked about nothing; unknown functions are another error
                self._compiled.search(None)
        except JMESPathError as error:
            raise ValueError(f"{text!r}: {_first_line(error)}") from error
        base = within.ways if isinstance(within, JsonPath) else frozenset({()})
        self.ways: frozenset[Steps] = frozenset(
            (*start, *steps) for start in base for steps in _ways(self._compiled.parsed)
        )
        """All ways this expression may read, from the record down."""

    def select(self, node: Node) -> Any:
        try:
            return self._compiled.search(node)
        except JMESPathError as error:
            raise UnfitValueError(Reason.WRONG_TYPE, "the path cannot be evaluated here") from error

    def holds(self, node: Node) -> bool:
        return self.select(node) not in (None, False, "", [], {})

    def leaves(self, node: Node) -> list[Leaf]:
        result = self.select(node)
        leaves = []
        for item in result if isinstance(result, list) else [result]:
            if isinstance(item, dict | list):
                raise UnfitValueError(Reason.WRONG_TYPE, "the path gives an object or a list, not a value")
            if item is not None and not (isinstance(item, str) and is_blank(item)):
                leaves.append(Leaf(item, self.ways))
        return leaves

    def nodes(self, node: Node) -> list[Node]:
        result = self.select(node)
        nodes = result if isinstance(result, list) else [result]
        nodes = [item for item in nodes if item is not None]
        if any(isinstance(item, list) for item in nodes):
            raise UnfitValueError(Reason.WRONG_TYPE, "the path gives a list of lists")
        return nodes

    def parts(self, node: Node, separator: str) -> list[tuple[Node, Hashable]]:
        return [*cut(self.leaves(node), separator)]


class JsonFormat:
    media_type = "application/json"

    def __init__(self, rules: ReadRules, limits: Limits) -> None:
        """Compile the paths of the `read` part.

        Raises:
            ValueError: a path is not JMESPath.
        """
        self._rules = rules
        self._limits = limits
        self._expect = JsonPath(rules.expect) if rules.expect else None
        self._absent = JsonPath(rules.absent) if rules.absent else None
        self._within = JsonPath(rules.within) if rules.within else None
        self._never = JsonPath(rules.never).ways if rules.never else frozenset()
        self._records = JsonPath(rules.records or "@")
        self._deleted = JsonPath(rules.deleted) if rules.deleted else None

    def compile(self, path: str, within: Path | None) -> JsonPath:
        return JsonPath(path, within)

    def whole(self, raw: bytes) -> Json:
        """Parse without looking for records.

        Raises:
            UnreadableError: with the reason.
        """
        if len(raw) > self._limits.file_bytes:
            raise UnreadableError(Reason.TOO_LARGE, f"{len(raw)} bytes")
        return parse_json(decode(raw, self._rules.encoding), self._limits.depth)

    def parse(self, raw: bytes) -> Document:
        whole = self.whole(raw)
        if self._absent and self._absent.holds(whole):
            return JsonDocument([], [], self._records.text, says_absent=True)
        if self._expect and not self._expect.holds(whole):
            raise UnreadableError(Reason.UNKNOWN_SCHEMA, "read.expect does not hold")
        records = self._found(whole)
        deleted = self._objects(self._deleted, whole) if self._deleted else []
        if len(records) + len(deleted) > self._limits.records:
            raise UnreadableError(Reason.TOO_LARGE, f"{len(records) + len(deleted)} records")
        return JsonDocument(records, deleted, self._records.text, never=self._never)

    def _found(self, whole: Json) -> list[Node]:
        if self._within is None:
            return self._objects(self._records, whole)
        return [
            {**{name: outer[name] for name in self._rules.carry if name in outer}, **record}
            for outer in self._objects(self._within, whole)
            for record in self._objects(self._records, outer)
        ]

    def _objects(self, path: JsonPath, whole: Json) -> list[Node]:
        try:
            nodes = path.nodes(whole)
        except UnfitValueError as error:
            raise UnreadableError(error.reason, error.detail) from error
        if not all(isinstance(node, dict) for node in nodes):
            raise UnreadableError(Reason.WRONG_TYPE, "a record is not an object")
        return nodes


class JsonDocument:
    def __init__(
        self,
        records: Sequence[Node],
        deleted: Sequence[Node],
        records_path: str,
        *,
        says_absent: bool = False,
        never: frozenset[Steps] = frozenset(),
    ) -> None:
        self.says_absent = says_absent
        self._never = never
        self._records = records
        self._deleted = deleted
        self._records_path = records_path

    def records(self) -> Sequence[Node]:
        return self._records

    def deleted(self) -> Sequence[Node]:
        return self._deleted

    def place(self, node: Node) -> str:
        del node
        return self._records_path

    def leftover(self, node: Node, covered: Collection[Hashable]) -> dict[str, Json]:
        ways = {way for origin in covered if isinstance(origin, frozenset) for way in origin}
        return leftover(node, ways | self._never)


def leftover(record: Json, covered: Collection[Steps]) -> dict[str, Json]:
    """What of an object no way in `covered` leads to. A way to a value covers all that stands below it."""
    rest = _rest(record, (), frozenset(covered))
    return rest if isinstance(rest, dict) else {}


def _rest(value: Json, way: Steps, covered: frozenset[Steps]) -> Json:
    if way in covered or value is None or value in ("", [], {}):
        return None
    match value:
        case dict():
            kept = {
                name: rest for name, item in value.items() if (rest := _rest(item, (*way, name), covered)) is not None
            }
            return kept or None
        case list():
            items = [rest for item in value if (rest := _rest(item, way, covered)) is not None]
            return items or None
        case Decimal():
            return str(value)
        case _:
            return value


def parse_json(text: str, depth: int) -> Json:
    """Parse JSON strictly; numbers with a fraction become `Decimal`.

    Raises:
        UnreadableError: the reason tells what is wrong.
    """
    try:
        whole = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant, parse_float=Decimal
        )
    except UnreadableError:
        raise
    except RecursionError as error:
        raise UnreadableError(Reason.TOO_DEEP) from error
    except json.JSONDecodeError as error:
        raise UnreadableError(Reason.NOT_PARSEABLE, f"line {error.lineno}, column {error.colno}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise UnreadableError(Reason.BAD_NUMBER) from error
    _check(whole, depth)
    return whole


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise UnreadableError(Reason.NOT_PARSEABLE, "a key stands twice in one object")
    return members


def _refuse_constant(name: str) -> None:
    raise UnreadableError(Reason.NOT_PARSEABLE, f"{name} is not JSON")


def _check(whole: Json, depth: int) -> None:
    """Refuse texts that no encoding can carry, and more levels than allowed. Level by level, so it cannot overflow."""
    level, values = 0, [whole]
    while values:
        level += 1
        if level > depth and any(isinstance(value, dict | list) for value in values):
            raise UnreadableError(Reason.TOO_DEEP, f"more than {depth} levels")
        below: list[Json] = []
        for value in values:
            match value:
                case str():
                    _require_text(value)
                case dict():
                    for name in value:
                        _require_text(name)
                    below += value.values()
                case list():
                    below += value
                case _:
                    pass
        values = below


def _require_text(text: str) -> None:
    if text.isascii():
        if "\x00" in text:
            raise UnreadableError(Reason.NOT_PARSEABLE, "holds a NUL character")
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnreadableError(Reason.WRONG_ENCODING, "half of a surrogate pair") from error


def _ways(node: Any) -> frozenset[Steps]:
    """All ways of names that an expression's syntax tree may read."""
    return frozenset(_walk(node, frozenset({()})))


def _walk(node: Any, starts: frozenset[Steps]) -> Iterator[Steps]:
    kind, children = node["type"], node.get("children", [])
    match kind:
        case "field":
            yield from ((*start, node["value"]) for start in starts)
        case "subexpression" | "pipe" | "index_expression" | "projection":
            reached = starts
            for child in children:
                reached = frozenset(_walk(child, reached))
            yield from reached
        case "filter_projection":
            inside = frozenset(_walk(children[0], starts))
            yield from _walk(children[1], inside)
            # What the condition asks only decides which node is taken: that is no reading, it stays in the rest.
        case "flatten" | "value_projection" | "key_val_pair":  # `*` stands for any name: all below it counts as read
            yield from _walk(children[0], starts)
        case "and_expression":  # what stands before `&&` is a condition: the value is what stands behind it
            yield from _walk(children[1], starts)
        case "function_expression":
            yield from _asked(children, starts)
        case "identity" | "current" | "index" | "slice":
            yield from starts
        case _:  # multi-selects, or, not, comparisons: everything below them; a literal has nothing below it
            for child in children:
                yield from _walk(child, starts)


def _asked(arguments: Any, starts: frozenset[Steps]) -> Iterator[Steps]:
    """What a function reads. Of `map(&f, list)`, what stands behind `&` is asked of what the other arguments gave."""
    given = frozenset(way for one in arguments if one["type"] != "expref" for way in _walk(one, starts))
    yield from given
    for one in arguments:
        if one["type"] == "expref":
            yield from _walk(one, given or starts)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
