"""What a source file says of a database, held against what is there: tables, columns, and what the columns can hold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.errors import SourceRefusedError
from connectors.source_file import SourceFile, parse_duration

ColumnKind = Literal["text", "char", "integer", "date", "instant", "boolean", "other"]

NO_PATHS = ("@", ".")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the database names it. `width` is the fixed width of a CHAR column."""

    name: str
    kind: ColumnKind
    width: int | None

    @property
    def is_text(self) -> bool:
        return self.kind in ("text", "char")


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view with all its columns, found without regard to upper and lower case."""

    name: str
    schema: str | None
    columns: tuple[Column, ...]
    clause: sa.TableClause = field(init=False, compare=False, repr=False)
    """One object for all queries: SQLAlchemy takes two of the same name for two tables."""

    def __post_init__(self) -> None:
        columns: list[sa.ColumnClause[Any]] = [sa.column(column.name) for column in self.columns]
        object.__setattr__(self, "clause", sa.table(self.name, *columns, schema=self.schema))

    def column(self, name: str) -> Column:
        """Find a column.

        Raises:
            SourceRefusedError: there is none of this name, or two that differ only in case.
        """
        exact = [column for column in self.columns if column.name == name]
        found = exact or [column for column in self.columns if column.name.casefold() == name.casefold()]
        if len(found) != 1:
            raise SourceRefusedError(f"table {self.name} has no column {name}")
        return found[0]


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    table: Table
    on: Column
    parent: Column
    """The column of the main table that `on` repeats."""
    order: Column | None
    rows_max: int


@dataclass(frozen=True, slots=True)
class Mark:
    """The column that tells what is new."""

    column: Column
    overlap: timedelta


@dataclass(frozen=True, slots=True)
class Graveyard:
    """The table in which a source notes what it deleted."""

    table: Table
    key: Column
    at: Column


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything the queries of one source are made of."""

    table: Table
    key: Column
    children: tuple[Child, ...]
    mark: Mark | None
    deleted: Graveyard | None


def read_layout(connection: Connection, source: SourceFile) -> Layout:
    """Look up what the source file names.

    Raises:
        SourceRefusedError: naming the table or column that is not there.
    """
    reach = source.reach
    inspector = sa.inspect(connection)
    main = _table(inspector, reach["table"])
    key = main.column(reach["key"])
    children = tuple(
        _child(inspector, name, main, key, document) for name, document in reach.get("children", {}).items()
    )
    names = {column.name.casefold() for column in main.columns}
    for child in children:
        if child.name.casefold() in names:
            raise SourceRefusedError(f"table {main.name} has a column {child.name}; name the child otherwise")
    layout = Layout(main, key, children, _mark(main, reach), _graveyard(inspector, reach))
    _require_mapped_columns(source, layout)
    return layout


def columns_named(entries: Mapping[str, Any], child: str | None = None) -> Iterator[tuple[str | None, str]]:
    """Every column that a mapping reads, with the child it belongs to (None: the main table)."""
    for entry in entries.values():
        match entry:
            case str(path) | {"path": str(path)} | {"all": str(path)}:
                if path not in NO_PATHS:
                    above, point, column = path.partition(".")
                    yield (above, column) if point else (child, path)
            case {"each": str(path), "map": below} | {"one": str(path), "map": below}:
                yield from columns_named(below, child if path in NO_PATHS else path)
            case _:
                pass


def _require_mapped_columns(source: SourceFile, layout: Layout) -> None:
    tables: dict[str | None, Table] = {None: layout.table} | {child.name: child.table for child in layout.children}
    named = list(columns_named(source.fields))
    if source.revised is not None:
        named += columns_named({"revised": source.revised})
    for child, column in named:
        if child not in tables:
            raise SourceRefusedError(f"the mapping reads child {child}, which reach does not name")
        tables[child].column(column)


def _table(inspector: sa.Inspector, name: str) -> Table:
    schema, _, bare = name.rpartition(".")
    wanted_schema = _folded(schema, inspector.get_schema_names()) if schema else None
    there = [*inspector.get_table_names(wanted_schema), *inspector.get_view_names(wanted_schema)]
    found = _folded(bare, there)
    if found is None or (schema and wanted_schema is None):
        raise SourceRefusedError(f"there is no table {name}, or the account may not see it")
    has_types = inspector.dialect.name != "sqlite"
    columns = tuple(_column(document, has_types=has_types) for document in inspector.get_columns(found, wanted_schema))
    return Table(found, wanted_schema, columns)


def _folded(name: str, names: list[str]) -> str | None:
    if name in names:
        return name
    alike = [known for known in names if known.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def _column(document: Mapping[str, Any], *, has_types: bool) -> Column:
    """`has_types` is false where dates are texts and truth values numbers, whatever the column was declared as."""
    found = document["type"]
    kind: ColumnKind = "other"
    width = None
    match found:
        case sa.CHAR() | sa.NCHAR():
            kind, width = "char", found.length
        case sa.String():
            kind = "text"
        case sa.Boolean():
            kind = "boolean" if has_types else "integer"
        case sa.Integer():
            kind = "integer"
        case sa.DateTime():
            kind = "instant" if has_types else "text"
        case sa.Date():
            kind = "date" if has_types else "text"
        case sa.types.NullType() if not has_types:
            kind = "char"  # a computed column of a view; it may hold anything, padded too
        case _:
            pass
    return Column(document["name"], kind, width)


def _child(inspector: sa.Inspector, name: str, main: Table, key: Column, document: Mapping[str, Any]) -> Child:
    table = _table(inspector, document["table"])
    on = table.column(document["on"])
    alike = [column for column in main.columns if column.name.casefold() == on.name.casefold()]
    order = table.column(document["order"]) if "order" in document else None
    return Child(name, table, on, alike[0] if alike else key, order, document.get("max", 500))


def _mark(main: Table, reach: Mapping[str, Any]) -> Mark | None:
    if "watermark" not in reach:
        return None
    document = reach["watermark"]
    return Mark(main.column(document["column"]), parse_duration(document.get("overlap", "PT5M")))


def _graveyard(inspector: sa.Inspector, reach: Mapping[str, Any]) -> Graveyard | None:
    if "deleted" not in reach:
        return None
    document = reach["deleted"]
    table = _table(inspector, document["table"])
    return Graveyard(table, table.column(document["key"]), table.column(document["at"]))
