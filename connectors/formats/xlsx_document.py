"""Workbooks: one sheet, one header line, one record a row. For agencies that have nothing but a spreadsheet.

A formula is no fact: its value was last computed who knows when, so a cell with one is refused where it is mapped. A
merged cell has one value and many places; a sheet with any is refused whole.
"""

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.archive import ArchiveRules, members
from connectors.formats.document import Document, Json, Limits, Path, ReadRules, is_blank
from connectors.formats.rows import ColumnPath, Row, RowsDocument, require_column
from connectors.quarantine import Reason, UnreadableError

if TYPE_CHECKING:  # the rest is imported where a workbook is read: it takes a quarter of a second
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

COLUMNS_MAX = 500
_RULES = ArchiveRules("*", bytes_max=200_000_000, files_max=2_000)


class XlsxFormat:
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(self, rules: ReadRules, limits: Limits) -> None:
        """Take the rules.

        Raises:
            ValueError: paths that a sheet has not.
        """
        if rules.records or rules.deleted:
            raise ValueError("read.records and read.deleted have no meaning for a workbook")
        self._sheet = rules.sheet
        self._expect = rules.expect
        self._limits = limits

    def compile(self, path: str, within: Path | None) -> ColumnPath:
        return ColumnPath(path, within)

    def parse(self, raw: bytes) -> Document:
        if len(raw) > self._limits.file_bytes:
            raise UnreadableError(Reason.TOO_LARGE, f"{len(raw)} bytes")
        _require_harmless(raw)
        from openpyxl import load_workbook  # noqa: PLC0415

        try:
            book = load_workbook(io.BytesIO(raw), keep_links=False)
            sheet = self._found(book)
            return RowsDocument(self._rows(sheet), "row")
        except UnreadableError:
            raise
        except Exception as error:
            # openpyxl lets through whatever its parts raise; all of it means that this is no workbook.
            raise UnreadableError(Reason.NOT_PARSEABLE, type(error).__name__) from error

    def _found(self, book: "Workbook") -> "Worksheet":
        names = book.sheetnames
        if self._sheet is None and len(names) > 1:
            raise UnreadableError(Reason.UNKNOWN_SCHEMA, "several sheets; read.sheet must name one")
        if self._sheet is not None and self._sheet not in names:
            raise UnreadableError(Reason.UNKNOWN_SCHEMA, f"no sheet {self._sheet}")
        from openpyxl.worksheet.worksheet import Worksheet  # noqa: PLC0415

        sheet = book[self._sheet or names[0]]
        if not isinstance(sheet, Worksheet):
            raise UnreadableError(Reason.UNKNOWN_SCHEMA, "a chart is no sheet")
        if sheet.max_row > self._limits.records + 1 or sheet.max_column > COLUMNS_MAX:
            raise UnreadableError(Reason.TOO_LARGE, f"{sheet.max_row} rows, {sheet.max_column} columns")
        if sheet.merged_cells.ranges:
            raise UnreadableError(Reason.WRONG_TYPE, f"merged cells {min(map(str, sheet.merged_cells.ranges))}")
        return sheet

    def _rows(self, sheet: "Worksheet") -> list[Row]:
        lines = sheet.iter_rows()
        header = _header(next(lines, ()))
        require_column(self._expect, header)
        rows = []
        for cells in lines:
            values = [_value(cell) for cell in cells]
            if any(value is not None for value in values[len(header) :]):
                raise UnreadableError(Reason.UNKNOWN_SCHEMA, f"row {cells[0].row}: a value under no column name")
            row = dict(zip(header, values, strict=False))
            if any(value is not None for value in row.values()):
                rows.append(Row(row))
        return rows


def _header(cells: Sequence[Any]) -> list[str]:
    names = ["" if cell.value is None else str(cell.value).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise UnreadableError(Reason.UNKNOWN_SCHEMA, "no header line")
    if "" in names or len({name.casefold() for name in names}) != len(names):
        raise UnreadableError(Reason.UNKNOWN_SCHEMA, "a column has no name, or two have the same")
    return names


def _value(cell: Any) -> Json:  # noqa: PLR0911  (one answer a kind of cell)
    if cell.data_type in ("f", "e"):
        # No text, number or truth value: a path that leads here is refused with `wrong_type`.
        return {"formula" if cell.data_type == "f" else "error": str(cell.value)}
    match cell.value:
        case None:
            return None
        case bool() | int() as value:
            return value
        case float() as value:
            return Decimal(repr(value))
        case datetime() as value:
            return value.date().isoformat() if value.time() == time(0) else value.isoformat()
        case date() | time() as value:
            return value.isoformat()
        case str() as text:
            return None if is_blank(text) else text
        case value:
            return str(value)


def _require_harmless(raw: bytes) -> None:
    """Look for bombs and document types before anything is parsed."""
    for name in members(io.BytesIO(raw), _RULES):
        if not name.endswith((".xml", ".rels")):
            continue
        with zipfile.ZipFile(io.BytesIO(raw)) as archive, archive.open(name) as part:
            head = part.read(4096)
        if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or head.lstrip().startswith(b"<\x00"):
            raise UnreadableError(Reason.NOT_PARSEABLE, "a part of the workbook is no XML in UTF-8")
        if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
            raise UnreadableError(Reason.FORBIDDEN_XML, "a part of the workbook declares a document type")
