"""Answers as text for a person, and as JSON for machines."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ipx.answers import Answer, Denied, Failed, Pending, Released, ReleasedRecords, Withdrawn, Withheld
from ipx.commands.printing import lines_of, printable, table
from ipx.field_groups import by_group
from ipx.jws import Json

SEALED_BY = {
    "holder": "signed by the holder's own key",
    "gateway": "sealed by the gateway: this is what it fetched, the holder itself did not sign",
}


def as_document(answer: Answer) -> dict[str, Json]:
    """Give the answer for machines; the evidence itself is what `--out` keeps."""
    evidence: dict[str, Json] = {
        "exchange": answer.evidence.exchange,
        "receipt": answer.evidence.receipt,
        "log_index": answer.evidence.log_index,
        "is_replayed": answer.evidence.is_replayed,
        "is_verified": answer.evidence.report is not None,
    }
    match answer:
        case Released():
            return {
                "outcome": "released",
                **evidence,
                "sealed_by": answer.sealed_by,
                "fields": dict(answer.fields),
                "withheld": _rows(answer.withheld),
                "obligations": dict(answer.obligations),
                "timing_ms": dict(answer.timing_ms),
            }
        case ReleasedRecords():
            return {
                "outcome": "released",
                **evidence,
                "sealed_by": answer.sealed_by,
                "records": [{"fields": dict(row.fields), "withheld": _rows(row.withheld)} for row in answer.records],
                "next": answer.next,
                "refused": dict(answer.refused),
                "unreadable": answer.unreadable,
                "obligations": dict(answer.obligations),
                "timing_ms": dict(answer.timing_ms),
            }
        case Denied():
            return {"outcome": "denied", **evidence, **_words(answer), "withheld": _rows(answer.withheld)}
        case Failed():
            return {"outcome": "failed", **evidence, **_words(answer), "stage": answer.stage}
        case Pending():
            return {
                "outcome": "pending",
                **evidence,
                "reason": answer.reason,
                "approvals_needed": [list(names) for names in answer.approvals_needed],
                "until": answer.until,
                "withheld": _rows(answer.withheld),
            }
        case Withdrawn():
            return {"outcome": "withdrawn", **evidence}


def as_lines(answer: Answer, wanted: str, record_type: str, out: Path | None = None) -> list[str]:
    """Give the answer for a person."""
    lines: list[str] = []
    match answer:
        case Released():
            lines += [f"Released: {printable(wanted)}", f"  {_sealed(answer.sealed_by)}"]
            lines += _field_lines(record_type, answer.fields)
            lines += _withheld_lines(answer.withheld)
            lines += _obligation_lines(answer.obligations)
        case ReleasedRecords():
            lines += _several_lines(answer, wanted, record_type)
        case Denied():
            lines += [f"Denied: {_because(answer)}", f"  {printable(answer.detail)}"]
            lines += _withheld_lines(answer.withheld)
        case Failed():
            lines += [f"Failed at stage {printable(answer.stage)}: {_because(answer)}", f"  {printable(answer.detail)}"]
        case Pending():
            lines += _pending_lines(answer)
        case Withdrawn():
            lines += ["Withdrawn: the request was taken back before anybody decided on it"]
    return [*lines, "", *_evidence_lines(answer, out)]


def _several_lines(answer: ReleasedRecords, wanted: str, record_type: str) -> list[str]:
    lines = [f"Released: {len(answer.records)} of {printable(wanted)}", f"  {_sealed(answer.sealed_by)}"]
    for number, row in enumerate(answer.records, 1):
        lines += ["", f"record {number}", *_field_lines(record_type, row.fields), *_withheld_lines(row.withheld)]
    lines += _obligation_lines(answer.obligations)
    lines += ["", f"more: --after {answer.next}" if answer.next else "these are all"]
    lines += [f"not released: {count} ({printable(reason)})" for reason, count in answer.refused.items()]
    if answer.unreadable:
        lines.append(f"not readable at the holder, and so not decided: {answer.unreadable}")
    return lines


def _field_lines(record_type: str, fields: Mapping[str, Json]) -> list[str]:
    lines: list[str] = []
    for group, members in by_group(record_type, fields).items():
        lines += ["", group]
        lines += table(
            (name if number == 0 else "", line)
            for name, value in members.items()
            for number, line in enumerate(lines_of(value))
        )
    return lines


def _obligation_lines(obligations: Mapping[str, Json]) -> list[str]:
    if not obligations:
        return []
    return ["", "obligations", *table((name, "; ".join(lines_of(value))) for name, value in obligations.items())]


def _sealed(by: str) -> str:
    return SEALED_BY.get(by, printable(by))


def _pending_lines(answer: Pending) -> list[str]:
    needed = " or ".join(" and ".join(names) for names in answer.approvals_needed)
    return [
        f"Pending: not released at once ({printable(answer.reason)}); officers of the holder may approve it",
        f"  wanted: {printable(needed)}, by {printable(answer.until)}",
        f"  look again: ipx exchange {printable(answer.evidence.exchange)}",
        *_withheld_lines(answer.withheld),
    ]


def _because(answer: Denied | Failed) -> str:
    return printable(answer.title + (f" ({answer.reason})" if answer.reason else ""))


def _withheld_lines(rows: tuple[Withheld, ...]) -> list[str]:
    if not rows:
        return []
    cells = [(row.group, row.reason, row.policy or "no policy grants it") for row in rows]
    return ["", "withheld", *table([("group", "reason", "policy"), *cells])]


def _evidence_lines(answer: Answer, out: Path | None) -> list[str]:
    evidence = answer.evidence
    rows = [
        ("exchange", evidence.exchange + (" (the stored answer of an earlier call)" if evidence.is_replayed else "")),
        ("receipt", f"{evidence.receipt[:24]}… ({len(evidence.receipt)} characters)"),
        ("log index", str(evidence.log_index)),
        ("checked", "signatures, binding, log proof" if evidence.report else "nothing: give --trust FILE to verify"),
    ]
    if out is not None:
        rows.append(("kept in", str(out)))
    return table(rows, indent="")


def _words(answer: Denied | Failed) -> dict[str, Json]:
    return {"problem": answer.slug, "reason": answer.reason, "title": answer.title, "detail": answer.detail}


def _rows(withheld: tuple[Withheld, ...]) -> Json:
    return [dict(asdict(row)) for row in withheld]
