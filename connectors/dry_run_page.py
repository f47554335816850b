"""The page that an operator reads of a dry run. No secret, no value of a personal field, and none of extensions."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from connectors.dry_run import HIDDEN, Report, Shown, Unusable
from connectors.quarantine import Quarantined, Rejection

ROW = "row."
"""How a place in a row begins (`formats/rows.py`)."""


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
    yield from _counted_lines(report)
    yield from _reason_lines(
        "rejected fields",
        [(item.key or item.source_ref, _in_row(item, why)) for item in report.quarantined for why in item.reasons],
    )
    yield from _reason_lines("flagged fields", [(key, flag.rejection) for key, flag in report.flags])
    yield from _reason_lines("odd, and served all the same", report.odd)
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


def _counted_lines(report: Report) -> Iterator[str]:
    """How often each reason stands in how many fields: of a thousand records that fail alike, one line."""
    counts = Counter((why.field, why.reason) for item in report.quarantined for why in item.reasons)
    if len(counts) < sum(counts.values()):
        parts = (f"{name or '(whole record)'} {reason} {count}" for (name, reason), count in counts.most_common())
        yield f"by reason  {' · '.join(parts)}"


def _in_row(item: Quarantined, why: Rejection) -> Rejection:
    """A row has no place of its own in a document: its file or table, and which one of it, stand in front."""
    if not why.where.startswith(ROW):
        return why
    return replace(why, where=f"{item.source_ref}  {why.where.removeprefix(ROW)}")


def _reason_lines(title: str, reasons: list[tuple[str, Rejection]]) -> Iterator[str]:
    if not reasons:
        return
    yield title
    for key, why in reasons:
        said = "   ".join(part for part in (_shortened(why.where), why.detail) if part)
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
