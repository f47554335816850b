"""The key of a record, turned back into what its key column holds."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import WHITE_SPACE
from connectors.kinds.sql_account import Dialect
from connectors.kinds.sql_direct import Query
from connectors.kinds.sql_lists import IN_LIST, one_of, values_of
from connectors.kinds.sql_tables import Layout
from connectors.protocol import RecordKey
from connectors.source_file import SourceFile

INTEGER_DIGITS = 18
"""Most digits that every 64-bit column holds."""


class KeyColumn:
    def __init__(self, source: SourceFile, layout: Layout, dialect: Dialect) -> None:
        """Check that keys can be turned back.

        Raises:
            SourceFileError: the key's mapping changes the text in a way that cannot be undone, so that "absent" could
                never be said for sure.
        """
        entry = source.fields[source.key]
        if str(entry["path"]).casefold() != layout.key.name.casefold():
            raise SourceFileError([SourceFault("/key", "its path must be the column of /reach/key")])
        self.column = layout.key
        self._table = layout.table.clause
        self._clause = self._table.c[layout.key.name]
        self._dialect = dialect
        self._prefix = ""
        self._is_trimmed = False
        self._queries: dict[int, Query] = {}
        for step in entry.get("use", []):
            match step:
                case "trim" if not self._prefix:
                    self._is_trimmed = True
                case {"prefix": str(prefix)} if not self._prefix:
                    self._prefix = prefix
                case _:
                    fault = "the key may only be trimmed, then given one prefix: other transforms cannot be turned back"
                    raise SourceFileError([SourceFault(f"/map/{source.key}/use", fault)])
        if self.column.kind == "char" and not self._is_trimmed:
            raise SourceFileError([SourceFault(f"/map/{source.key}/use", "the key column is padded; trim it")])
        if self.column.kind not in ("text", "char", "integer"):
            raise SourceFileError([SourceFault("/reach/key", "must be a column of texts or whole numbers")])

    def lookups(self, key: RecordKey) -> Iterator[tuple[Query, dict[str, Any]]]:
        """Queries to try in turn, with their values; only when none finds a row is the record absent.

        The first lets the database use its index. The second, where the mapping trims, also finds keys with white space
        around them; it may have to look at every row, so it comes only after the first found nothing.
        """
        forms = self._forms(key)
        if forms:
            yield self._by_form(len(forms)), values_of(forms)
            if self._is_trimmed and self.column.is_text:
                yield self._by_trimmed, {"form": forms[0]}

    def _by_form(self, count: int) -> Query:
        query = self._queries.get(count)
        if query is None:
            query = self._queries[count] = sa.select(self._table).where(self._is_one_of(count)).limit(2)
        return query

    @cached_property
    def _by_trimmed(self) -> Query:
        bare = self._dialect.exact(self._dialect.trimmed(self._clause, WHITE_SPACE))
        return sa.select(self._table).where(bare == sa.bindparam("form", type_=sa.String())).limit(2)

    def _is_one_of(self, count: int) -> sa.ColumnElement[bool]:
        """The bare column lets the database use its index; what it finds beyond the very texts does not count."""
        exact = self._dialect.exact(self._clause)
        if not self.column.is_text or exact is self._clause:
            return one_of(self._clause, count)
        return sa.and_(one_of(self._clause, count), one_of(exact, count, type_=self._clause.type))

    def _forms(self, key: RecordKey) -> list[str | int]:
        """What the column may hold for this key, the plain form first; none if no column value could give this key."""
        text = key.removeprefix(self._prefix)
        if not key.startswith(self._prefix) or not text.strip(WHITE_SPACE):
            return []
        if self.column.kind == "integer":
            is_whole = text.isascii() and text.isdecimal() and len(text) <= INTEGER_DIGITS and str(int(text)) == text
            return [int(text)] if is_whole else []
        return list(dict.fromkeys([text, text.ljust(self.column.width or 0)]))

    def present(self, connection: Connection, keys: Iterable[RecordKey]) -> set[RecordKey]:
        """Which of these keys the table holds."""
        forms = [form for key in keys for form in self._forms(key)]
        found: set[RecordKey] = set()
        for start in range(0, len(forms), IN_LIST):
            part = forms[start : start + IN_LIST]
            query = sa.select(self._clause).where(self._is_one_of(len(part)))
            values = connection.scalars(query, values_of(part))
            found.update(key for value in values if (key := self.from_source(value)) is not None)
        return found

    def from_source(self, value: Any) -> RecordKey | None:
        """The key of a record from what a key column (of the table of deletions) holds; None for NULL and blanks."""
        text = "" if value is None else str(value)
        if self._is_trimmed:
            text = text.strip(WHITE_SPACE)
        return RecordKey(self._prefix + text) if text.strip(WHITE_SPACE) else None
