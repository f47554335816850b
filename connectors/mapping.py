"""The second step: from the bytes a source carries to a record of the catalogue, or to all the reasons why not.

Pure: no clock but the one that stamped `Found.fetched_at`, no file, no network. The same bytes and the same source file
give the same record.
"""

import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.dates import write_instant
from connectors.entries import ConstEntry, Reading, ValueEntry, read_members
from connectors.entry_compiler import EntryCompiler, EntryError
from connectors.errors import SourceFault, SourceFileError
from connectors.formats.csv_document import CsvFormat
from connectors.formats.document import Document, Format, Json, Limits, Node
from connectors.formats.json_document import JsonFormat
from connectors.formats.rows import SqlRowFormat
from connectors.formats.xlsx_document import XlsxFormat
from connectors.formats.xml_document import XmlDocument, XmlFormat
from connectors.protocol import Found, RecordKey
from connectors.quarantine import Quarantined, Reason, Rejection, UnfitValueError, UnreadableError
from connectors.source_file import SourceFile
from connectors.tools import MappingTools
from connectors.xml_signatures import XmlTrust

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a holder's clock may run ahead before a revision counts as one from the future."""

REVISED = "revised"
"""The field name under which rejections of the `revised` entry stand; no catalogue field has it."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A field that was served without what did not fit; the source's own text stands in `extensions`."""

    rejection: Rejection


@dataclass(frozen=True, slots=True)
class Mapped:
    """A record in the catalogue's fields, as JSON. `fields["extensions"]` keeps what the mapping does not know."""

    source_ref: str
    key: RecordKey
    revised: datetime | None
    fields: Mapping[str, Json]
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Key and revision of one record in a document, read without mapping the rest. None where they cannot be read."""

    key: RecordKey | None
    revised: datetime | None


class RecordMapping:
    """The mapping of one source file, compiled once and used by many threads."""

    def __init__(self, source: SourceFile, tools: MappingTools, limits: Limits, trust: XmlTrust | None = None) -> None:
        """Compile.

        Args:
            source: the source file.
            tools: functions of the catalogue.
            limits: how large a document may be.
            trust: whose signatures count, for a source whose documents are signed.

        Raises:
            SourceFileError: a path, transform, kind or table that does not exist, or signatures that nobody judges.
        """
        if source.read.signature is not None and trust is None:
            raise SourceFileError([SourceFault("/reach/trust", "is missing: the documents of this source are signed")])
        self.source = source
        self.format = format_of(source, limits)
        self._trust = trust if source.read.signature is not None else None
        self._validate = tools.validate
        self._kept = threading.local()
        compiler = EntryCompiler(self.format, tools, "/" if source.read.format == "xml" else ".")
        try:
            self._members = compiler.members(source.fields)
        except EntryError as error:
            raise SourceFileError([SourceFault(f"/map{error.pointer}", error.detail)]) from error
        try:
            self._revised = compiler.entry(source.revised) if source.revised is not None else None
        except EntryError as error:
            raise SourceFileError([SourceFault(f"/revised{error.pointer}", error.detail)]) from error
        self._key = {source.key: self._members[source.key]}

    def apply(self, found: Found) -> Mapped | Quarantined:
        """Map one record."""
        try:
            document = self._document(found.raw)
        except UnreadableError as error:
            return Quarantined(found.source_ref, found.key, (Rejection("", error.reason, "", error.detail),))
        records = document.records()
        if found.position >= len(records):
            missing = Rejection("", Reason.WRONG_TYPE, "", "no record stands where one was")
            return Quarantined(found.source_ref, found.key, (missing,))
        return _Application(self, document, records[found.position], found).run()

    def _document(self, raw: bytes) -> Document:
        """Parse, or take the document that this thread parsed last: the records of one file come one after another."""
        kept: tuple[bytes, Document] | None = getattr(self._kept, "last", None)
        if kept is not None and kept[0] is raw:
            return kept[1]
        self._kept.last = None
        document = self.format.parse(raw)
        if len(document.records()) > 1:
            self._kept.last = (raw, document)
        return document

    def identify(self, node: Node) -> Identity:
        """Read a record's key and revision; works on tombstones too, as they hold a key."""
        reading = Reading()
        members = read_members(self._key, node, (), reading) or {}
        key = members.get(self.source.key)
        revised = self._read_revised(node, reading)
        return Identity(RecordKey(key) if isinstance(key, str) else None, revised)

    def key_of(self, value: Any) -> RecordKey | None:
        """Make a record's key of what a source gives as one (in its list of deletions); None where it is none."""
        entry = self._members[self.source.key]
        if not isinstance(entry, ValueEntry):
            return None
        try:
            key = entry.use.one(value)
        except UnfitValueError:
            return None
        return RecordKey(key) if isinstance(key, str) else None

    def _read_revised(self, node: Node, reading: Reading) -> datetime | None:
        if self._revised is None:
            return None
        value = self._revised.read(node, (REVISED,), reading)
        if isinstance(value, str):
            try:
                instant = datetime.fromisoformat(value)
            except ValueError:
                instant = None
            if instant is not None and instant.tzinfo is not None:
                return instant
            reading.reject((REVISED,), Reason.BAD_DATE, self._revised.where)
        return None


