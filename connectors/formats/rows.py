"""Rows as records: a database row with its child rows, a line of CSV. A path is a column's name, or `@`: the row."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

from connectors.formats.document import Document, Json, Leaf, Limits, Node, Path, cut, decode, is_blank
from connectors.formats.json_document import Steps, leftover, parse_json
from connectors.quarantine import Reason, UnfitValueError, UnreadableError

UNDECODABLE = "undecodable_base64"
"""Member name under which a row's JSON carries text that the declared encoding cannot read."""

BINARY = "base64"
"""Member name under which a row's JSON carries binary data."""


class ColumnPath:
    """A column, found without regard to upper and lower case: databases differ in how they report names.

    `rights.RIGHT_KEY` is that column of all rows of a child; a column of the row itself with such a name goes first.
    """

    def __init__(self, text: str, within: Path | None = None) -> None:
        """Take a column's name.

        Raises:
            ValueError: an empty one.
        """
        if not text.strip():
            raise ValueError("an empty text is no column name")
        self.text = text
        self._child, point, self._column = text.partition(".")
        above = within.way if isinstance(within, ColumnPath) else ()
        self.way: Steps = above if text == "@" else (*above, text.casefold())
        self._origin = frozenset(
            {self.way, (*above, self._child.casefold(), self._column.casefold())} if point else {self.way}
        )

    def leaves(self, node: Node) -> list[Leaf]:
        value = self._value(node)
        if value is None and self._column and isinstance(node, Row):
            below = node.get(self._child)
            rows = [Row(item) for item in below if isinstance(item, dict)] if isinstance(below, list) else []
            return [leaf for row in rows for leaf in self._leaf(row.get(self._column))]
        return self._leaf(value)

    def _leaf(self, value: Json) -> list[Leaf]:
        match value:
            case {"undecodable_base64": _}:
                raise UnfitValueError(Reason.WRONG_ENCODING, "the text is not in the declared encoding")
            case dict() | list():
                raise UnfitValueError(Reason.WRONG_TYPE, "the column holds no text, number or truth value")
            case None:
                return []
            case str() if is_blank(value):
                return []
            case _:
                return [Leaf(value, self._origin)]

    def nodes(self, node: Node) -> list[Node]:
        value = node if self.text == "@" else self._value(node)
        if value is None:
            return []
        nodes = value if isinstance(value, list) else [value]
        if not all(isinstance(item, Row | dict) for item in nodes):
            raise UnfitValueError(Reason.WRONG_TYPE, "names a column, not a child table")
        return [item if isinstance(item, Row) else Row(item) for item in nodes]

    def parts(self, node: Node, separator: str) -> list[tuple[Node, Hashable]]:
        return [(Row({"@": text}), origin) for text, origin in cut(self.leaves(node), separator)]

    def _value(self, node: Node) -> Json:
        return node.get(self.text) if isinstance(node, Row) else None


class Row:
    """One row: its columns by name, its child rows under the child's name."""

    def __init__(self, members: Mapping[str, Json]) -> None:
        self.members = {name.casefold(): value for name, value in members.items()}
        self.names = {name.casefold(): name for name in members}

    def get(self, column: str) -> Json:
        return self.members.get(column.casefold())


class RowsDocument:
    says_absent = False

    def __init__(self, rows: Sequence["Row"], place: str) -> None:
        self._rows = rows
        self._place = place

    def records(self) -> Sequence[Node]:
        return self._rows

    def deleted(self) -> Sequence[Node]:
        return ()

    def place(self, node: Node) -> str:
        del node
        return self._place

    def leftover(self, node: Node, covered: Collection[Hashable]) -> dict[str, Json]:
        ways = {way for origin in covered if isinstance(origin, frozenset) for way in origin}
        folded = leftover(_folded(node.members), ways)
        return {node.names.get(name, name): value for name, value in folded.items()}


class SqlRowFormat:
    """Reads back the JSON that the sql kind writes of a row."""

    media_type = "application/json"

    def __init__(self, table: str, limits: Limits) -> None:
        self._table = table
        self._limits = limits

    def compile(self, path: str, within: Path | None) -> ColumnPath:
        return ColumnPath(path, within)

    def parse(self, raw: bytes) -> Document:
        if len(raw) > self._limits.file_bytes:
            raise UnreadableError(Reason.TOO_LARGE, f"{len(raw)} bytes")
        whole = parse_json(decode(raw, "utf-8"), self._limits.depth)
        if not isinstance(whole, dict):
            raise UnreadableError(Reason.WRONG_TYPE, "a row is an object")
        return RowsDocument([Row(whole)], self._table)


def require_column(expect: str | None, header: Collection[str]) -> None:
    """Tell a table of another kind apart by its header: `read.expect` names a column that every file has.

    Raises:
        UnreadableError: `unknown_schema`.
    """
    if expect is not None and expect.casefold() not in {name.casefold() for name in header}:
        raise UnreadableError(Reason.UNKNOWN_SCHEMA, f"there is no column {expect}, which read.expect names")


def _folded(members: Mapping[str, Any]) -> dict[str, Any]:
    folded: dict[str, Any] = {}
    for name, value in members.items():
        if isinstance(value, list):
            folded[name] = [_folded(Row(item).members) if isinstance(item, dict) else item for item in value]
        else:
            folded[name] = value
    return folded
