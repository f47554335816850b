"""How far the changes of a table were read: a moment and a key, and whether that run was finished.

Within a run rows follow one another by (moment, key), so rows that share a moment are neither lost nor repeated. A new
run begins a little earlier than the last one ended: a transaction that took long writes a moment that is already past.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connectors.protocol import Watermark

_TEXT_FORMS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y%m%d%H%M%S")


@dataclass(frozen=True, slots=True)
class Progress:
    """`at` and `key` are of the row read last, as the database gives them; `buried_at` of the deletion read last."""

    at: Any = None
    key: Any = None
    is_open: bool = False
    buried_at: Any = None

    @classmethod
    def read(cls, mark: Watermark | None) -> "Progress | None":
        """Read a watermark; None if it is not one of ours."""
        if mark is None:
            return cls()
        try:
            at, key, is_open, buried_at = json.loads(mark)
            return cls(_read(at), _read(key), bool(is_open), _read(buried_at))
        except (ValueError, TypeError, KeyError):
            return None

    def written(self) -> Watermark:
        return Watermark(json.dumps([_written(self.at), _written(self.key), self.is_open, _written(self.buried_at)]))

    def after(
        self, mark: sa.ColumnElement[Any], key: sa.ColumnElement[Any], overlap: timedelta
    ) -> sa.ColumnElement[bool]:
        """The rows that come next. Rows without a moment cannot be followed and are in no run."""
        if self.at is None:
            return mark.is_not(None)
        if self.is_open:
            return sa.or_(mark > self.at, sa.and_(mark == self.at, key > self.key))
        since: sa.ColumnElement[bool] = mark >= _earlier(self.at, overlap)
        return since

    def deleted_since(self, at: sa.ColumnElement[Any], overlap: timedelta) -> sa.ColumnElement[bool]:
        return at.is_not(None) if self.buried_at is None else at >= _earlier(self.buried_at, overlap)

    def moved(self, at: Any, key: Any) -> "Progress":
        return replace(self, at=at, key=key, is_open=True)

    def buried(self, at: Any) -> "Progress":
        return replace(self, buried_at=at)

    def closed(self) -> "Progress":
        return replace(self, is_open=False)


def _earlier(moment: Any, overlap: timedelta) -> Any:
    """A moment less the overlap, in the form it came in; a form we do not know stays as it is."""
    if isinstance(moment, datetime):
        return moment - overlap
    if isinstance(moment, int):
        return moment - int(overlap.total_seconds())
    if isinstance(moment, str):
        for form in _TEXT_FORMS:
            try:
                instant = datetime.strptime(moment, form)  # noqa: DTZ007  (only shifted, in the column's own zone)
            except ValueError:
                continue
            if instant.strftime(form) == moment:
                return (instant - overlap).strftime(form)
    return moment


def _written(value: Any) -> Any:
    return {"instant": value.isoformat()} if isinstance(value, datetime) else value


def _read(value: Any) -> Any:
    match value:
        case {"instant": str(text)}:
            return datetime.fromisoformat(text)
        case None | str() | int():
            return value
        case _:
            raise ValueError("no watermark")
