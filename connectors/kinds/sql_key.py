"""The key of a record, turned back into what its key column holds."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import WHITE_SPACE
from connectors.kinds.sql_account import Dialect
from connectors.kinds.sql_tables import Layout
from connectors.protocol import RecordKey
from connectors.source_file import SourceFile


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
        self._column = layout.key
        self._clause = layout.table.clause.c[layout.key.name]
        self._dialect = dialect
        self._prefix = ""
        self._is_trimmed = False
        for step in entry.get("use", []):
            match step:
                case "trim" if not self._prefix:
                    self._is_trimmed = True
                case {"prefix": str(prefix)} if not self._prefix:
                    self._prefix = prefix
                case _:
                    fault = "the key may only be trimmed, then given one prefix: other transforms cannot be turned back"
                    raise SourceFileError([SourceFault(f"/map/{source.key}/use", fault)])
        if self._column.kind == "char" and not self._is_trimmed:
            raise SourceFileError([SourceFault(f"/map/{source.key}/use", "the key column is padded; trim it")])
        if self._column.kind not in ("text", "char", "integer"):
            raise SourceFileError([SourceFault("/reach/key", "must be a column of texts or whole numbers")])

    def clauses(self, key: RecordKey) -> Iterator[sa.ColumnElement[bool]]:
        """Conditions to try in turn; only when none finds a row is the record absent.

        The first lets the database use its index. The second, where the mapping trims, also finds keys with white space
        around them; it may have to look at every row, so it comes only after the first found nothing.
        """
        text = key.removeprefix(self._prefix)
        if not key.startswith(self._prefix) or not text.strip(WHITE_SPACE):
            return
        if self._column.kind == "integer":
            if text.isascii() and text.isdecimal() and str(int(text)) == text and len(text) <= 18:  # noqa: PLR2004  (64 bits)
                yield self._clause == int(text)
            return
        forms = [text]
        if self._column.width and len(text) < self._column.width:
            forms.append(text.ljust(self._column.width))
        yield self._clause.in_(forms)
        if self._is_trimmed:
            yield self._dialect.trimmed(self._clause, WHITE_SPACE) == text

    def from_source(self, value: Any) -> RecordKey | None:
        """The key of a record from what a key column (of the table of deletions) holds; None for NULL and blanks."""
        text = "" if value is None else str(value)
        if self._is_trimmed:
            text = text.strip(WHITE_SPACE)
        return RecordKey(self._prefix + text) if text.strip(WHITE_SPACE) else None
