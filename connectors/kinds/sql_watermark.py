"""How far the changes of a table, and its deletions, were read: a moment and a key, and whether more are known.

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
class Thread:
    """How far one table was followed: moment and key of the row read last, as the database gives them."""

    at: Any = None
    key: Any = None
    is_open: bool = False
    """Whether more rows are known to follow; then the next reading goes on behind this row, without overlap."""

    def after(
        self, moment: sa.ColumnElement[Any], key: sa.ColumnElement[Any], overlap: timedelta
    ) -> sa.ColumnElement[bool]:
        """The rows that come next. Rows without a moment cannot be followed and are in no run."""
        if self.at is None:
            return moment.is_not(None)
        if self.is_open:
            return sa.or_(moment > self.at, sa.and_(moment == self.at, key > self.key))
        since: sa.ColumnElement[bool] = moment >= _earlier(self.at, overlap)
        return since

    def moved(self, at: Any, key: Any) -> "Thread":
        return replace(self, at=at, key=key)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a watermark says: one thread through the records, one through the deletions."""

    records: Thread = Thread()
    deletions: Thread = Thread()

    @classmethod
    def read(cls, mark: Watermark | None) -> "Progress | None":
        """Read a watermark; None if it is not one of ours."""
        if mark is None:
            return cls()
        try:
            records, deletions = json.loads(mark)
            return cls(_thread(*records), _thread(*deletions))
        except (ValueError, TypeError):
            return None

    def written(self) -> Watermark:
        threads = (self.records, self.deletions)
        return Watermark(json.dumps([[_written(part.at), _written(part.key), part.is_open] for part in threads]))


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


def _thread(at: Any, key: Any, is_open: Any) -> Thread:
    return Thread(_read(at), _read(key), is_open is True)


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
