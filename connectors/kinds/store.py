"""Kind `store`: a folder in an object store, by fsspec; the store's own library is installed beside it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import fsspec
import httpcore

from connectors.deadline import Deadline
from connectors.errors import SourceFault, SourceFileError
from connectors.kinds.http_wire import ForbiddenAddressError, ending_by, vetted
from connectors.kinds.mirror import RemoteFile
from connectors.kinds.refreshing import PeerError
from connectors.protocol import FailReason
from connectors.references import Resolver

LOOK_UP_SECONDS = 10

STORES = frozenset({"s3", "gs", "gcs", "abfs", "az", "memory"})
"""Not `http`, `ftp`, `github` and the many others that fsspec knows: a source file is no way around `rest`'s rules."""


OPTIONS: Mapping[str, frozenset[str]] = {
    "s3": frozenset({"key", "secret", "token", "anon", "requester_pays", "endpoint_url"}),
    "gs": frozenset({"token", "project", "requester_pays", "endpoint_url"}),
    "abfs": frozenset({"account_name", "account_key", "sas_token", "tenant_id", "client_id", "client_secret", "anon"}),
    "memory": frozenset(),
}
"""What a source file may hand to a store's library: none of the ways in which those load code or follow profiles."""

SAME = {"gcs": "gs", "az": "abfs"}


class StorePeer:
    def __init__(self, reach: Mapping[str, Any], resolver: Resolver) -> None:
        """Take where.

        Raises:
            SourceFileError: the store's library is not installed, an address of another kind, an option that is not
                passed on, or an endpoint that must not be called.
        """
        kind, _, place = resolver.resolve(reach["url"], "/reach/url").partition("://")
        if kind not in STORES:
            raise SourceFileError([SourceFault("/reach/url", f"must begin with one of {', '.join(sorted(STORES))}://")])
        unknown = sorted(set(reach.get("options", {})) - OPTIONS[SAME.get(kind, kind)])
        if unknown:
            raise SourceFileError([SourceFault(f"/reach/options/{unknown[0]}", "is not passed on to this store")])
        options = {
            name: resolver.resolve(value, f"/reach/options/{name}") if isinstance(value, str) else value
            for name, value in reach.get("options", {}).items()
        }
        self._private: bool = reach.get("private", False)
        self._endpoint = _endpoint(options.get("endpoint_url"), private=self._private)
        try:
            self._store: Any = fsspec.filesystem(kind, **options)
        except ImportError as error:
            raise SourceFileError([SourceFault("/reach/url", f"needs a library: {error}")]) from error
        self._place = place.rstrip("/")
        self._resolver = resolver

    def listing(self) -> dict[str, RemoteFile]:
        self._vet()
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
        self._vet()
        try:
            with self._store.open(f"{self._place}/{name}", "rb") as file:
                return bytes(file.read(bytes_max + 1))
        except Exception as error:
            raise PeerError(FailReason.UNREACHABLE, self._resolver.blot_out(type(error).__name__)) from error

    def close(self) -> None:
        pass

    def _vet(self) -> None:
        """Judge the addresses of an endpoint of one's own; those of the stores themselves are public."""
        if self._endpoint is None:
            return
        try:
            with ending_by(Deadline.within(LOOK_UP_SECONDS)):
                vetted(*self._endpoint, private=self._private)
        except ForbiddenAddressError as error:
            raise PeerError(FailReason.MISCONFIGURED, str(error)) from error
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise PeerError(FailReason.UNREACHABLE, str(error)) from error


def _endpoint(text: Any, *, private: bool) -> tuple[str, int] | None:
    if text is None:
        return None
    parts = urlsplit(str(text))
    if parts.scheme not in (("https", "http") if private else ("https",)) or not parts.hostname:
        fault = "must be https://host, or http where /reach/private is true"
        raise SourceFileError([SourceFault("/reach/options/endpoint_url", fault)])
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _file(entry: Mapping[str, Any]) -> RemoteFile:
    written = entry.get("LastModified") or entry.get("last_modified") or entry.get("updated") or entry.get("created")
    version = str(entry.get("ETag") or entry.get("etag") or entry.get("md5Hash") or written)
    at = written if isinstance(written, datetime) else None
    if at is not None and at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return RemoteFile(int(entry.get("size") or 0), version, at)
