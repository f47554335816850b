"""The `reach` part of sources that are copied here first, as values."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from connectors.formats.document import Limits
from connectors.kinds.files import FilesConnector
from connectors.kinds.files_reach import FilesReach, archive_rules
from connectors.kinds.folder_index import FolderIndex
from connectors.kinds.mirror import MirrorConnector, MirrorRules, Peer
from connectors.mapping import RecordMapping
from connectors.source_file import SourceFile, parse_duration


def mirrored(
    mapping_of: Callable[[Limits], RecordMapping],
    file: SourceFile,
    peer: Peer,
    clock: Callable[[], datetime],
    state: Path | None,
) -> tuple[MirrorConnector, RecordMapping]:
    """Open a folder that lies elsewhere. Nothing is copied yet.

    Args:
        mapping_of: compiles the mapping within limits of size.
        file: the source file.
        peer: the way to the other side.
        clock: gives the present instant.
        state: where the copy is kept over restarts; None: for this process only.
    """
    reach = file.reach
    limits = dict(reach.get("limits", {}))
    files_max = limits.pop("files", 200_000)
    mapping = mapping_of(Limits(**limits))
    rules = MirrorRules(
        match=reach["match"],
        marker=reach.get("ready", {}).get("marker"),
        quiet_seconds=reach.get("ready", {}).get("quiet_seconds", 30),
        refresh_seconds=parse_duration(reach.get("refresh", "PT1M")).total_seconds(),
        files_max=files_max,
        file_bytes=Limits(**limits).file_bytes,
        keep=reach.get("keep", False),
    )
    archive = archive_rules(reach.get("archive"))

    def inner_of(place: Path) -> FilesConnector:
        copied = FilesReach(
            place,
            reach["match"],
            subfolders=False,
            quiet=timedelta(0),
            files_max=files_max,
            limits=Limits(**limits),
            archive=archive,
        )
        index = FolderIndex(state / f"{file.name}.index" if state else None, file.sha256)
        return FilesConnector(mapping, copied, index, clock)

    spool = state / f"{file.name}.spool" if state else None
    return MirrorConnector(file.name, peer, rules, inner_of, clock, spool), mapping
