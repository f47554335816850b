"""What one new or changed file brings to the index: its records' keys, and for an archive those of all files in it."""

from collections.abc import Mapping
from hashlib import sha256

from connectors.archive import container
from connectors.formats.document import Limits
from connectors.kinds.folder import FileGoneError, Folder, Stamp
from connectors.kinds.folder_index import Entry
from connectors.kinds.folder_keys import keys_in
from connectors.mapping import RecordMapping
from connectors.quarantine import UnreadableError

Version = tuple[str, Stamp, bytes, str | None, list[Entry]]
"""Name, stamp, digest, fault and entries of one version of a file."""


def read_anew(
    folder: Folder, mapping: RecordMapping, file: tuple[str, Stamp], known: Mapping[str, Stamp], limits: Limits
) -> list[Version | str]:
    """Read a file, or all files of an archive; a bare name is one that the index must drop.

    Args:
        folder: where it is.
        mapping: reads the keys.
        file: its name and stamp as listed.
        known: what the index holds.
        limits: of one file's size.
    """
    name, stamp = file
    try:
        if folder.archive is not None:
            return _read_archive(folder, mapping, file, known, limits)
        raw = folder.read(name, stamp, limits.file_bytes)
    except FileGoneError:
        return []
    return [(name, stamp, sha256(raw).digest(), *keys_in(mapping, name, raw))]


def _read_archive(
    folder: Folder, mapping: RecordMapping, file: tuple[str, Stamp], known: Mapping[str, Stamp], limits: Limits
) -> list[Version | str]:
    name, stamp = file
    before = {other for other in known if other != name and container(other) == name}
    brought: list[Version | str] = []
    fault: str | None = None
    try:
        names = folder.members(name, stamp)
        for inner in names:
            raw = folder.read(inner, stamp, limits.file_bytes)
            brought.append((inner, stamp, sha256(raw).digest(), *keys_in(mapping, inner, raw)))
    except UnreadableError as error:
        # One rotten part: nothing else of this delivery is believed either.
        names, brought, fault = [], [], str(error.reason)
    # By the stamp, not the bytes: what counts as the archive's version is that of its files.
    own: Version = (name, stamp, sha256(repr(stamp).encode()).digest(), fault, [])
    return [*sorted(before - set(names)), *brought, own]
