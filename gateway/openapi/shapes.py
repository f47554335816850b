"""What answers look like: JSON Schemas (2020-12) by name. Members that are not named here may be added in time."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.web.problem_kinds import PROBLEMS

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_MAYBE: Final = {"type": ["string", "null"]}
_INSTANT: Final = {"type": "string", "format": "date-time"}
_OBJECTS: Final = {"type": "array", "items": {"type": "object"}}


def _object(_optional: Mapping[str, Any] | None = None, /, **members: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(members), "properties": {**members, **(_optional or {})}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(item: Mapping[str, Any]) -> dict[str, Any]:
    return _object({"next": _MAYBE, "complete": {"type": "boolean"}}, items={"type": "array", "items": item})


_LOG: Final = _object(index={"type": "integer", "minimum": 0}, entry=_TEXT, salt=_TEXT, proof=_TEXTS, checkpoint=_TEXT)
_WITHHELD: Final = {"type": "array", "items": _object({"policy": _MAYBE}, group=_TEXT, reason=_TEXT)}
_EVIDENCE: Final = {"request": _TEXT, "receipt": _TEXT, "log": _ref("Log")}
_OUTCOMES: Final = ["released", "denied", "pending", "failed", "withdrawn"]

SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "Anything": {"type": "object"},
    "Items": _list({"type": "object"}),
    "Page": {**_list({"type": "object"}), "required": ["items", "total", "next", "complete"]},
    "Log": _LOG,
    "Fault": _object(pointer=_TEXT, code=_TEXT, detail=_TEXT),
    "Problem": _object(
        {
            "errors": {"type": "array", "items": _ref("Fault")},
            "stage": {"enum": ["auth", "policy", "holder", "verify", "sign", "log"]},
            "reason": _TEXT,
            "receipt": _TEXT,
            "exchange": _TEXT,
        },
        type={"type": "string", "format": "uri", "description": "/problems/<slug>: " + ", ".join(sorted(PROBLEMS))},
        title=_TEXT,
        status={"type": "integer", "minimum": 400, "maximum": 599},
        detail=_TEXT,
        trace_id=_TEXT,
    ),
    "Released": _object(
        {"record": _TEXT, "records": _OBJECTS, "page": {"type": "object"}, "prior": {"type": "object"}},
        id={"type": "string", "format": "uuid"},
        outcome={"const": "released"},
        sealed_by=_TEXT,
        obligations={"type": "object"},
        withheld=_WITHHELD,
        timing_ms={"type": "object", "additionalProperties": {"type": "number"}},
        **_EVIDENCE,
    ),
    "Pending": _object(
        {"until": _INSTANT, "approvals_needed": {"type": "array"}},
        id={"type": "string", "format": "uuid"},
        outcome={"const": "pending"},
        withheld=_WITHHELD,
        **_EVIDENCE,
    ),
    "Outcome": _object(outcome={"enum": _OUTCOMES}, **_EVIDENCE),
    "Exchanges": {
        **_list(
            _object(
                id={"type": "string", "format": "uuid"},
                client=_TEXT,
                requester=_TEXT,
                holder=_TEXT,
                record_type=_TEXT,
                purpose=_TEXT,
                outcome={"enum": _OUTCOMES},
                received_at=_INSTANT,
                receipt=_MAYBE,
                log={"type": ["object", "null"]},
                answer={"enum": ["kept", "recalled", "expired", "erased"]},
            )
        ),
        "required": ["items", "next", "complete"],
    },
    "Task": _object(
        id=_TEXT, exchange=_TEXT, state=_TEXT, version={"type": "integer"}, groups=_TEXTS, expires_at=_INSTANT
    ),
    "Tasks": _list(_ref("Task")),
    "Recall": _object(
        id=_TEXT,
        event=_TEXT,
        kind={"enum": ["corrected", "sealed", "unsealed", "recalled", "erased"]},
        holder=_TEXT,
        record_type=_TEXT,
        record=_TEXT,
        reason=_TEXT,
        order=_MAYBE,
        made_at=_INSTANT,
        due_at=_MAYBE,
        statement=_TEXT,
        acknowledged={"type": "integer"},
        addressed={"type": "integer"},
        overdue={"type": "boolean"},
        addressees={
            "type": "array",
            "items": _object(
                agency=_TEXT,
                state={"enum": ["open", "acknowledged", "disputed", "told"]},
                overdue={"type": "boolean"},
                exchanges=_TEXTS,
                due_at=_MAYBE,
                delivered_at=_MAYBE,
                acknowledged_at=_MAYBE,
                action=_MAYBE,
                reason=_MAYBE,
                acknowledgement=_MAYBE,
            ),
        },
    ),
    "Recalls": _list(_ref("Recall")),
    "Releases": _list(
        _object(
            exchange=_TEXT,
            requester=_TEXT,
            client=_TEXT,
            purpose=_TEXT,
            released_at=_INSTANT,
            groups={"type": ["array", "null"], "items": {"type": "string"}},
            withheld=_TEXTS,
            of_several={"type": "boolean"},
            receipt=_TEXT,
            recalls={
                "type": "array",
                "items": _object(
                    id=_TEXT,
                    kind=_TEXT,
                    made_at=_INSTANT,
                    state={"enum": ["open", "acknowledged", "disputed", "told"]},
                    overdue={"type": "boolean"},
                    action=_MAYBE,
                    acknowledged_at=_MAYBE,
                ),
            },
        )
    ),
    "Pushed": _object(record=_TEXT, source=_TEXT, as_of=_INSTANT, sha256=_TEXT),
    "Names": _object(names={"type": "object", "additionalProperties": _TEXT}),
    "RecordTypes": _list(_object(record_type=_TEXT, schema_version={}, label={"type": "object"})),
    "RecordType": _object(record_type=_TEXT, schema_version={}, label={"type": "object"}, groups=_OBJECTS),
    "Caller": _object(
        client_id=_TEXT, agency=_TEXT, name={}, kind=_TEXT, supplier=_MAYBE, scopes=_TEXTS, purposes=_TEXTS
    ),
    "Policy": _object(tier=_TEXT, owner=_TEXT, policy=_TEXT, version=_MAYBE, cedar=_TEXT, cards={"type": "object"}),
    "Findings": _object(findings=_OBJECTS, is_passed={"type": "boolean"}),
    "Change": _object(
        id={"type": "integer"},
        tier=_TEXT,
        owner=_TEXT,
        title=_TEXT,
        state=_TEXT,
        version={"type": "integer"},
        edits=_OBJECTS,
        reviews=_OBJECTS,
        evidence={"type": "object"},
        evidence_sha256=_MAYBE,
    ),
}
