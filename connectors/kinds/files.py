"""Kind `files`: a folder of XML, JSON or CSV files that a holder's system writes and this gateway only reads."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from connectors.archive import container
from connectors.breaker import BreakerState
from connectors.deadline import Deadline
from connectors.formats.csv_document import CsvFormat
from connectors.kinds.files_reach import FilesReach
from connectors.kinds.folder import FileGoneError, Folder, FolderGoneError, Listing, Stamp, TooManyFilesError
from connectors.kinds.folder_index import Entry, FolderIndex, IndexedFile
from connectors.kinds.folder_reading import read_anew
from connectors.kinds.mounts import is_local
from connectors.mapping import RecordMapping
from connectors.protocol import (
    Absent,
    Capabilities,
    Changes,
    Failed,
    FailReason,
    Found,
    Health,
    Page,
    PageMark,
    RecordKey,
    Watermark,
)
from connectors.quarantine import Reason, UnreadableError
from connectors.row_filter import RowFilter

T = TypeVar("T")

_log = logging.getLogger(__name__)

BATCH_FILES = 500
BATCH_BYTES = 32_000_000
"""One answer of `changes` holds no more than this, so that a folder of large files does not fill the memory."""

INDEX_BATCH = 100
THREADS = 8
DEGRADED_SHARE = 0.05
_MTIME_GRANULARITY_NS = 2_000_000_000
"""A folder listed within this time of its own time stamp may have changed again under the same stamp."""


class FilesConnector:
    """Fetches by an index of keys; a folder whose listing has not changed since is not listed again."""

    def __init__(
        self, mapping: RecordMapping, reach: FilesReach, index: FolderIndex, clock: Callable[[], datetime]
    ) -> None:
        self._mapping = mapping
        self._limits = reach.limits
        self._folder = Folder(
            reach.location,
            reach.match,
            subfolders=reach.subfolders,
            quiet=reach.quiet,
            files_max=reach.files_max,
            clock=clock,
            archive=reach.archive,
        )
        self._index = index
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"files-{mapping.source.name}")
        self._refreshing = threading.Lock()
        self._listing: Listing | None = None
        self._listed_from = 0.0
        self._is_local = False
        self._listed_mtime_ns: int | None = None

    def capabilities(self) -> Capabilities:
        return Capabilities(
            operations=frozenset({"fetch", "changes"}),
            pushdown={},
            deletions=self._mapping.source.read.deleted is not None,
            signs="xmldsig" if self._mapping.source.read.signature else None,
            rows_max=BATCH_FILES,
        )

    def fetch(self, key: RecordKey, deadline: Deadline) -> Found | Absent | Failed:
        found = self._at_hand(key) if self._is_local else None
        return found if found is not None else self._within(deadline, lambda: self._fetch(key, deadline))

    def changes(self, since: Watermark | None, deadline: Deadline) -> Changes | Failed:
        return self._within(deadline, lambda: self._changes(since, deadline))

    def _at_hand(self, key: RecordKey) -> Found | Absent | Failed | None:
        """Answer on the caller's own thread where the index is current and the file lies on a disk of this machine."""
        try:
            candidates = self._current(key)
            return self._answer(candidates) if candidates else None
        except (FileGoneError, UnreadableError):
            return None
        except sqlite3.Error as error:
            return self._index_failed(error)

    def _within(self, deadline: Deadline, work: Callable[[], T]) -> T | Failed:
        """Work on a thread of our own: a mount that hangs holds that thread, and not the caller."""
        try:
            call = self._threads.submit(work)
        except RuntimeError:
            return Failed(FailReason.UNREACHABLE)  # closed meanwhile
        try:
            return call.result(timeout=max(0.001, deadline.remaining_seconds))
        except FutureTimeoutError:
            call.cancel()
            return Failed(FailReason.TIMEOUT)
        except sqlite3.Error as error:
            return self._index_failed(error)

    def _index_failed(self, error: sqlite3.Error) -> Failed:
        """Our own index cannot be read or written (disk full, folder gone). That is no statement about the holder."""
        _log.error("source %s: its index fails: %s", self._mapping.source.name, error)
        return Failed(FailReason.MISCONFIGURED)

    def _fetch(self, key: RecordKey, deadline: Deadline) -> Found | Absent | Failed:
        for is_last in (False, True):
            candidates = self._current(key)
            if not candidates:
                refreshed = self._refresh(deadline)
                if isinstance(refreshed, Failed):
                    return refreshed
                candidates = self._index.under_key(key)
            try:
                return self._answer(candidates)
            except (FileGoneError, UnreadableError):
                self._listing = None
                if is_last:
                    return Failed(FailReason.NOT_READY, timedelta(seconds=1))
        raise AssertionError  # the loop returns

    def search(self, wanted: RowFilter, mark: PageMark | None, deadline: Deadline) -> Page | Failed:
        del wanted, mark, deadline  # a folder has no way to look inside its files but reading all of them
        return Failed(FailReason.UNSUPPORTED)

    def _changes(self, since: Watermark | None, deadline: Deadline) -> Changes | Failed:
        refreshed = self._refresh(deadline)
        if isinstance(refreshed, Failed):
            return refreshed
        start = self._seq(since)
        files = self._index.files_after(start, BATCH_FILES + 1)
        found: list[Found] = []
        deleted: list[RecordKey] = []
        size, last, complete = 0, start, len(files) <= BATCH_FILES
        for file in files[:BATCH_FILES]:
            size += file.stamp.size
            if size > BATCH_BYTES and last != start:
                complete = False
                break
            last = file.seq
            if self._is_archive(file):
                continue  # what is in it stands under names of its own
            try:
                raw = self._folder.read(file.name, file.stamp, self._limits.file_bytes)
            except (FileGoneError, UnreadableError):
                continue  # it will come again under the number of its next version
            for item in self._news(file, raw):
                if isinstance(item, Found):
                    found.append(item)
                else:
                    deleted.append(item)
        return Changes(tuple(found), tuple(deleted), Watermark(f"{self._index.id}:{last}"), complete)

    def health(self) -> Health:
        listing = self._listing
        if listing is None:
            return Health("unknown", None, None, BreakerState.CLOSED)
        unreadable = self._index.unreadable()
        files = len(listing.ready) + len(listing.waiting)
        parts = [f"{files} file{'s' if files != 1 else ''}"]
        parts += [f"{len(listing.waiting)} not ready"] if listing.waiting else []
        parts += [f"{unreadable} unreadable"] if unreadable else []
        parts += [f"{listing.passed_over} passed over, no plain files"] if listing.passed_over else []
        newest = self._index.newest_revision()
        lag = self._clock() - datetime.fromisoformat(newest) if newest else None
        is_degraded = unreadable > DEGRADED_SHARE * files
        return Health("degraded" if is_degraded else "ok", None, lag, BreakerState.CLOSED, note=", ".join(parts))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._index.close()

    def _current(self, key: RecordKey) -> list[tuple[Entry, IndexedFile]]:
        """What the index has under this key, where it can answer without listing the folder again: never "absent"."""
        mtime_ns = self._folder.mtime_ns()
        if self._listing is None or mtime_ns is None or mtime_ns != self._listed_mtime_ns:
            return []
        candidates = self._index.under_key(key)
        return candidates if all(self._folder.stamp(file.name) == file.stamp for _, file in candidates) else []

    def _answer(self, candidates: Sequence[tuple[Entry, IndexedFile]]) -> Found | Absent | Failed:
        listing = self._listing
        if listing is None:
            raise FileGoneError("not listed")
        places = [container(file.name) for _, file in candidates]
        waits = [listing.waiting[place] for place in places if place in listing.waiting]
        if not candidates:
            waits = list(listing.waiting.values())
        if waits:
            return Failed(FailReason.NOT_READY, max(waits))
        if not candidates:
            # A file that cannot be read could be the record asked for: its absence cannot be stated.
            return Failed(FailReason.RECORD_UNREADABLE) if self._index.unreadable() else Absent()
        newest, file = candidates[0]
        if newest.is_deleted:
            return Absent()
        raw = self._folder.read(file.name, file.stamp, self._limits.file_bytes)
        is_alone = self._index.count_in(file.name) == 1
        return self._found(newest, file, raw, self._findings(newest, file, candidates), is_alone=is_alone)

    def _news(self, file: IndexedFile, raw: bytes) -> Iterator[Found | RecordKey]:
        """What one version of a file brings: its records, and the keys it says are deleted."""
        if file.fault is not None:
            yield Found(raw, self._mapping.format.media_type, file.name, None, None, self._clock())
            return
        entries = self._index.entries_of(file.name)
        for entry in entries:
            candidates = self._index.under_key(entry.key) if entry.key is not None else []
            is_newest = not candidates or candidates[0][0] == entry
            if entry.is_deleted:
                if is_newest and entry.key is not None:
                    yield RecordKey(entry.key)
                continue
            findings = self._findings(entry, file, candidates)
            if not is_newest and not findings:
                continue  # replaced by a later delivery
            yield self._found(entry, file, raw, findings, is_alone=len(entries) == 1)

    def _findings(
        self, entry: Entry, file: IndexedFile, candidates: Sequence[tuple[Entry, IndexedFile]]
    ) -> tuple[Reason, ...]:
        for other, other_file in candidates:
            if other == entry or other.is_deleted:
                continue
            is_copy = other_file.sha256 == file.sha256 and other.position == entry.position
            if other.revised == entry.revised and not is_copy:
                return (Reason.DUPLICATE_IN_BATCH,)
            if (other.revised or "") > (entry.revised or "") and other_file.seq < file.seq:
                return (Reason.OLDER_REVISION,)
        return ()

    def _found(
        self, entry: Entry, file: IndexedFile, raw: bytes, findings: tuple[Reason, ...], *, is_alone: bool
    ) -> Found:
        position = entry.position
        if isinstance(self._mapping.format, CsvFormat):
            raw, position = self._mapping.format.header(raw) + raw[entry.start : entry.stop], 0
        return Found(
            raw=raw,
            media_type=self._mapping.format.media_type,
            source_ref=file.name if is_alone else f"{file.name}#{entry.position + 1}",
            revised=_revised(entry, file.stamp),
            signature=None,
            fetched_at=self._clock(),
            key=None if entry.key is None else RecordKey(entry.key),
            position=position,
            findings=findings,
        )

    def _seq(self, since: Watermark | None) -> int:
        """Where to go on. A mark of another index (it was lost and made anew) means: from the beginning."""
        index_id, _, seq = (since or "").partition(":")
        return int(seq) if index_id == self._index.id and seq.isdigit() else 0

    def _refresh(self, deadline: Deadline) -> Failed | None:
        """Bring the index up to what the folder holds now. What was read before a deadline passed stays read."""
        asked_at = time.monotonic()
        if not self._refreshing.acquire(timeout=max(0.001, deadline.remaining_seconds)):
            return Failed(FailReason.TIMEOUT)
        try:
            if self._listing is not None and self._listed_from >= asked_at:
                return None  # another thread listed the folder after we asked
            listed_from, mtime_ns, wall_ns = time.monotonic(), self._folder.mtime_ns(), time.time_ns()
            listing = self._folder.listing()
            is_done = self._index_files(listing, deadline)
            self._listing, self._listed_from = listing, listed_from
            self._is_local = is_local(self._folder.location)
            is_settled = mtime_ns is not None and abs(wall_ns - mtime_ns) > _MTIME_GRANULARITY_NS
            self._listed_mtime_ns = mtime_ns if is_settled else None
        except (FolderGoneError, TooManyFilesError) as error:
            self._listing = None
            _log.warning("source %s: folder cannot be listed: %s", self._mapping.source.name, error)
            is_full = isinstance(error, TooManyFilesError)
            return Failed(FailReason.MISCONFIGURED if is_full else FailReason.UNREACHABLE)
        finally:
            self._refreshing.release()
        return None if is_done else Failed(FailReason.TIMEOUT)

    def _index_files(self, listing: Listing, deadline: Deadline) -> bool:
        """Enter what is new, drop what is gone; false if the deadline came first.

        Raises:
            FolderGoneError: all files are gone at once: a mount that fell off looks like an empty folder.
        """
        known = self._index.stamps()
        gone = {name for name in known if container(name) not in listing.ready.keys() | listing.waiting.keys()}
        if known and len(gone) == len(known) and not listing.ready:
            raise FolderGoneError("held files before and holds none now")
        if gone:
            with self._index.writing():
                self._index.remove(gone)
        fresh = [name for name, stamp in listing.ready.items() if known.get(name) != stamp]
        fresh.sort(key=lambda name: (listing.ready[name].mtime_ns, name))
        for start in range(0, len(fresh), INDEX_BATCH):
            read = []
            for name in fresh[start : start + INDEX_BATCH]:
                if deadline.is_past:
                    break
                read += read_anew(self._folder, self._mapping, (name, listing.ready[name]), known, self._limits)
            with self._index.writing():
                for version in read:
                    if isinstance(version, str):
                        self._index.remove([version])
                    else:
                        self._index.put(*version)
            if deadline.is_past and start + INDEX_BATCH < len(fresh):
                return False
        return not deadline.is_past or not fresh

    def _is_archive(self, file: IndexedFile) -> bool:
        return self._folder.archive is not None and file.fault is None and container(file.name) == file.name


def _revised(entry: Entry, stamp: Stamp) -> datetime:
    """The record's own revision, or else the time its file was written."""
    if entry.revised is not None:
        return datetime.fromisoformat(entry.revised)
    return datetime.fromtimestamp(stamp.mtime_ns // 1_000_000_000, UTC)
