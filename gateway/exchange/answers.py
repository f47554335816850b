"""From a finished exchange to the document its two parties get; the same bytes now, on a repeat and years later."""

import base64
from typing import Any

from gateway.evidence.leaf import Logged
from gateway.exchange.finished import Finished
from gateway.exchange.outcomes import problem_of
from gateway.exchange.stored_answer import StoredAnswer
from gateway.web.problem import page_of
from gateway.web.problem_kinds import PROBLEMS
from ipx.encoding import b64url


def status_of(finished: Finished) -> int:
    """Status of the first answer; a later look at an exchange that is over is always 200."""
    if finished.pending is not None:
        return 202
    slug = problem_of(finished.outcome, finished.stage, finished.reason)
    return 200 if slug is None else PROBLEMS[slug].status


def document_of(finished: Finished, origin: str) -> dict[str, Any]:
    """Build the answer document: for a release the record, else a problem (RFC 9457); both with their evidence."""
    slug = problem_of(finished.outcome, finished.stage, finished.reason)
    evidence = {
        "request": finished.request,
        "receipt": finished.receipt,
        "log": _log(finished.logged, finished.entry, finished.salt),
    }
    if finished.first is not None:
        first = finished.first
        evidence["prior"] = {"receipt": first.receipt, "log": _log(first.logged, first.entry, first.salt)}
    if finished.pending is not None:
        return {
            "id": finished.exchange_id,
            "outcome": finished.outcome,
            "reason": finished.reason,
            **finished.pending.promise(),
            "withheld": finished.answer.withheld,
            **evidence,
            "timing_ms": finished.timing_ms,
        }
    if finished.outcome == "withdrawn":
        return {"id": finished.exchange_id, "outcome": finished.outcome, **evidence}
    if slug is None:
        erased = finished.answer.erased
        return {
            "id": finished.exchange_id,
            "outcome": finished.outcome,
            **_records(finished.answer),
            "sealed_by": finished.answer.sealed_by,
            "obligations": finished.answer.obligations,
            "withheld": finished.answer.withheld,
            **({"erased": list(erased)} if erased else {}),
            **evidence,
            "timing_ms": finished.timing_ms,
        }
    kind = PROBLEMS[slug]
    document: dict[str, Any] = {
        "type": page_of(slug, origin),
        "title": kind.title,
        "status": kind.status,
        "detail": kind.cure,
        "trace_id": finished.exchange_id,
        "exchange": finished.exchange_id,
        "outcome": finished.outcome,
    }
    if finished.stage is not None:
        document["stage"] = finished.stage
    if finished.reason is not None:
        document["reason"] = finished.reason
    if finished.answer.withheld:
        document["withheld"] = finished.answer.withheld
    return {**document, **evidence}


def _records(answer: StoredAnswer) -> dict[str, Any]:
    if answer.several is None:
        return {"record": answer.presentation}
    rows = zip(answer.presentations, answer.several.withheld, strict=True)
    return {"records": [{"record": one, "withheld": withheld} for one, withheld in rows], "page": answer.several.page}


def _log(logged: Logged, entry: bytes, salt: bytes) -> dict[str, Any]:
    return {
        "index": logged.index,
        "entry": entry.decode("ascii"),
        "salt": b64url(salt),
        "proof": [base64.b64encode(node).decode("ascii") for node in logged.proof],
        "checkpoint": logged.checkpoint_note,
    }
