"""The holder's own system: which source a record comes from, the call, and the record made of what came back."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import structlog
from sqlalchemy import select

from connectors.deadline import Deadline
from connectors.errors import SourceFileError, SourceRefusedError
from connectors.kinds.push import Inbox
from connectors.kinds.queue_messages import Deliveries
from connectors.mapping import Mapped
from connectors.protocol import Absent, Failed, FailReason, Found, RecordKey
from connectors.quarantine import Quarantined
from connectors.row_filter import RowFilter
from connectors.source_file import read_source
from connectors.sources import OpenSource, open_source
from connectors.tools import MappingTools
from gateway.agencies.models import Source
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.evidence.keys import HolderKeys
from gateway.exchange.large_records import LargeRecords
from gateway.records.catalogue import CATALOGUE
from gateway.records.record_ids import (
    RecordId,
    local_to_number,
    number_to_local,
    open_local,
    record_id,
    seal_local,
)
from ipx.values import value

log = structlog.get_logger(__name__)

NAMELESS: Final = "-"
"""The local part of a record that is only looked at, under its source's key."""

OPENERS: Final = 8
"""How many sources one process opens at a time."""


@dataclass(frozen=True, slots=True)
class SourceRef:
    """A source as registered; `sha256` names the version of its file."""

    name: str
    sha256: str
    holder: str
    record_type: str
    jurisdiction: str


