"""The empty form of a source whose records people type: the columns its mapping reads, and what belongs in them."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.errors import SourceFault, SourceFileError
from connectors.source_file import SourceFile

ROWS_READY = 1000
"""Rows that are formatted as text, so that a spreadsheet does not make `018222197` a number."""


@dataclass(frozen=True, slots=True)
class TemplateColumn:
    name: str
    is_required: bool
    hint: str


def template(file: SourceFile) -> bytes:
    """Make the form: CSV in the declared encoding, or a workbook.

    Raises:
        SourceFileError: the source does not read rows of named columns.
    """
    columns = list(dict.fromkeys(_columns(file.fields)))
    match file.read.format:
        case "csv":
            text = io.StringIO()
            csv.writer(text, delimiter=file.read.delimiter).writerow([column.name for column in columns])
            return text.getvalue().encode(file.read.encoding)
        case "xlsx":
            return _workbook(file, columns)
        case other:
            raise SourceFileError([SourceFault("/read/format", f"there is no form for {other}, only for csv and xlsx")])


def _workbook(file: SourceFile, columns: list[TemplateColumn]) -> bytes:
    from openpyxl import Workbook  # noqa: PLC0415  (takes a quarter of a second, and few commands need it)
    from openpyxl.comments import Comment  # noqa: PLC0415
    from openpyxl.styles import Font  # noqa: PLC0415

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = file.read.sheet or file.record_type
    sheet.freeze_panes = "A2"
    for number, column in enumerate(columns, 1):
        cell = sheet.cell(1, number, column.name)
        cell.font = Font(bold=column.is_required)
        cell.comment = Comment(column.hint, "IPX Gateway")
        sheet.column_dimensions[cell.column_letter].width = max(14, len(column.name) + 4)
        for row in range(2, ROWS_READY + 2):
            sheet.cell(row, number).number_format = "@"
    raw = io.BytesIO()
    book.save(raw)
    return raw.getvalue()


def _columns(entries: Mapping[str, Any], *, required: bool = True) -> Iterator[TemplateColumn]:
    for name, entry in entries.items():
        match entry:
            case str(path):
                yield TemplateColumn(path, is_required=False, hint=name)
            case {"path": str(path)} | {"all": str(path)}:
                is_required = required and entry.get("required", False)
                yield TemplateColumn(path, is_required, _hint(name, entry, is_required=is_required))
            case {"one": "@" | ".", "map": below} | {"each": "@" | ".", "map": below}:
                yield from _columns(below, required=required and entry.get("required", False))
            case _:
                pass


def _hint(name: str, entry: Mapping[str, Any], *, is_required: bool) -> str:
    parts = [name, "required" if is_required else "may be empty"]
    for step in entry.get("use", ()):
        match step:
            case {"date": [*formats]}:
                parts.append("date as " + " or ".join(map(str, formats)))
            case {"code": dict(table)}:
                parts.append("one of " + ", ".join(map(str, table)))
            case {"number": kind}:
                parts.append(f"number of kind {kind}")
            case {"split": separator}:
                parts.append(f"several, separated by {separator!r}")
            case _:
                pass
    return "; ".join(parts)
