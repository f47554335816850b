"""Kind `store`: a folder in an object store, by fsspec; the store's own library is installed beside it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import fsspec

from connectors.errors import SourceFault, SourceFileError
from connectors.kinds.mirror import RemoteFile
from connectors.kinds.refreshing import PeerError
from connectors.protocol import FailReason
from connectors.references import Resolver

STORES = frozenset({"s3", "gs", "gcs", "abfs", "az", "memory"})
"""Not `http`, `ftp`, `github` and the many others that fsspec knows: a source file is no way around `rest`'s rules."""


class StorePeer:
    def __init__(self, reach: Mapping[str, Any], resolver: Resolver) -> None:
        """Take where.

        Raises:
            SourceFileError: the store's library is not installed, or an address of another kind.
        """
        kind, _, place = resolver.resolve(reach["url"], "/reach/url").partition("://")
        if kind not in STORES:
            raise SourceFileError([SourceFault("/reach/url", f"must begin with one of {', '.join(sorted(STORES))}://")])
        options = {
            name: resolver.resolve(value, f"/reach/options/{name}") if isinstance(value, str) else value
            for name, value in reach.get("options", {}).items()
        }
        try:
            self._store: Any = fsspec.filesystem(kind, **options)
        except ImportError as error:
            raise SourceFileError([SourceFault("/reach/url", f"needs a library: {error}")]) from error
        self._place = place.rstrip("/")
        self._resolver = resolver

    def listing(self) -> dict[str, RemoteFile]:
        try:
            self._store.invalidate_cache()
            entries = self._store.ls(self._place, detail=True)
        except FileNotFoundError as error:
            raise PeerError(FailReason.UNREACHABLE, "there is no such place") from error
        except PermissionError as error:
            raise PeerError(FailReason.MISCONFIGURED, "may not be listed") from error
        except Exception as error:
            # Each store's library raises errors of its own; all mean that it could not be asked.
            raise PeerError(FailReason.UNREACHABLE, self._resolver.blot_out(type(error).__name__)) from error
        return {str(entry["name"]).rpartition("/")[2]: _file(entry) for entry in entries if entry.get("type") == "file"}

    def read(self, name: str, bytes_max: int) -> bytes:
        try:
            with self._store.open(f"{self._place}/{name}", "rb") as file:
                return bytes(file.read(bytes_max + 1))
        except Exception as error:
            raise PeerError(FailReason.UNREACHABLE, self._resolver.blot_out(type(error).__name__)) from error

    def close(self) -> None:
        pass


def _file(entry: Mapping[str, Any]) -> RemoteFile:
    written = entry.get("LastModified") or entry.get("last_modified") or entry.get("updated") or entry.get("created")
    version = str(entry.get("ETag") or entry.get("etag") or entry.get("md5Hash") or written)
    at = written if isinstance(written, datetime) else None
    if at is not None and at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return RemoteFile(int(entry.get("size") or 0), version, at)