@value
class HeldRecord:
    """A record as the holder's system gave it, mapped and validated."""

    record_id: RecordId
    source: SourceRef
    mapped: Mapped
    found: Found


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The holder could not be asked, or what it answered cannot be used. `reason` is from a closed list."""

    stage: Literal["policy", "holder", "verify"]
    reason: str


@value
class HeldRecords:
    """What a search brought, each record under its key; `unreadable` are those that could not be mapped."""

    records: Mapping[str, HeldRecord]
    unreadable: int


Keep = Callable[[SourceRef, Found, Quarantined], object]
"""Takes a record that cannot be served; must not fail."""


class Holders:
    """Opens each source once for this process and asks it; a changed source file is opened anew."""

    def __init__(
        self,
        database: Database,
        keys: HolderKeys,
        tools: MappingTools,
        clock: Clock,
        large: LargeRecords,
        *,
        secrets: Mapping[str, str],
        variables: Mapping[str, str],
        state: Path | None = None,
        inbox: Inbox | None = None,
        deliveries: Deliveries | None = None,
        keep: Keep | None = None,
    ) -> None:
        """Take what sources are opened with.

        Args:
            database: holds the source files.
            keys: open the names of records.
            tools: of the record catalogue.
            clock: stamps what is fetched.
            large: whose turn it is among large records.
            secrets: what `${secret:NAME}` stands for.
            variables: what `${NAME}` stands for.
            state: a folder for derived data that outlives the process.
            inbox: out of which sources of kind `push` are read.
            deliveries: where messages of queues are kept.
            keep: takes what cannot be served.
        """
        self._database = database
        self._keys = keys
        self._tools = tools
        self._clock = clock
        self._large = large
        self._secrets = secrets
        self._variables = variables
        self._state = state
        self._inbox = inbox
        self._deliveries = deliveries
        self._keep = keep
        self._lock = threading.Lock()
        self._openers = ThreadPoolExecutor(OPENERS, thread_name_prefix="open-source")
        self._opening: dict[tuple[str, str], Future[OpenSource]] = {}
        self._open: dict[str, tuple[str, OpenSource]] = {}

    def fetch(self, record: RecordId, source: SourceRef, deadline: Deadline) -> HeldRecord | Absent | Unavailable:
        """Ask a source for one record. No database transaction of ours is open meanwhile.

        Args:
            record: whose local part names it; for types that are no published register, encrypted.
            source: which source to ask.
            deadline: by when the answer must be there.
        """
        key = self._source_key(record)
        return Absent() if key is None else self.fetch_key(source, record, key, deadline)

    def fetch_key(
        self, source: SourceRef, record: RecordId | None, key: str, deadline: Deadline
    ) -> HeldRecord | Absent | Unavailable:
        """Ask a source for the record that it keeps under `key`; without a name, only to look at it."""
        opened = self.opened(source, deadline)
        if isinstance(opened, Unavailable):
            return opened
        place = (source.name, key)
        waited = self._large.take(place, None)  # for others of ours, which is not its holder's time
        if waited:
            deadline = replace(deadline, ends_at=deadline.ends_at + waited)
        match opened.connector.fetch(RecordKey(key), deadline):
            case Absent() as absent:
                return absent
            case Failed(reason=reason):
                log.warning("holder failed", source=source.name, reason=str(reason))
                return Unavailable("holder", str(reason))
            case Found() as found:
                self._large.take(place, len(found.raw))
                return self._apply(opened, found, key, source, record)

    def search(self, source: SourceRef, wanted: RowFilter, deadline: Deadline) -> HeldRecords | Unavailable:
        """Ask a source for all its records that may pass a filter; more may come, never fewer.

        Returns:
            `Unavailable` where the source cannot be searched or has more than it gives at once: nothing is cut off.
        """
        opened = self.opened(source, deadline)
        if isinstance(opened, Unavailable):
            return opened
        found: dict[str, HeldRecord] = {}
        unreadable, mark, is_complete = 0, None, False
        while not is_complete:
            page = opened.connector.search(wanted, mark, deadline)
            if isinstance(page, Failed):
                log.warning("holder failed", source=source.name, reason=str(page.reason))
                return Unavailable("holder", str(page.reason))
            for item in page.found:
                mapped = opened.apply(item)
                if isinstance(mapped, Quarantined):
                    unreadable += 1
                    if self._keep is not None:
                        self._keep(source, item, mapped)
                else:
                    found[mapped.key] = HeldRecord(self.name(source, mapped.key), source, mapped, item)
            is_complete, mark = page.complete, page.next
            if not is_complete and mark is None:
                return Unavailable("holder", str(FailReason.BAD_ANSWER))
        return HeldRecords(found, unreadable)

    def name(self, source: SourceRef, key: str) -> RecordId:
        """Name the record that a source keeps under a key."""
        if CATALOGUE.types[source.record_type].is_published_register:
            return record_id(source.holder, source.record_type, number_to_local(key))
        return record_id(source.holder, source.record_type, seal_local(self._keys.id_key(source.holder), key))

    def key_of(self, record: RecordId) -> str | None:
        """Give the key of a record in its source; None for a name that this holder never made."""
        return self._source_key(record)

    def close(self) -> None:
        self._openers.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for _, opened in self._open.values():
                opened.close()
            self._open.clear()

    def _apply(
        self, opened: OpenSource, found: Found, key: str, source: SourceRef, record: RecordId | None
    ) -> HeldRecord | Unavailable:
        mapped = opened.apply(found)
        if isinstance(mapped, Quarantined):
            reasons = sorted({str(rejection.reason) for rejection in mapped.reasons})
            log.warning("record quarantined", source=opened.file.name, reasons=reasons)
            if self._keep is not None:
                self._keep(source, found, mapped)
            return Unavailable("holder", "record_unreadable")
        if mapped.key != key:
            log.error("holder answered another record", source=opened.file.name)
            return Unavailable("verify", "another_record")
        return HeldRecord(record or RecordId(source.holder, source.record_type, NAMELESS), source, mapped, found)

    def _source_key(self, record: RecordId) -> str | None:
        if CATALOGUE.types[record.record_type].is_published_register:
            return local_to_number(record.local)
        return open_local(self._keys.id_key(record.agency), record.local)

    def opened(self, source: SourceRef, deadline: Deadline) -> OpenSource | Unavailable:
        """Open a source, or give it as it was opened before.

        Each is opened on a thread of its own: one whose network swallows packets delays those who ask for it, by no
        more than their deadlines, and nobody else.
        """
        name, place = source.name, (source.name, source.sha256)
        known = self._open.get(name)
        if known is not None and known[0] == source.sha256:
            return known[1]
        with self._lock:
            opening = self._opening.get(place)
            if opening is None:
                opening = self._opening[place] = self._openers.submit(self._open_anew, name)
        try:
            opened = opening.result(timeout=max(0.001, deadline.remaining_seconds))
        except FutureTimeoutError:
            return Unavailable("holder", "timeout")
        except (SourceFileError, SourceRefusedError) as error:
            log.error("source cannot be opened", source=name, reason=str(error))  # noqa: TRY400  (no trace wanted)
            self._is_opened(place)
            return Unavailable("holder", "misconfigured")
        except BaseException:
            self._is_opened(place)
            raise
        with self._lock:
            self._opening.pop(place, None)
            known = self._open.get(name)
            if known is None or known[0] != source.sha256:
                if known is not None:
                    known[1].close()
                self._open[name] = (source.sha256, opened)
            return self._open[name][1]

    def _is_opened(self, place: tuple[str, str]) -> None:
        with self._lock:
            self._opening.pop(place, None)

    def _open_anew(self, name: str) -> OpenSource:
        with self._database.read() as session:
            text = session.scalars(select(Source.text).where(Source.name == name)).one()
        return open_source(
            read_source(text),
            secrets=self._secrets,
            variables=self._variables,
            tools=self._tools,
            clock=self._clock,
            state=self._state,
            inbox=self._inbox,
            deliveries=self._deliveries,
        )
