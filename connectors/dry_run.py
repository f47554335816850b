"""The dry run of a source: reads everything, writes nothing, and says what would become of it.

`dry_run` gives a report as a value; `render` makes the page of it that an operator reads. It leaves no watermark and
keeps no index, so a source file can be tried beside the running one.
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
from connectors.quarantine import Quarantined, Rejection
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
    """
    try:
        file = read_source(text, shelf)
        source = open_source(file, secrets=secrets, variables=variables, tools=tools, clock=clock)
    except SourceFileError as error:
        return Unusable(error.faults)
    except SourceRefusedError as error:
        return Unusable(reason=str(error))
    try:
        return _run(file, source, groups(file.record_type), show, records_max)
    finally:
        source.close()


def _run(
    file: SourceFile, source: OpenSource, groups: FieldGroups, show: int, records_max: int | None
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
            _count(report, source, found, show)
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


def _count(report: Report, source: OpenSource, found: Found, show: int) -> None:
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
            report.unmapped.update(fields.get("extensions", {}).keys())
            report.filled.update(fields.keys())
            if len(report.shown) < show:
                report.shown.append(Shown(key, fields))


def render(outcome: Report | Unusable, *, personal: bool = False) -> str:
    """Write the page. Values of personal fields stand as `•••` unless `personal`; values of extensions never stand."""
    lines = (
        _unusable_lines(outcome) if isinstance(outcome, Unusable) else list(_report_lines(outcome, personal=personal))
    )
    return "\n".join(lines) + "\n"


def _unusable_lines(outcome: Unusable) -> list[str]:
    if outcome.faults:
        return ["source file refused", *(f"  {fault.pointer or '/'}  {fault.detail}" for fault in outcome.faults)]
    return [f"schema ok · {outcome.reason}"]


def _report_lines(report: Report, *, personal: bool) -> Iterator[str]:
    can = report.capabilities
    operations = " ".join(name for name in ("fetch", "search", "changes") if name in can.operations)
    pushed = " ".join(sorted(can.pushdown)) or "none"
    yield (
        f"schema ok · secrets 0 missing · reach ok ({report.reach}) · capabilities {operations}"
        f" · push-down {pushed} · deletions {'yes' if can.deletions else 'no'}"
    )
    counts = f"mapped {report.mapped}   quarantined {len(report.quarantined)}   flagged {report.flagged}"
    deleted = f"   deleted {report.deleted}" if report.deleted else ""
    yield f"{counts}{deleted}   {_milliseconds(report.ms_per_record)} ms/record"
    if report.stopped:
        yield "stopped early: there are more records than were asked for"
    for shown in report.shown:
        yield _shown_line(report, shown, personal=personal)
    yield from _reason_lines(
        "rejected fields", [(item.key or item.source_ref, why) for item in report.quarantined for why in item.reasons]
    )
    yield from _reason_lines("flagged fields", [(key, flag.rejection) for key, flag in report.flags])
    if report.unmapped:
        parts = (f"{name} {count}" for name, count in report.unmapped.most_common())
        yield f"unmapped (kept in extensions)  {' · '.join(parts)}"
    if report.groups.of_field:
        yield _groups_line(report)


def _shown_line(report: Report, shown: Shown, *, personal: bool) -> str:
    names = [name for name in shown.fields if name not in ("extensions", "language") and not name.endswith("_raw")]
    names = [name for name in names if shown.fields[name] != shown.key]
    first = _telling(
        [name for name in names if not isinstance(shown.fields[name], list | dict)], ("status", "stage"), 3
    )
    first += _telling([name for name in names if isinstance(shown.fields[name], list | dict)], ("goods",), 1)
    hidden = {name for name in first if report.groups.of_field.get(name) in report.groups.personal}
    parts = [f"{name}={HIDDEN if name in hidden and not personal else _summary(shown.fields[name])}" for name in first]
    more = f"   … {len(names) - len(first)} more" if len(names) > len(first) else ""
    return f"  {shown.key}  {report.record_type}  {' '.join(parts)}{more}"


def _telling(names: list[str], words: tuple[str, ...], count: int) -> list[str]:
    """The first names, but one that speaks of what an operator looks for (state, goods) takes the last place."""
    wanted = next((name for name in names if any(word in name for word in words)), None)
    if wanted is None or wanted in names[:count]:
        return names[:count]
    return [*names[: count - 1], wanted]


def _summary(value: Any) -> str:
    if isinstance(value, dict):
        return f"{len(value)} members"
    if not isinstance(value, list):
        text = str(value)
        return text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004  (a line of a terminal)
    languages = {text.get("lang") for item in value if isinstance(item, dict) for text in item.get("texts", ())}
    is_classes = all(isinstance(item, dict) and "class_number" in item for item in value)
    one, many = ("class", "classes") if is_classes else ("entry", "entries")
    noun = one if len(value) == 1 else many
    spoken = len(languages - {None})
    return f"{len(value)} {noun}" + (f", {spoken} languages" if spoken else "")


def _reason_lines(title: str, reasons: list[tuple[str, Rejection]]) -> Iterator[str]:
    if not reasons:
        return
    yield title
    for key, why in reasons:
        said = why.detail or _shortened(why.where)
        yield f"  {key}  {why.field or '(whole record)'}  {why.reason}   {said}".rstrip()


def _shortened(where: str) -> str:
    """`/t:Transaction/…/t:TradeMark/t:ApplicationDate`."""
    steps = where.split("/")
    if len(steps) <= 5 or not where.startswith("/"):  # noqa: PLR2004  (nothing to be cut)
        return where
    return "/".join([*steps[:2], "…", *steps[-2:]])


def _groups_line(report: Report) -> str:
    groups = list(dict.fromkeys(report.groups.of_field.values()))
    filled = {report.groups.of_field[name] for name in report.filled if name in report.groups.of_field}
    own = [group for group in groups if group.startswith(f"{report.record_type}.")]
    return (
        f"groups filled  {_group_names(report.record_type, [group for group in own if group in filled])}"
        f"      never filled  {_group_names(report.record_type, [group for group in own if group not in filled])}"
    )


def _group_names(record_type: str, groups: list[str]) -> str:
    """`trademark.biblio .status .mark`: the type is written once."""
    if not groups:
        return "none"
    return " ".join([groups[0], *(group.removeprefix(record_type) for group in groups[1:])])


def _milliseconds(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if milliseconds >= 1 else f"{milliseconds:.1f}"