class _Application:
    """One record on its way through the mapping."""

    def __init__(self, mapping: RecordMapping, document: Document, node: Node, found: Found) -> None:
        self._mapping = mapping
        self._document = document
        self._node = node
        self._found = found
        self._place = document.place(node)
        self._covered: dict[str, list[Hashable]] = {}
        self._failed: set[Hashable] = set()
        self._rejected: list[Rejection] = []
        self._flags: list[Flag] = []

    def run(self) -> Mapped | Quarantined:
        fields: dict[str, Json] = {}
        for name, entry in self._mapping._members.items():  # noqa: SLF001  (its own other half)
            reading = Reading()
            if isinstance(entry, ConstEntry):  # it makes no object, but it is a field
                fields[name] = entry.value
                continue
            made = read_members({name: entry}, self._node, (), reading)
            fields |= self._judged(name, made or {}, reading)
        revised = self._revised()
        key = fields.get(self._mapping.source.key)
        self._check_key(key)
        self._rejected += [Rejection("", finding) for finding in self._found.findings]
        self._check_signature(key)
        for name, reason, detail in self._mapping._validate(self._mapping.source.record_type, fields):  # noqa: SLF001  (its own other half)
            self._complain(name, Rejection(name, Reason(reason), "", detail), fields)
        if self._rejected or not isinstance(key, str):
            text = key if isinstance(key, str) else self._found.key
            return Quarantined(self._found.source_ref, text, tuple(self._rejected))
        rest = self._leftover()
        if rest:
            fields["extensions"] = rest
        return Mapped(self._found.source_ref, RecordKey(key), revised, fields, tuple(self._flags))

    def _judged(self, name: str, made: dict[str, Json], reading: Reading) -> dict[str, Json]:
        """Apply the field's `on_error` to what reading it brought."""
        rejections = [self._placed(rejection) for rejection in reading.rejections]
        self._covered[name] = reading.covered
        self._failed |= reading.failed
        if not rejections:
            return made
        match self._mapping.source.remedy(name):
            case "quarantine":
                self._rejected += rejections
            case "flag":
                self._flags += [Flag(rejection) for rejection in rejections]
            case "null":
                self._flags += [Flag(rejection) for rejection in rejections]
                self._covered[name] = []
                made.pop(name, None)
        return made

    def _complain(self, name: str, rejection: Rejection, fields: dict[str, Json]) -> None:
        """Take one complaint of the catalogue, unless the mapping has already rejected that field."""
        field = name.partition(".")[0].partition("[")[0]
        if any(known.field.partition(".")[0].partition("[")[0] == field for known in self._rejected if field):
            return
        match self._mapping.source.remedy(field):
            case "quarantine":
                self._rejected.append(rejection)
            case "flag":
                self._flags.append(Flag(rejection))
            case "null":
                self._flags.append(Flag(rejection))
                self._covered[field] = []
                fields.pop(field, None)

    def _revised(self) -> datetime | None:
        reading = Reading()
        revised = self._mapping._read_revised(self._node, reading)  # noqa: SLF001  (its own other half)
        self._judged(REVISED, {}, reading)
        revised = revised or self._found.revised
        if revised is not None and revised > self._found.fetched_at + CLOCK_TOLERANCE:
            detail = f"{write_instant(revised)} is after {write_instant(self._found.fetched_at)}"
            self._rejected.append(Rejection(REVISED, Reason.FUTURE_DATE, "", detail))
        return revised

    def _check_key(self, key: Json) -> None:
        """A record without a key is no record, whatever `on_error` says of the field."""
        name = self._mapping.source.key
        if isinstance(key, str):
            if self._found.key is not None and key != self._found.key:
                self._rejected.append(Rejection(name, Reason.KEY_MISMATCH))
        elif not any(known.field == name for known in self._rejected):
            reason = Reason.MISSING_REQUIRED if key is None else Reason.WRONG_TYPE
            self._rejected.append(Rejection(name, reason))

    def _check_signature(self, key: Json) -> None:
        """What is not signed by whom the source trusts is no record, whatever `on_error` says."""
        trust = self._mapping._trust  # noqa: SLF001  (its own other half)
        root = self._document.root if isinstance(self._document, XmlDocument) else None
        if trust is not None and root is not None:
            self._rejected += trust.rejections(root, key if isinstance(key, str) else None, self._found.fetched_at)

    def _placed(self, rejection: Rejection) -> Rejection:
        where = rejection.where
        if not where.startswith("/"):
            separator = "/" if self._place.startswith("/") else "."
            where = f"{self._place}{separator}{where}"
        return Rejection(rejection.field, rejection.reason, where, rejection.detail)

    def _leftover(self) -> dict[str, Json]:
        covered = {origin for origins in self._covered.values() for origin in origins if origin is not None}
        return self._document.leftover(self._node, covered - self._failed)


def format_of(source: SourceFile, limits: Limits) -> Format:
    """Make the format that a source file declares.

    Raises:
        SourceFileError: a path of its `read` part cannot be compiled.
    """
    try:
        match source.read.format:
            case "xml":
                return XmlFormat(source.read, limits)
            case "json":
                return JsonFormat(source.read, limits)
            case "csv":
                return CsvFormat(source.read, limits)
            case "xlsx":
                return XlsxFormat(source.read, limits)
            case _:
                return SqlRowFormat(source.reach["table"], limits)
    except ValueError as error:
        raise SourceFileError([SourceFault("/read", str(error))]) from error
