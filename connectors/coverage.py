"""What the mapping packs make of a folder of files: every file is read by a pack, or it is said why by none.

Pure but for reading the files: no source file, no holder, nothing written. A pack reads a file when the file parses as
the pack's format, is what the pack expects, and holds records or tombstones or says that there are none. Several packs
may read one file, each for another record type.
"""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import Document, Limits
from connectors.mapping import Mapped, RecordMapping
from connectors.mapping_packs import Pack, read_pack, shipped, shipped_names
from connectors.protocol import Found
from connectors.quarantine import Reason, UnreadableError
from connectors.source_file import read_source
from connectors.tools import MappingTools
from connectors.xml_signatures import read_trust

_SOURCE = """\
source: {{name: coverage, holder: nobody, record_type: {record_type}, schema_version: {version}, kind: files}}
licence: {{name: none, onward: none}}
freshness: {{expect: P1D, stale: P1D}}
reach: {{location: /, match: '*'}}
pack: {name}
"""

UNEXPLAINED = "no pack reads it, and the notes do not say why"


@dataclass(frozen=True, slots=True)
class Unread:
    """Files that no pack reads: `why`, or the `pack` they were meant for, which then says what is wrong with them."""

    match: str
    why: str = ""
    pack: str | None = None


@dataclass(frozen=True, slots=True)
class Notes:
    """What the files themselves do not say: why some are not read, and whom signed ones are to be trusted from."""

    unread: tuple[Unread, ...] = ()
    trust: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By pack, `reach.trust` of a source file; paths in it are below the folder."""


@dataclass(slots=True)
class Reading:
    """What one pack made of the files of one folder."""

    files: int = 0
    mapped: int = 0
    flagged: int = 0
    tombstones: int = 0
    says_absent: int = 0
    """Files that say themselves that there is no record."""
    quarantined: Counter[str] = field(default_factory=Counter)
    """Records, by their first reason and its field."""


@dataclass(slots=True)
class Folder:
    name: str
    files: int = 0
    read: int = 0
    packs: dict[str, Reading] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)
    """Files that no pack reads, by why."""


@dataclass(frozen=True, slots=True)
class Coverage:
    folders: tuple[Folder, ...]
    idle_packs: tuple[str, ...]
    """Packs that met no file of theirs."""

    @property
    def is_explained(self) -> bool:
        return not any(UNEXPLAINED in folder.unread for folder in self.folders)


def read_notes(text: str) -> Notes:
    """Read notes from TOML: tables `[[unread]]` (match, and why or pack) and `[trust.PACK]`.

    Raises:
        SourceFileError: the notes are broken, name no shipped pack, or say neither why nor pack.
    """
    try:
        document = tomllib.loads(text)
        unread = tuple(Unread(**entry) for entry in document.pop("unread", ()))
        trust = document.pop("trust", {})
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise SourceFileError([SourceFault("/notes", str(error))]) from error
    named = {*trust, *(entry.pack for entry in unread if entry.pack is not None)}
    faults = [SourceFault("/notes", f"there is no pack {name!r}") for name in sorted(named - {*shipped_names()})]
    faults += [
        SourceFault("/notes", f"{entry.match}: say why, or which pack")
        for entry in unread
        if bool(entry.why) == (entry.pack is not None)
    ]
    faults += [SourceFault("/notes", f"unknown key {name}") for name in document]
    if faults:
        raise SourceFileError(faults)
    return Notes(unread, trust)


def cover(folder: Path, notes: Notes, tools: MappingTools, at: datetime) -> Coverage:
    """Try every shipped pack on every file below a folder.

    Args:
        folder: where the files are.
        notes: what the files do not say.
        tools: functions of the catalogue.
        at: the instant at which records are judged.

    Raises:
        SourceFileError: trust that cannot be read.
    """
    packs = {pack.name: _mapping(pack, folder, notes, tools) for pack in _usable(notes)}
    folders: dict[str, Folder] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.parent.relative_to(folder).as_posix()
        one = folders.setdefault(name, Folder(name))
        _cover_file(path, path.relative_to(folder).as_posix(), one, packs, notes, at)
    met = {name for one in folders.values() for name in one.packs}
    return Coverage(tuple(folders[name] for name in sorted(folders)), tuple(sorted({*shipped_names()} - met)))


def _usable(notes: Notes) -> Iterator[Pack]:
    """Packs of signed documents can be tried only where it is said whom to trust."""
    for name in shipped_names():
        pack = read_pack(name, shipped)
        if "signature" not in pack.parts.get("read", {}) or name in notes.trust:
            yield pack


def _mapping(pack: Pack, folder: Path, notes: Notes, tools: MappingTools) -> RecordMapping:
    text = _SOURCE.format(record_type=pack.record_type, version=pack.schema_version, name=pack.name)
    said = notes.trust.get(pack.name)
    trust = read_trust(said, lambda path, _: str(folder / path)) if said is not None else None
    return RecordMapping(read_source(text), tools, Limits(), trust)


def _cover_file(
    path: Path, place: str, folder: Folder, packs: Mapping[str, RecordMapping], notes: Notes, at: datetime
) -> None:
    raw = path.read_bytes()
    found = Found(raw, "", place, None, None, at)
    folder.files += 1
    is_read = False
    for name, mapping in packs.items():
        try:
            document = mapping.format.parse(raw)
        except UnreadableError:
            continue
        if document.records() or document.deleted() or document.says_absent:
            _count(folder.packs.setdefault(name, Reading()), mapping, document, found)
            is_read = True
    if is_read:
        folder.read += 1
        return
    note = next((note for note in notes.unread if fnmatchcase(place, note.match)), None)
    if note is None or note.pack is None:
        folder.unread[note.why if note else UNEXPLAINED] += 1
        return
    folder.read += 1
    reading = folder.packs.setdefault(note.pack, Reading())
    reading.files += 1
    try:
        packs[note.pack].format.parse(raw)
        reading.quarantined["no record in it"] += 1
    except UnreadableError as error:
        reading.quarantined[str(error.reason)] += 1


def _count(reading: Reading, mapping: RecordMapping, document: Document, found: Found) -> None:
    reading.files += 1
    reading.tombstones += len(document.deleted())
    reading.says_absent += document.says_absent
    keys = set()
    for position in range(len(document.records())):
        outcome = mapping.apply(Found(found.raw, "", found.source_ref, None, None, found.fetched_at, position=position))
        if not isinstance(outcome, Mapped):
            first = outcome.reasons[0]
            reading.quarantined[f"{first.reason} {first.field}".strip()] += 1
        elif outcome.key in keys:
            reading.quarantined[str(Reason.DUPLICATE_IN_BATCH)] += 1
        else:
            keys.add(outcome.key)
            reading.mapped += 1
            reading.flagged += bool(outcome.flags)


_COLUMNS = (
    *("folder", "files", "pack", "read", "records mapped", "of them flagged", "tombstones", "says there is none"),
    "quarantined, by reason and field",
)


def render(coverage: Coverage) -> str:
    """Write the coverage as Markdown: a line for each folder and pack, and one for each reason why not."""
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        "|---|--:|---|--:|--:|--:|--:|--:|---|",
    ]
    for folder in coverage.folders:
        lines += _folder_lines(folder)
    lines += ["", "| folder | files no pack reads | why |", "|---|--:|---|"]
    lines += [
        f"| `{folder.name}` | {files} | {why} |" for folder in coverage.folders for why, files in folder.unread.items()
    ]
    totals = _totals(coverage.folders)
    lines += ["", totals, "", f"Packs that met no file here: {_named(coverage.idle_packs)}."]
    return "\n".join(lines) + "\n"


def _folder_lines(folder: Folder) -> Iterator[str]:
    for index, (name, reading) in enumerate(sorted(folder.packs.items())):
        quarantined = " · ".join(f"{reason}: {count}" for reason, count in sorted(reading.quarantined.items()))
        start = f"| `{folder.name}` | {folder.files} |" if index == 0 else "| | |"
        numbers = (reading.files, reading.mapped, reading.flagged, reading.tombstones, reading.says_absent)
        yield f"{start} `{name}` | {' | '.join(str(number or '-') for number in numbers)} | {quarantined or '-'} |"
    if not folder.packs:
        yield f"| `{folder.name}` | {folder.files} | none | - | - | - | - | - | - |"


def _totals(folders: Sequence[Folder]) -> str:
    readings = [reading for folder in folders for reading in folder.packs.values()]
    files, read = sum(folder.files for folder in folders), sum(folder.read for folder in folders)
    mapped, flagged = sum(one.mapped for one in readings), sum(one.flagged for one in readings)
    quarantined = sum(one.quarantined.total() for one in readings)
    return (
        f"Together: {files} files, {read} of them of a format that packs read, {files - read} not; {mapped} records "
        f"mapped ({flagged} flagged), {quarantined} quarantined, {sum(one.tombstones for one in readings)} tombstones."
    )


def _named(names: Sequence[str], quote: Callable[[str], str] = "`{}`".format) -> str:
    return ", ".join(map(quote, names)) or "none"
