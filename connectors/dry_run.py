"""The dry run of a source: reads everything, writes nothing, and says what would become of it.

`dry_run` gives a report as a value; `dry_run_page` makes the page of it that an operator reads. It leaves no watermark
and keeps no index, so a source file can be tried beside the running one.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.deadline import Deadline
from connectors.errors import SourceFault, SourceFileError, SourceRefusedError
from connectors.mapping import Flag, Mapped
from connectors.mapping_packs import Shelf, shipped
from connectors.protocol import Capabilities, Changes, Failed, FailReason, Found, Page
from connectors.quarantine import Quarantined, Reason, Rejection
from connectors.references import references_in
from connectors.row_filter import EVERYTHING
from connectors.source_file import SourceFile, read_source
from connectors.sources import OpenSource, open_source
from connectors.tools import MappingTools

CALL_SECONDS = 600
HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class FieldGroups:
    """What the catalogue says of one record type: the group of each field, and which groups are of individuals."""

    of_field: Mapping[str, str]
    personal: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unusable:
    """The source file is wrong, or the source cannot be reached or must not be used. Exit code 2."""

    faults: tuple[SourceFault, ...] = ()
    reason: str = ""

    @property
    def exit_code(self) -> int:
        return 2


@dataclass(frozen=True, slots=True)
class Shown:
    """One mapped record, as much of it as an operator needs to see that it is right."""

    key: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class Report:
    """What a dry run found. Counts are of records; a rejected or flagged record stands with all its reasons."""

    record_type: str
    secrets: int
    reach: str
    capabilities: Capabilities
    mapped: int = 0
    flagged: int = 0
    deleted: int = 0
    seconds: float = 0.0
    """Processor time of the mapping alone."""
    shown: list[Shown] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    flags: list[tuple[str, Flag]] = field(default_factory=list)
    odd: list[tuple[str, Rejection]] = field(default_factory=list)
    """What is odd about records that are served all the same: by key, what and where."""
    unmapped: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    """By catalogue field, in how many records it stands."""
    groups: FieldGroups = field(default_factory=lambda: FieldGroups({}))
    stopped: bool = False
    """Whether there is more than `records_max`; then the counts are of a part."""

    @property
    def exit_code(self) -> int:
        return 1 if self.quarantined else 0

    @property
    def ms_per_record(self) -> float:
        records = self.mapped + len(self.quarantined)
        return self.seconds * 1000 / records if records else 0.0


def dry_run(
    text: str,
    *,
    secrets: Mapping[str, str],
    variables: Mapping[str, str],
    tools: MappingTools,
    groups: Callable[[str], FieldGroups] = lambda _: FieldGroups({}),
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    shelf: Shelf = shipped,
    show: int = 5,
    records_max: int | None = None,
    each: Callable[[str, Mapping[str, Any]], None] = lambda _key, _fields: None,
) -> Report | Unusable:
    """Try a source file.

    Args:
        text: the source file.
        secrets: as `open_source` takes them.
        variables: as `open_source` takes them.
        tools: as `open_source` takes them.
        groups: gives the field groups of a record type.
        clock: gives the present instant.
        shelf: where packs are looked up.
        show: how many mapped records the report keeps.
        records_max: stop after so many records; None reads all.
        each: is given every mapped record, by key.
    """
    try:
        file = read_source(text, shelf)
        source = open_source(file, secrets=secrets, variables=variables, tools=tools, clock=clock)
    except SourceFileError as error:
        return Unusable(error.faults)
    except SourceRefusedError as error:
        return Unusable(reason=str(error))
    try:
        return _run(file, source, tools, groups(file.record_type), show, records_max, each)
    finally:
        source.close()


def _run(
    file: SourceFile,
    source: OpenSource,
    tools: MappingTools,
    groups: FieldGroups,
    show: int,
    records_max: int | None,
    each: Callable[[str, Mapping[str, Any]], None],
) -> Report | Unusable:
    secrets = {reference.name for _, reference in references_in(file.reach) if reference.is_secret}
    report = Report(file.record_type, len(secrets), "", source.connector.capabilities(), groups=groups)
    for batch in _batches(source):
        if isinstance(batch, Failed):
            return Unusable(reason=f"reach failed: {batch.reason}")
        report.deleted += len(batch.deleted) if isinstance(batch, Changes) else 0
        for found in batch.found:
            if records_max is not None and report.mapped + len(report.quarantined) >= records_max:
                report.stopped = True
                break
            _count(report, source, found, tools, show, each)
        if report.stopped:
            break
    report.reach = source.connector.health().note
    return report


def _batches(source: OpenSource) -> Iterator[Page | Changes | Failed]:
    """All there is: by one search where the source allows it, else by its changes from the beginning."""
    operations = source.connector.capabilities().operations
    if "search" in operations:
        page = source.connector.search(EVERYTHING, None, Deadline.within(CALL_SECONDS))
        is_too_many = isinstance(page, Failed) and page.reason is FailReason.TOO_MANY_ROWS
        if not is_too_many or "changes" not in operations:
            yield page
            return
    mark = None
    while True:
        changes = source.connector.changes(mark, Deadline.within(CALL_SECONDS))
        yield changes
        if isinstance(changes, Failed) or changes.complete:
            return
        mark = changes.next


def _count(
    report: Report,
    source: OpenSource,
    found: Found,
    tools: MappingTools,
    show: int,
    each: Callable[[str, Mapping[str, Any]], None],
) -> None:
    began = time.thread_time()
    outcome = source.apply(found)
    report.seconds += time.thread_time() - began
    match outcome:
        case Quarantined():
            report.quarantined.append(outcome)
        case Mapped(key=key, fields=fields, flags=flags):
            report.mapped += 1
            report.flagged += bool(flags)
            report.flags += [(key, flag) for flag in flags]
            report.odd += [
                (key, Rejection(name, Reason(reason), "", detail))
                for name, reason, detail in tools.oddities(report.record_type, fields)
            ]
            report.unmapped.update(fields.get("extensions", {}).keys())
            report.filled.update(fields.keys())
            if len(report.shown) < show:
                report.shown.append(Shown(key, fields))
            each(key, fields)
