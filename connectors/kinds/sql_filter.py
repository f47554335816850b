"""Row filters as SQL: what a source file allows to be pushed down becomes a WHERE with bound values, the rest is left.

Pushed down means: the database decides exactly as the row filter would on the mapped record, NULL, padding and code
tables included. Where that cannot be had, the source file is refused or the node is left; nothing is ever narrower.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import WHITE_SPACE
from connectors.kinds.sql_account import Dialect
from connectors.kinds.sql_tables import Child, Column, Layout, Table
from connectors.row_filter import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Compare,
    Constant,
    Exists,
    Not,
    OneOf,
    Op,
    RowFilter,
    Scalar,
    all_of,
)
from connectors.source_file import SourceFile

Clause = sa.ColumnElement[bool]

_CODED_OPS = frozenset({Op.EQ, Op.NE, Op.IN, Op.EXISTS})


@dataclass(frozen=True, slots=True)
class PushedField:
    """One field that the database can compare."""

    column: Column
    table: Table
    child: Child | None
    ops: frozenset[Op]
    is_trimmed: bool
    codes: Mapping[str, tuple[str, ...]] | None
    """By the record's word, the source's codes for it; None where the column holds the value itself."""
    date_format: str | None

    def holds_type_of(self, value: Scalar) -> bool:
        """Whether the mapped field is of the value's type, so that the two can be compared at all."""
        kinds = {"boolean": bool, "integer": int}
        return type(value) is kinds.get(self.column.kind, str)

    def stored(self, value: Scalar) -> Any:
        """The value as the column holds it; None where the column cannot hold it."""
        if isinstance(value, bool):
            return value if self.column.kind == "boolean" else None
        if self.column.kind == "integer":
            return value if isinstance(value, int) else None
        if not isinstance(value, str) or not value:
            return None
        if self.date_format is None and self.column.kind != "date":
            return value if self.column.is_text else None
        try:
            day = date.fromisoformat(value)
        except ValueError:
            return None
        return day if self.date_format is None else day.strftime(self.date_format)


