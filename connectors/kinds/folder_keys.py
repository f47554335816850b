"""Reading the keys out of one file, without mapping the rest of its records."""

from collections.abc import Sequence
from typing import Any

from connectors.dates import write_instant
from connectors.formats.csv_document import CsvFormat
from connectors.kinds.folder_index import Entry
from connectors.mapping import RecordMapping
from connectors.quarantine import Reason, UnreadableError

Span = tuple[int, int]


def keys_in(mapping: RecordMapping, name: str, raw: bytes) -> tuple[str | None, list[Entry]]:
    """Read the keys, revisions and deletion notices of a file.

    Returns:
        Why nothing can be read from it (a word of `quarantine.Reason`), or None with the entries.
    """
    try:
        records, spans, deleted, says_absent = _nodes(mapping, raw)
    except UnreadableError as error:
        return str(error.reason), []
    if not records and not deleted and not says_absent:
        return str(Reason.WRONG_TYPE), []
    entries = [
        _entry(mapping, name, (position, node), span, is_deleted=False)
        for position, (node, span) in enumerate(zip(records, spans, strict=True))
    ]
    entries += [_entry(mapping, name, numbered, (0, 0), is_deleted=True) for numbered in enumerate(deleted)]
    return None, entries


def _nodes(mapping: RecordMapping, raw: bytes) -> tuple[Sequence[Any], Sequence[Span], Sequence[Any], bool]:
    if isinstance(mapping.format, CsvFormat):
        rows = mapping.format.rows(raw)
        return [row for row, _ in rows], [(span.start, span.stop) for _, span in rows], (), False
    document = mapping.format.parse(raw)
    records = document.records()
    return records, [(0, 0)] * len(records), document.deleted(), document.says_absent


def _entry(mapping: RecordMapping, name: str, numbered: tuple[int, Any], span: Span, *, is_deleted: bool) -> Entry:
    position, node = numbered
    if node is None:  # a CSV line that does not fit its header
        return Entry(name, position, None, None, is_deleted, *span)
    identity = mapping.identify(node)
    revised = write_instant(identity.revised) if identity.revised else None
    return Entry(name, position, identity.key, revised, is_deleted, *span)
