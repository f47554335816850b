"""Folders that lie elsewhere (SFTP, object stores): copied into one here when they are ready, and read like any folder.

A delivery that cannot be listed is no statement: nothing is absent then, and nothing is served from the copy.
"""

import fcntl
import fnmatch
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from connectors.deadline import Deadline
from connectors.kinds.refreshing import PeerError, Refreshing
from connectors.protocol import (
    Absent,
    Capabilities,
    Changes,
    Connector,
    Failed,
    FailReason,
    Found,
    Health,
    Page,
    PageMark,
    RecordKey,
    Watermark,
)
from connectors.row_filter import RowFilter

_STAMPS = ".stamps.json"
_LOCK = ".lock"
_SAFE_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,254}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """`version` changes with every writing of it (time, entity tag); `written` is when, where the peer says so."""

    size: int
    version: str
    written: datetime | None


class Peer(Protocol):
    def listing(self) -> Mapping[str, RemoteFile]:
        """Names of the plain files there.

        Raises:
            PeerError: it cannot be had.
        """
        ...

    def read(self, name: str, bytes_max: int) -> bytes:
        """A file whole, at most one byte more than `bytes_max`.

        Raises:
            PeerError: it cannot be had.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class MirrorRules:
    match: str
    marker: str | None
    """A file `x` is ready once `x<marker>` stands beside it; None: once it has been quiet."""
    quiet_seconds: float
    refresh_seconds: float
    """How long a copy counts as the present state."""
    files_max: int
    file_bytes: int
    keep: bool
    """Whether what the other side removes stays here."""


class MirrorConnector:
    def __init__(
        self,
        name: str,
        peer: Peer,
        rules: MirrorRules,
        inner_of: Callable[[Path], Connector],
        clock: Callable[[], datetime],
        spool: Path | None,
    ) -> None:
        self._peer = peer
        self._rules = rules
        self._clock = clock
        self._own = TemporaryDirectory(prefix="ipx-spool-") if spool is None else None
        self._spool = Path(self._own.name) if self._own else (spool or Path())
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._inner = inner_of(self._spool)
        self._refreshing = Refreshing(name, self._refresh, rules.refresh_seconds)
        self._waiting = 0

    def capabilities(self) -> Capabilities:
        return self._inner.capabilities()

    def fetch(self, key: RecordKey, deadline: Deadline) -> Found | Absent | Failed:
        failed = self._refreshing.wait(deadline)
        if failed is not None:
            return failed
        answer = self._inner.fetch(key, deadline)
        # What is being delivered could be the record asked for.
        return Failed(FailReason.NOT_READY) if isinstance(answer, Absent) and self._waiting else answer

    def search(self, wanted: RowFilter, mark: PageMark | None, deadline: Deadline) -> Page | Failed:
        return self._inner.search(wanted, mark, deadline)

    def changes(self, since: Watermark | None, deadline: Deadline) -> Changes | Failed:
        return self._refreshing.wait(deadline) or self._inner.changes(since, deadline)

    def health(self) -> Health:
        return self._inner.health()

    def close(self) -> None:
        self._refreshing.close()
        self._inner.close()
        self._peer.close()
        if self._own is not None:
            self._own.cleanup()

    def _refresh(self) -> None:
        """Copy, while no other process of this machine copies to the same place."""
        with (self._spool / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._copy()

    def _copy(self) -> None:
        there = {name: file for name, file in self._peer.listing().items() if _SAFE_NAME.fullmatch(name)}
        wanted = {name: file for name, file in there.items() if self._counts(name)}
        if len(wanted) > self._rules.files_max:
            raise PeerError(FailReason.MISCONFIGURED, f"more than {self._rules.files_max} files")
        known = self._stamps()
        if known and not wanted and not self._rules.keep:
            raise PeerError(FailReason.UNREACHABLE, "held files before and holds none now")
        ready = {name: file for name, file in wanted.items() if self._is_ready(name, file, there)}
        for name, file in ready.items():
            stamp = f"{file.size}:{file.version}"
            if known.get(name) == stamp and (self._spool / name).is_file():
                continue
            raw = self._peer.read(name, self._rules.file_bytes)
            if len(raw) != file.size and len(raw) <= self._rules.file_bytes:
                self._peer.close()  # or its line was cut
                raise PeerError(FailReason.NOT_READY, "a file changed while it was copied")
            part = self._spool / f".{name}.part"
            part.write_bytes(raw)
            part.replace(self._spool / name)
            known[name] = stamp
        gone = set() if self._rules.keep else known.keys() - wanted.keys()
        for name in gone:
            (self._spool / name).unlink(missing_ok=True)
            del known[name]
        self._waiting = len(wanted) - len(ready)
        part = self._spool / f"{_STAMPS}.part"
        part.write_text(json.dumps(known), "utf-8")
        part.replace(self._spool / _STAMPS)

    def _counts(self, name: str) -> bool:
        marker = self._rules.marker
        return fnmatch.fnmatchcase(name, self._rules.match) and not (marker and name.endswith(marker))

    def _is_ready(self, name: str, file: RemoteFile, there: Mapping[str, RemoteFile]) -> bool:
        if self._rules.marker is not None:
            return name + self._rules.marker in there
        if file.written is None:
            return True  # an object store shows an object only when it is whole
        return (self._clock() - file.written).total_seconds() >= self._rules.quiet_seconds

    def _stamps(self) -> dict[str, str]:
        try:
            document = json.loads((self._spool / _STAMPS).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(name): str(stamp) for name, stamp in document.items()} if isinstance(document, dict) else {}
