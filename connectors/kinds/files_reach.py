"""The `reach` part of a source file of kind `files`, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.archive import ArchiveRules
from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import Limits
from connectors.references import Resolver


@dataclass(frozen=True, slots=True)
class FilesReach:
    """Where the folder is, which files count, and when they are ready; references are resolved."""

    location: Path
    match: str
    subfolders: bool
    quiet: timedelta
    files_max: int
    limits: Limits
    archive: ArchiveRules | None
    """Where the listed files are zip archives: which files in them count."""


def read_reach(reach: Mapping[str, Any], resolver: Resolver) -> FilesReach:
    """Read the `reach` part.

    Raises:
        SourceFileError: a reference without value, or a location that depends on where the process was started.
    """
    location = Path(resolver.resolve(reach["location"], "/reach/location"))
    if not location.is_absolute():
        raise SourceFileError([SourceFault("/reach/location", "must be an absolute path")])
    limits = dict(reach.get("limits", {}))
    files_max = limits.pop("files", 200_000)
    quiet = timedelta(seconds=reach.get("ready", {}).get("quiet_seconds", 30))
    return FilesReach(
        location,
        reach["match"],
        reach.get("subfolders", False),
        quiet,
        files_max,
        Limits(**limits),
        archive_rules(reach.get("archive")),
    )


def archive_rules(document: Mapping[str, Any] | None) -> ArchiveRules | None:
    if document is None:
        return None
    bounds = {f"{name}_max": document[name] for name in ("bytes", "files") if name in document}
    return ArchiveRules(document["members"], **bounds)
