"""What is made of the items that a source lists: which are repeats, and how far its changes were read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from connectors.kinds.rest_paging import Place
from connectors.protocol import Found, RecordKey, Watermark
from connectors.quarantine import Reason
from connectors.row_filter import AllOf, Compare, Op, RowFilter


@dataclass(frozen=True, slots=True)
class Progress:
    """What a watermark says: changes are asked for since an instant; the place among the pages, if one is open."""

    since: str | None = None
    newest: str | None = None
    place: Place | None = None

    @classmethod
    def read(cls, mark: Watermark | None) -> "Progress | None":
        """Read a watermark; None if it is not one of ours."""
        if mark is None:
            return cls()
        try:
            since, newest, place = json.loads(mark)
            return cls(since, newest, None if place is None else Place.read(place))
        except (ValueError, TypeError):
            return None

    def written(self) -> Watermark:
        return Watermark(json.dumps([self.since, self.newest, self.place.document() if self.place else None]))


def newest_of_each(found: Sequence[Found]) -> list[Found]:
    """Drop what came again because rows moved while pages were read; two records under one key stay, marked as such."""
    kept: dict[RecordKey, Found] = {}
    without_key = []
    for item in found:
        if item.key is None:
            without_key.append(item)
            continue
        known = kept.get(item.key)
        is_newer = known is None or (
            item.revised is not None and (known.revised is None or item.revised > known.revised)
        )
        if is_newer:
            kept[item.key] = item
        elif known is not None and known.revised == item.revised and not _is_repeat(known, item):
            kept[item.key] = replace(known, findings=(Reason.DUPLICATE_IN_BATCH,))
    return [*kept.values(), *without_key]


def _is_repeat(known: Found, item: Found) -> bool:
    # Records cut out of a list compare by their bytes; of one body for many, only one on another page can be a repeat.
    return known.raw == item.raw if known.position == item.position == 0 else known.raw is not item.raw


def values_asked(wanted: RowFilter, places: frozenset[str]) -> dict[str, str]:
    """What of a filter can be put into the address: fields that must have one given value."""
    parts = wanted.parts if isinstance(wanted, AllOf) else (wanted,)
    values: dict[str, str] = {}
    for part in parts:
        if isinstance(part, Compare) and part.op in (Op.EQ, Op.CONTAINS) and part.field in places:
            values.setdefault(part.field, str(part.value).lower() if isinstance(part.value, bool) else str(part.value))
    return values
