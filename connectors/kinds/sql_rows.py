"""A row and its child rows as JSON: sorted, compact, and with nothing of the driver's types left in it."""

import base64
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import sha256
from math import isfinite
from typing import Any, Final
from uuid import UUID

import orjson
import sqlalchemy as sa

from connectors.errors import ConnectorError
from connectors.formats.document import WHITE_SPACE
from connectors.formats.rows import BINARY, UNDECODABLE, Row
from connectors.kinds.sql_account import Undecodable
from connectors.kinds.sql_direct import Members, Query, Read
from connectors.kinds.sql_lists import IN_LIST, one_of, shape_of, values_of
from connectors.kinds.sql_tables import Child, Layout
from connectors.mapping import Identity, RecordMapping

ROWS_REMEMBERED: Final = 4096

_SIMPLE: Final = frozenset({str, int, bool, type(None)})


class TooManyChildrenError(ConnectorError):
    """A record has more child rows than its source file allows; it is not cut."""


def row_json(members: Members) -> bytes:
    """Write a row.

    This is our own serialisation, for a database has no bytes of a record; no signature could be checked over it.
    """
    if _is_simple(members):
        with suppress(orjson.JSONEncodeError):  # a number of more than 64 bits, half of a surrogate pair
            return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
    return _WRITER.encode(members).encode()


def _is_simple(members: Members) -> bool:
    """Whether `orjson` writes the row as `json` does: no floats, nothing of the driver's own types, not even below."""
    kinds = set(map(type, members.values()))
    if list not in kinds:
        return kinds <= _SIMPLE
    kinds.discard(list)
    return kinds <= _SIMPLE and all(
        type(row) is dict and _SIMPLE.issuperset(map(type, row.values()))
        for rows in members.values()
        if type(rows) is list
        for row in rows
    )


class RowIdentities:
    """Reads key and revision out of rows as their mapping does; a row that has not changed is not read again."""

    def __init__(self, mapping: RecordMapping) -> None:
        self._mapping = mapping
        self._known: dict[bytes, Identity] = {}

    def of(self, raw: bytes) -> Identity:
        """Take a row as `row_json` writes it."""
        digest = sha256(raw).digest()
        identity = self._known.get(digest)
        if identity is None:
            identity = self._mapping.identify(Row(self._mapping.format.parse(raw).records()[0].members))
            if len(self._known) >= ROWS_REMEMBERED:
                self._known = {}
            self._known[digest] = identity
        return identity


class ChildRows:
    """Finds the child rows of rows; each of its queries is built once: that costs more than running it."""

    def __init__(self, layout: Layout) -> None:
        self._children = [(child, _Queries(child)) for child in layout.children]

    def join(self, read: Read, rows: Sequence[Members]) -> None:
        """Put the child rows of each row under the child's name, an empty list where there are none.

        Raises:
            TooManyChildrenError: a row has more than `max`.
        """
        for row in rows:
            _make_finite(row)
        for child, queries in self._children:
            below = _child_rows(read, child, queries, [row[child.parent.name] for row in rows])
            for row in rows:
                own = below.get(_joined(row[child.parent.name]), [])
                if len(own) > child.rows_max:
                    raise TooManyChildrenError(f"{child.table.name}: more than {child.rows_max} rows for one record")
                row[child.name] = own


class _Queries(dict[int, Query]):
    """The queries for a child's rows, by how many values of their parents are compared."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def __missing__(self, count: int) -> Query:
        child, table = self._child, self._child.table.clause
        on = table.c[child.on.name]
        order = [table.c[child.order.name]] if child.order else []
        query = sa.select(table).where(one_of(on, count)).order_by(on, *order)
        self[count] = query = query.limit(sa.bindparam("most", type_=sa.Integer()))
        return query


def _child_rows(read: Read, child: Child, queries: _Queries, parents: Sequence[Any]) -> dict[Any, list[Members]]:
    wanted = list({form: None for value in parents if value is not None for form in _forms(value, child)})
    found: dict[Any, list[Members]] = defaultdict(list)
    for start in range(0, len(wanted), IN_LIST):
        part = wanted[start : start + IN_LIST]
        values = values_of(part)
        values["most"] = (child.rows_max + 1) * len(part)
        for row in read(queries[shape_of(len(part))], values):
            _make_finite(row)
            found[_joined(row[child.on.name])].append(row)
    return found


def _forms(value: Any, child: Child) -> list[Any]:
    """The texts under which a child row may repeat its parent's value: as it is, trimmed, padded to the column."""
    if not isinstance(value, str):
        return [value]
    bare = value.rstrip(" ")
    return [value, bare, bare.ljust(child.on.width or 0)]


def _joined(value: Any) -> Any:
    return value.strip(WHITE_SPACE) if isinstance(value, str) else value


def _make_finite(row: Members) -> None:
    """JSON has no NaN and no infinity; as texts they are refused by any number of the mapping."""
    if float in map(type, row.values()):
        for name, value in row.items():
            if isinstance(value, float) and not isfinite(value):
                row[name] = str(value)


def _plain(value: Any) -> Any:
    match value:
        case Undecodable():
            return {UNDECODABLE: base64.b64encode(value).decode()}
        case bytes() | bytearray() | memoryview():
            return {BINARY: base64.b64encode(bytes(value)).decode()}
        case Decimal() | UUID():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


_WRITER: Final = json.JSONEncoder(
    default=_plain,
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    allow_nan=False,
    check_circular=False,  # nothing that comes out of a database contains itself
)
