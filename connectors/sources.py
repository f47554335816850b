"""Opening a source: from a checked source file to a connector that can be asked and a mapping to apply."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from httpcore import NetworkBackend

from connectors.breaker import Breaker
from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import Limits
from connectors.guarded import GuardedConnector
from connectors.kinds import rest, sql
from connectors.kinds.files import FilesConnector
from connectors.kinds.files_reach import read_reach
from connectors.kinds.folder_index import FolderIndex
from connectors.kinds.mirror_reach import mirrored
from connectors.kinds.push import Inbox, PushConnector
from connectors.kinds.queue_messages import Deliveries
from connectors.mapped_records import MappedRecords
from connectors.mapping import Mapped, RecordMapping
from connectors.protocol import Connector, Found
from connectors.quarantine import Quarantined
from connectors.references import Resolver
from connectors.signed_mapping import SignedMapping
from connectors.source_file import SourceFile
from connectors.tools import MappingTools
from connectors.xml_signatures import read_trust


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source in use. `connector.fetch` brings bytes, `apply` makes a record of them."""

    file: SourceFile
    connector: Connector
    mapping: RecordMapping | SignedMapping
    _known: MappedRecords = field(default_factory=MappedRecords, compare=False, repr=False)

    def apply(self, found: Found) -> Mapped | Quarantined:
        """Map one record; unchanged bytes are not mapped again on the same day.

        The day counts because the catalogue refuses dates in the future. A record that passed goes on passing later
        that day; a quarantined one is looked at anew each time, and so is a signed one, whose signer may have been
        revoked meanwhile. What comes back is shared: it is read only.
        """
        if not isinstance(self.mapping, RecordMapping):
            return self.mapping.apply(found)
        same_day = found.fetched_at.date()
        key = (found.sha256, found.key, found.position, found.source_ref, found.revised, found.findings, same_day)
        known = self._known.get(key)
        if known is not None:
            return known
        mapped = self.mapping.apply(found)
        if isinstance(mapped, Mapped):
            self._known.keep(key, mapped)
        return mapped

    def close(self) -> None:
        self.connector.close()


def open_source(
    file: SourceFile,
    *,
    secrets: Mapping[str, str],
    variables: Mapping[str, str],
    tools: MappingTools,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    state: Path | None = None,
    inbox: Inbox | None = None,
    deliveries: Deliveries | None = None,
    wire: NetworkBackend | None = None,
) -> OpenSource:
    """Open a source. A source that is down opens all the same; asking it fails until it is up.

    Args:
        file: what `read_source` gave.
        secrets: what `${secret:NAME}` stands for.
        variables: what `${NAME}` stands for.
        tools: identifier and code functions and the validation of the record catalogue.
        clock: gives the present instant, for stamps and the breaker.
        state: a folder, private to this process's user, in which derived data (an index of keys) is kept over
            restarts; None keeps it in memory.
        inbox: out of which sources of kind `push` are read.
        deliveries: where messages of a queue are kept; None: they are looked at, and stay in the queue.
        wire: takes the place of the network under HTTP, in dry runs that play faults.

    Raises:
        SourceFileError: a reference without value, or a path, transform, kind or table that does not exist.
        SourceRefusedError: the source can be reached and must not be used as it is: its account can write, or it lacks
            a table or column.
    """
    resolver = Resolver(secrets, variables)
    missing = resolver.missing(file.reach)
    if missing:
        raise SourceFileError(
            [SourceFault(f"/reach{place}", f"{reference} is not set") for place, reference in missing]
        )
    inner, mapping = _connector(file, resolver, tools, clock, state, inbox, deliveries, wire)
    return OpenSource(file, GuardedConnector(inner, Breaker(clock), clock), mapping)


def _connector(  # noqa: C901, PLR0911  (one way a kind)
    file: SourceFile,
    resolver: Resolver,
    tools: MappingTools,
    clock: Callable[[], datetime],
    state: Path | None,
    inbox: Inbox | None,
    deliveries: Deliveries | None,
    wire: NetworkBackend | None,
) -> tuple[Connector, RecordMapping | SignedMapping]:
    trust = read_trust(file.reach["trust"], resolver.resolve) if "trust" in file.reach else None

    def mapping_of(limits: Limits) -> RecordMapping:
        return RecordMapping(file, tools, limits, trust)

    match file.kind:
        case "files" | "upload":
            reach = read_reach(file.reach, resolver)
            mapping = mapping_of(reach.limits)
            index = FolderIndex(state / f"{file.name}.index" if state else None, file.sha256)
            return FilesConnector(mapping, reach, index, clock), mapping
        case "sql":
            mapping = mapping_of(Limits())
            return sql.open_connector(mapping, resolver, clock), mapping
        case "rest":
            return rest.open_connector(mapping_of, file.reach, resolver, clock, wire)
        case "push":
            if inbox is None:
                raise SourceFileError([SourceFault("/source/kind", "pushed records are kept by a running gateway")])
            return PushConnector(file.name, inbox, clock), SignedMapping(file, tools)
        case "soap":
            opened: tuple[Connector, RecordMapping] = _extra("soap", "zeep").open_connector(
                mapping_of, file.reach, resolver, clock, wire
            )
            return opened
        case "drop":
            peer = _extra("drop", "paramiko", "sftp").SftpPeer(file.reach, resolver)
            return mirrored(mapping_of, file, peer, clock, state)
        case "store":
            peer = _extra("store", "fsspec", "objectstore").StorePeer(file.reach, resolver)
            return mirrored(mapping_of, file, peer, clock, state)
        case "queue":
            queued: tuple[Connector, RecordMapping] = _extra("queue", "pika").open_connector(
                mapping_of, file.reach, resolver, clock, deliveries
            )
            return queued
        case "office":
            served: tuple[Connector, RecordMapping] = _extra(
                "office", _OFFICES[file.reach["service"]], "offices"
            ).open_connector(mapping_of, file.reach, resolver, clock, wire)
            return served


_OFFICES = {"epo-ops": "epo_ops", "uspto-odp": "pyUSPTO"}


def _extra(kind: str, library: str, extra: str | None = None) -> Any:
    """Import the module of a kind whose library may not be installed."""
    if find_spec(library) is None:
        fault = f"needs the library {library}: pip install 'ipx-gateway[{extra or kind}]'"
        raise SourceFileError([SourceFault("/source/kind", fault)])
    return import_module(f"connectors.kinds.{kind}")
