"""Lists as files, line by line: CSV for a spreadsheet, NDJSON for a program."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

FORMS: Final = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
MARK: Final = "\ufeff"
"""What tells a Chinese Excel that a file is UTF-8."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
EXCHANGES: Final = (
    "id",
    "received_at",
    "requester",
    "holder",
    "client",
    "supplier",
    "record_type",
    "purpose",
    "legal_basis",
    "outcome",
    "stage",
    "reason",
    "withheld",
    "took_ms",
    "log_index",
    "erased",
)
RECALLS: Final = (
    "id",
    "kind",
    "holder",
    "client",
    "record_type",
    "record",
    "reason",
    "order",
    "made_at",
    "due_at",
    "acknowledged",
    "addressed",
    "overdue",
    "addressees",
    "log_index",
)
DECISIONS: Final = (
    "exchange",
    "received_at",
    "decided_at",
    "requester",
    "holder",
    "record_type",
    "purpose",
    "outcome",
    "stage",
    "reason",
    "policies",
    "book",
    "withheld",
    "verdicts",
    "log_index",
)
SIGN_INS: Final = ("id", "at", "person", "outcome", "via", "factor", "ip", "actor", "log_index")
ACTS: Final = ("id", "at", "actor", "act", "subject", "detail", "log_index")


def lines(
    kind: str,
    agency: str | None,
    wanted: Mapping[str, str],
    at: str,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    form: str,
    *,
    leaf: int | None,
    mark: bool,
) -> Iterator[bytes]:
    """Write a list as a file of one of `FORMS`, which says itself what it is of, when and for whom it was taken.

    It also says which leaf of the log notes that it was taken: it is of the log as it was then.
    """
    about = {"of": kind, "at": at, "leaf": leaf, "scope": agency or "national", "filter": dict(wanted)}
    if form == "csv":
        heading = (
            f"{kind} of {about['scope']}, taken {at}, leaf {leaf} of the log, filter: {urlencode(wanted) or 'none'}"
        )
        return as_csv(rows, columns, heading, mark=mark)
    return as_ndjson(rows, about)


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], heading: str, *, mark: bool) -> Iterator[bytes]:
    """Write rows below a comment line that says what the file is of; no cell can begin a formula."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\r\n")
    if mark:
        line.write(MARK)
    writer.writerow([f"# {heading}"])
    writer.writerow(columns)
    yield _taken(line)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
        yield _taken(line)


def as_ndjson(rows: Iterable[Mapping[str, Any]], about: Mapping[str, Any]) -> Iterator[bytes]:
    """Write one object a line; the first says what the file is of."""
    yield json.dumps({"export": dict(about)}, ensure_ascii=False).encode() + b"\n"
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            text = " ".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in value)
        case dict():
            text = json.dumps(value, ensure_ascii=False, sort_keys=True)
        case _:
            text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _taken(line: io.StringIO) -> bytes:
    data = line.getvalue().encode()
    line.seek(0)
    line.truncate()
    return data