class PushDown:
    def __init__(self, source: SourceFile, layout: Layout, dialect: Dialect) -> None:
        """Check the `pushdown` part against the mapping and the columns.

        Raises:
            SourceFileError: a comparison that the database could not make as the mapped record would.
        """
        self._dialect = dialect
        self._main = layout.table
        self.fields = {
            name: _pushed(name, document, source, layout) for name, document in source.reach.get("pushdown", {}).items()
        }

    def split(self, wanted: RowFilter) -> tuple[Clause, RowFilter]:
        """Give the WHERE clause, and what is left to be applied to each row that comes back."""
        parts = wanted.parts if isinstance(wanted, AllOf) else (wanted,)
        clauses, left = [], []
        for part in parts:
            clause = self._clause(part)
            if clause is None:
                left.append(part)
            else:
                clauses.append(clause)
        return sa.and_(sa.true(), *clauses), all_of(tuple(left)) if left else EVERYTHING

    def _clause(self, wanted: RowFilter) -> Clause | None:  # noqa: PLR0911  (one answer a kind of node)
        """The node as SQL, never NULL in effect; None if any part of it cannot be pushed."""
        match wanted:
            case Constant(value):
                return sa.true() if value else sa.false()
            case AllOf(parts) | AnyOf(parts):
                clauses = [clause for part in parts if (clause := self._clause(part)) is not None]
                if len(clauses) != len(parts):
                    return None
                is_all = isinstance(wanted, AllOf)
                return sa.and_(sa.true(), *clauses) if is_all else sa.or_(sa.false(), *clauses)
            case Not(part):
                clause = self._clause(part)
                # Not `NOT clause`: that is NULL where the clause is, and the row would be lost.
                return None if clause is None else sa.case((clause, 1), else_=0) == 0
            case Compare(op, field, value):
                return self._compared(field, op, (value,))
            case OneOf(field, values):
                return self._compared(field, Op.IN, values)
            case Exists(field):
                return self._compared(field, Op.EXISTS, ())
            case _:
                return None

    def _compared(self, name: str, op: Op, values: tuple[Scalar, ...]) -> Clause | None:
        field = self.fields.get(name)
        if field is None or op not in field.ops:
            return None
        if field.child is not None:
            return self._of_child(field, field.child, op, values)
        return self._of_column(field, field.table.clause.c[field.column.name], op, values)

    def _of_child(self, field: PushedField, child: Child, op: Op, values: tuple[Scalar, ...]) -> Clause | None:
        table = child.table.clause.alias("ipx_child")
        joined = self._joined(table.c[child.on.name], child)
        column = table.c[field.column.name]
        inner = self._of_column(field, column, Op.EQ if op is Op.CONTAINS else op, values)
        return None if inner is None else sa.exists().where(joined, inner)

    def _joined(self, on: sa.ColumnElement[Any], child: Child) -> Clause:
        parent = self._main.clause.c[child.parent.name]
        if not (child.on.is_text and child.parent.is_text):
            return on == parent
        # One of the two may be padded, or both to different widths.
        exact, trimmed = self._dialect.exact, self._dialect.trimmed
        return exact(trimmed(on, WHITE_SPACE)) == exact(trimmed(parent, WHITE_SPACE))

    def _of_column(
        self, field: PushedField, column: sa.ColumnElement[Any], op: Op, values: tuple[Scalar, ...]
    ) -> Clause | None:
        if field.codes is not None:
            return self._of_codes(field, column, op, values)
        text = self._text(field, column)
        present = self._present(field, column)
        if op is Op.EXISTS:
            return present
        if not values or not any(field.holds_type_of(value) for value in values):
            return sa.false()  # values of two types do not compare
        stored = [kept for value in values if (kept := field.stored(value)) is not None]
        if op is Op.IN or op is Op.EQ:
            return sa.and_(present, text.in_(stored)) if stored else sa.false()
        if op is Op.NE:
            return sa.and_(present, text != stored[0]) if stored else present
        # A text that is no date has its place among the dates as text: only the gateway can say which.
        return sa.and_(present, self._ordering(field, column, op, stored[0])) if stored else None

    def _ordering(self, field: PushedField, column: sa.ColumnElement[Any], op: Op, value: Any) -> Clause:
        left = self._dialect.ordered(self._bare(field, column)) if field.column.is_text else column
        orderings: dict[Op, Clause] = {
            Op.LT: left < value,
            Op.LE: left <= value,
            Op.GT: left > value,
            Op.GE: left >= value,
        }
        return orderings[op]

    def _of_codes(
        self, field: PushedField, column: sa.ColumnElement[Any], op: Op, values: tuple[Scalar, ...]
    ) -> Clause:
        text, words = self._text(field, column), field.codes or {}
        if op is Op.EXISTS:
            return self._present(field, column)
        if op is Op.NE:
            wanted = [word for word in words if word != values[0] and isinstance(values[0], str)]
        else:
            wanted = [word for word in words if word in values]
        codes = [code for word in wanted for code in words[word]]
        return text.in_(codes) if codes else sa.false()

    def _present(self, field: PushedField, column: sa.ColumnElement[Any]) -> Clause:
        """Empty text and white space count as absent, as in the mapping."""
        if not field.column.is_text:
            return column.is_not(None)
        return sa.and_(column.is_not(None), self._dialect.trimmed(column, WHITE_SPACE) != "")

    def _text(self, field: PushedField, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """The value as it is compared with others for being the same."""
        return self._dialect.exact(self._bare(field, column)) if field.column.is_text else column

    def _bare(self, field: PushedField, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        text = self._dialect.trimmed(column, WHITE_SPACE) if field.is_trimmed or field.date_format else column
        if field.date_format is not None:
            # What follows the date is an offset, which the mapping cuts off.
            width = len(date(2000, 1, 1).strftime(field.date_format))
            return sa.func.substr(text, 1, width)
        return text


def _pushed(name: str, document: Mapping[str, Any], source: SourceFile, layout: Layout) -> PushedField:
    child = next((child for child in layout.children if child.name == document.get("child")), None)
    if "child" in document and child is None:
        raise _fault(name, f"reach has no child {document['child']}")
    table = child.table if child else layout.table
    column = table.column(document["column"])
    ops = frozenset(map(Op, document["ops"]))
    if (child is not None) != (Op.CONTAINS in ops) or (child is not None and ops - {Op.CONTAINS, Op.EXISTS}):
        raise _fault(name, "contains needs a child, and a child allows contains and exists only")
    if source.remedy(name) != "quarantine":
        raise _fault(name, "a field whose faults are only flagged cannot be compared by the database")
    steps = _steps(name, document, source)
    if column.kind == "integer" and "int" not in steps and (steps or name not in source.fields):
        raise _fault(name, "a column of whole numbers is compared only where the mapping reads it as `int`")
    codes = _codes(name, steps, ops)
    date_format = _date_format(name, document, column, steps)
    is_trimmed = "trim" in [step for step in steps if isinstance(step, str)]
    if column.kind == "char" and not is_trimmed and not date_format:
        raise _fault(name, "the column is padded to a fixed width; its mapping must trim")
    if column.kind in ("instant", "other"):
        raise _fault(name, "a column of this type cannot be compared as the mapped value")
    return PushedField(column, table, child, ops, is_trimmed, codes, date_format)


def _steps(name: str, document: Mapping[str, Any], source: SourceFile) -> list[Any]:
    """The transforms of the field's own mapping. A fact that is no field of the mapping is compared as trimmed text."""
    entry = source.fields.get(name)
    if entry is None:
        return ["trim"]
    path = entry if isinstance(entry, str) else entry.get("path") or entry.get("all")
    named = f"{document['child']}.{document['column']}" if "child" in document else document["column"]
    if not isinstance(path, str) or path.casefold() != named.casefold():
        raise _fault(name, "names another column than the mapping of this field")
    return list(entry.get("use", [])) if isinstance(entry, dict) else []


def _codes(name: str, steps: list[Any], ops: frozenset[Op]) -> dict[str, tuple[str, ...]] | None:
    found: dict[str, list[str]] | None = None
    for step in steps:
        match step:
            case "trim" | "int" | {"date": _}:
                pass
            case {"code": dict(table)}:
                found = {}
                for code, word in table.items():
                    found.setdefault(word, []).append(code)
            case _:
                raise _fault(name, "its transforms cannot be turned back; only trim, date and an inline code table can")
    if found is not None and not ops <= _CODED_OPS:
        raise _fault(name, "a coded field has no order")
    return None if found is None else {word: tuple(codes) for word, codes in found.items()}


def _date_format(name: str, document: Mapping[str, Any], column: Column, steps: list[Any]) -> str | None:
    formats = next((step["date"] for step in steps if isinstance(step, dict) and "date" in step), None)
    wanted = document.get("as")
    if formats is None and wanted is None:
        return None
    if formats is not None and formats != [wanted or "%Y-%m-%d"]:
        raise _fault(name, "`as` must be the one format by which the mapping reads the date")
    if column.kind == "date" and wanted is None:
        return None
    if not column.is_text or wanted is None:
        raise _fault(name, "a date in a text column needs `as`, a date in a date column must not have it")
    return str(wanted)


def _fault(name: str, detail: str) -> SourceFileError:
    return SourceFileError([SourceFault(f"/reach/pushdown/{name}", detail)])
