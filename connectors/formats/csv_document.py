"""CSV records: one header line, one record a row. Encoding and delimiter are declared, never sniffed.

Records are cut out of the file by bytes: the header line and the record's own lines, both unchanged, are what a caller
gets as the record's raw form. That is why only encodings are allowed in which no character contains the byte of a line
feed (all of `ASCII_COMPATIBLE`).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.formats.document import ASCII_COMPATIBLE, Document, Limits, Path, ReadRules, decode
from connectors.formats.rows import ColumnPath, Row, RowsDocument, require_column
from connectors.quarantine import Reason, UnreadableError


@dataclass(frozen=True, slots=True)
class Span:
    """Where one record stands in its file, in bytes."""

    start: int
    stop: int


class CsvFormat:
    media_type = "text/csv"

    def __init__(self, rules: ReadRules, limits: Limits) -> None:
        """Take the rules.

        Raises:
            ValueError: an encoding in which lines cannot be told apart by bytes, or paths that CSV has not.
        """
        if rules.encoding not in ASCII_COMPATIBLE:
            raise ValueError(f"CSV in {rules.encoding} is not read")
        if rules.records or rules.deleted or rules.absent or rules.within:
            raise ValueError("read.records, .deleted, .absent and .within have no meaning for CSV")
        self._rules = rules
        self._limits = limits

    def compile(self, path: str, within: Path | None) -> ColumnPath:
        return ColumnPath(path, within)

    def parse(self, raw: bytes) -> Document:
        rows = [row for row, _ in self.rows(raw)]
        if None in rows:
            raise UnreadableError(Reason.NOT_PARSEABLE, "a line has more or fewer cells than there are columns")
        return RowsDocument([row for row in rows if row is not None], "row")

    def rows(self, raw: bytes) -> list[tuple[Row | None, Span]]:
        """Read all rows with their places; None is a line with more or fewer cells than columns.

        Raises:
            UnreadableError: the file as a whole cannot be read; a quote left open has swallowed what follows it.
        """
        if len(raw) > self._limits.file_bytes:
            raise UnreadableError(Reason.TOO_LARGE, f"{len(raw)} bytes")
        text = decode(raw, self._rules.encoding)
        lines = raw.split(b"\n")
        ends = [0]
        for line in lines:
            ends.append(ends[-1] + len(line) + 1)
        ends[-1] -= 1
        reader = csv.reader(_with_line_feeds(text), delimiter=self._rules.delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            self._require_header(header, reader.line_num)
            rows: list[tuple[Row | None, Span]] = []
            before = reader.line_num
            for cells in reader:
                if cells:
                    row = Row(dict(zip(header, cells, strict=True))) if len(cells) == len(header) else None
                    rows.append((row, Span(ends[before], ends[reader.line_num])))
                before = reader.line_num
                if len(rows) > self._limits.records:
                    raise UnreadableError(Reason.TOO_LARGE, f"more than {self._limits.records} records")
        except csv.Error as error:
            reason = Reason.TOO_LARGE if "field larger" in str(error) else Reason.NOT_PARSEABLE
            raise UnreadableError(reason, f"line {reader.line_num}") from error
        return rows

    def header(self, raw: bytes) -> bytes:
        """The bytes of the header line with its line feed. Only for files that `rows` could read."""
        return raw[: raw.index(b"\n") + 1]

    def _require_header(self, header: list[str], lines: int) -> None:
        if lines > 1:
            raise UnreadableError(Reason.NOT_PARSEABLE, "the header takes more than one line")
        others = {other for other in ",;|\t" if other in header[0]} if len(header) == 1 else set()
        if others:
            said = ", ".join(map(repr, sorted(others)))
            raise UnreadableError(Reason.UNKNOWN_SCHEMA, f"one column by {self._rules.delimiter!r}, several by {said}")
        folded = [name.casefold() for name in header]
        if not any(header):
            raise UnreadableError(Reason.UNKNOWN_SCHEMA, "no header line")
        if len(set(folded)) != len(folded) or "" in folded:
            raise UnreadableError(Reason.UNKNOWN_SCHEMA, "a column has no name, or two have the same")
        require_column(self._rules.expect, header)


def _with_line_feeds(text: str) -> Iterator[str]:
    r"""Lines as `bytes.split(b"\\n")` would cut them: `str.splitlines` knows ten more line ends."""
    *lines, last = text.split("\n")
    for line in lines:
        yield line + "\n"
    if last:
        yield last
