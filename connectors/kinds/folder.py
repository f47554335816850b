"""A folder of files as it stands at this moment: which files are there, which are ready, and their bytes, safely read.

Names come from the folder's own listing only: no key and no record ever makes a path. Symbolic links, sockets and
anything else that is not a plain file are passed over.
"""

import fnmatch
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeVar

from connectors.archive import SEPARATOR, ArchiveRules, container, member, members
from connectors.errors import ConnectorError

T = TypeVar("T")

# O_NOFOLLOW: between listing and opening, the name may have become a link to somewhere else.
_PLAIN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FolderGoneError(ConnectorError):
    """The folder cannot be listed: not mounted, moved, no permission."""


class FileGoneError(ConnectorError):
    """A file went away or changed while it was being read."""


class TooManyFilesError(ConnectorError):
    """The folder holds more matching files than the source file allows."""


class Stamp(NamedTuple):
    """By what a changed file is known without reading it.

    `ctime_ns` moves with every write: tools that copy with time stamps can leave size and `mtime_ns` as they were.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Listing:
    """`ready` files with their stamps; `waiting` are still being delivered; `passed_over` counts what is no file."""

    ready: dict[str, Stamp]
    waiting: dict[str, timedelta]
    passed_over: int


class Folder:
    def __init__(
        self,
        location: Path,
        match: str,
        *,
        subfolders: bool,
        quiet: timedelta,
        files_max: int,
        clock: Callable[[], datetime],
        archive: ArchiveRules | None = None,
    ) -> None:
        self.location = location
        self._root = str(location)
        self._match = match
        self._subfolders = subfolders
        self._quiet = quiet
        self._files_max = files_max
        self._clock = clock
        self.archive = archive

    def listing(self) -> Listing:
        """List the folder.

        A file is ready when nothing was written to it for the quiet time. Names that begin with a point are not listed:
        they are the usual form in which a delivery hides what is not yet whole.

        Raises:
            FolderGoneError, TooManyFilesError: as their names say.
        """
        now = self._clock().timestamp()
        ready: dict[str, Stamp] = {}
        waiting: dict[str, timedelta] = {}
        passed_over = 0
        try:
            for name, entry in self._entries(self.location, ""):
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    passed_over += 1
                    continue
                if len(ready) + len(waiting) >= self._files_max:
                    raise TooManyFilesError(f"more than {self._files_max} files")
                wait = self._quiet - timedelta(seconds=now - status.st_mtime)
                # Without a quiet time no clock is asked: that of a mount may run ahead.
                if self._quiet and wait > timedelta(0):
                    waiting[name] = min(wait, self._quiet)
                else:
                    ready[name] = _stamp(status)
        except OSError as error:
            raise FolderGoneError(type(error).__name__) from error
        return Listing(ready, waiting, passed_over)

    def mtime_ns(self) -> int | None:
        """When a name was last added or removed; None where that cannot be told (subfolders, folder gone)."""
        if self._subfolders:
            return None
        try:
            return os.stat(self._root).st_mtime_ns  # noqa: PTH116  (a `Path` costs more than it)
        except OSError:
            return None

    def stamp(self, name: str) -> Stamp | None:
        """The present stamp of a file, or of the archive it is in; None if it is gone or no plain file."""
        try:
            status = os.stat(self._path(name), follow_symlinks=False)  # noqa: PTH116  (as above)
        except OSError:
            return None
        return _stamp(status) if stat.S_ISREG(status.st_mode) else None

    def read(self, name: str, expected: Stamp, bytes_max: int) -> bytes:
        """Read a file whole, if it is still the one that was listed; at most one byte more than `bytes_max`.

        Raises:
            FileGoneError: it was replaced, written to, or removed.
            UnreadableError: it stands in an archive, and is damaged there.
        """
        _, is_member, inner = name.partition(SEPARATOR)
        return self._reading(
            name, expected, lambda file: member(file, inner, bytes_max) if is_member else file.read(bytes_max + 1)
        )

    def members(self, name: str, expected: Stamp) -> list[str]:
        """The names under which the files of an archive are listed.

        Raises:
            FileGoneError: as `read`.
            UnreadableError: as `archive.members`.
        """
        if self.archive is None:
            return []
        rules = self.archive
        return self._reading(
            name, expected, lambda file: [f"{name}{SEPARATOR}{inner}" for inner in members(file, rules)]
        )

    def _reading(self, name: str, expected: Stamp, work: Callable[[BinaryIO], T]) -> T:
        try:
            with os.fdopen(os.open(self._path(name), _PLAIN_FILE), "rb") as file:
                if _stamp(os.fstat(file.fileno())) != expected:
                    raise FileGoneError("changed since it was listed")
                found = work(file)
                if _stamp(os.fstat(file.fileno())) != expected:
                    raise FileGoneError("was written to while it was read")
                return found
        except OSError as error:
            raise FileGoneError(type(error).__name__) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{container(name)}"

    def _entries(self, folder: Path, above: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if self._subfolders:
                        yield from self._entries(folder / entry.name, f"{above}{entry.name}/")
                elif fnmatch.fnmatchcase(entry.name, self._match):
                    yield f"{above}{entry.name}", entry


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
