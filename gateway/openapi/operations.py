"""What each address of `/v1` takes and answers, by the name of its view; a test holds it against the routes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from marshmallow import Schema, fields

from gateway.auditor.filters import ActFilterSchema, ExchangeFilterSchema, RecallFilterSchema, SignInFilterSchema
from gateway.auditor.flags import FILTERS
from gateway.auditor.views import SavedSchema
from gateway.exchange.approval_views import VerdictSchema
from gateway.policy_api import schemas as policy

GUARDED: Final = ("unauthenticated", "insufficient-scope", "store-unavailable", "key-unavailable", "internal")
"""Every call with a token may meet these."""
BODY: Final = ("invalid-request", "invalid-field", "too-large", "unsupported-media-type")
CHANGE: Final = ("not-found", "not-allowed", "illegal-transition", "stale-version", "precondition-required")
FILED: Final = ("log-unavailable",)
"""What writes an act meets these."""
BUNDLE: Final = ("invalid-request", "not-found", "answer-gone", "not-yet-provable", "no-container")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address.

    Args:
        scope: what the token needs; "" for any token, None for anybody.
        answers: by status, the name of a shape, or media types of bytes.
        takes: a schema of JSON, or a media type of text.
        query: parameters of the address by name with their JSON Schemas.
        seen: whether `If-Match` must name the version that was seen.
        problems: what may be wrong besides `GUARDED`.
    """

    scope: str | None
    answers: Mapping[int, str | tuple[str, ...]]
    takes: type[Schema] | str | None = None
    query: Mapping[str, Mapping[str, Any]] | type[Schema] | None = None
    is_paged: bool = False
    seen: bool = False
    problems: tuple[str, ...] = ()
    example: Any = None


class NamesSchema(Schema):
    """Numbers of a holder for which it wants names."""

    record_type = fields.String(required=True)
    numbers = fields.List(fields.String(), required=True)


class SubjectSchema(Schema):
    """A person about whom is asked."""

    identifier = fields.String(required=True)


class FlagSchema(Schema):
    """What an auditor says of a flag."""

    status = fields.String()
    note = fields.String()
    assignee = fields.String()


TEXT: Final[Mapping[str, Any]] = {"type": "string"}
_SIZE: Final[Mapping[str, Any]] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Mapping[str, Any]] = {"type": "integer", "minimum": 1}
_FORM: Final = {"format": {"type": "string", "enum": ["zip", "asice"], "default": "zip"}}
_FILE: Final = {"format": {"type": "string", "enum": ["ndjson", "csv"]}, "mark": {"type": "string", "enum": ["yes"]}}
_PLACE: Final[Mapping[str, Mapping[str, Any]]] = {
    "tier": {"type": "string", "enum": ["guardrail", "holder", "egress"]},
    "owner": TEXT,
}
_ZIP: Final = ("application/zip", "application/vnd.etsi.asic-e+zip")
_LINES: Final = ("application/x-ndjson", "text/csv")
_STEP: Final = Operation(
    "policies:edit",
    {200: "Change"},
    policy.NothingSchema,
    seen=True,
    problems=(*BODY, *CHANGE, *FILED, "base-moved", "evidence-changed"),
)
_STATED: Final = (*BODY, "invalid-signature", "stale-request", "not-allowed", *FILED)
"""What takes a signed statement meets these."""
_AUDIT: Final = ("invalid-request", "invalid-field", "not-allowed", *FILED)


def _listing(scope: str, shape: str, *, query: Any = None, problems: tuple[str, ...] = ()) -> Operation:
    return Operation(scope, {200: shape}, query=query, is_paged=True, problems=("invalid-request", *problems))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "openapi.document": Operation(None, {200: "Anything"}),
    "exchanges.ask": Operation(
        "exchange:request",
        {200: "Released", 202: "Pending"},
        "application/jose",
        problems=(
            *("invalid-request", "invalid-signature", "stale-request", "invalid-field", "too-large"),
            *("unsupported-media-type", "purpose-outside-token", "denied", "no-information", "in-flight", "jti-reused"),
            *("quota-exhausted", "answer-gone", "holder-failed", "holder-timeout", "policy-unavailable", "interrupted"),
            *("log-unavailable", "evidence-overdue", "quota-exhausted"),
        ),
        example="eyJhbGciOiJFUzI1NiIsImtpZCI6IuKApiIsInR5cCI6ImlweC1yZXF1ZXN0K2p3dCJ9.e30.c2ln",
    ),
    "exchanges.own_side": _listing(
        "exchange:request",
        "Exchanges",
        query={"role": {"type": "string", "enum": ["requester", "holder"]}, "case_ref": TEXT},
    ),
    "exchanges.look": Operation(
        "exchange:request",
        {200: "Outcome", 202: "Pending"},
        problems=("not-found", "not-acceptable", "in-flight", "answer-gone"),
    ),
    "exchanges.withdraw": Operation(
        "exchange:request", {202: "Outcome"}, problems=("not-found", "illegal-transition", "in-flight", *FILED)
    ),
    "exchanges.bundle": Operation("exchange:request", {200: _ZIP}, query=_FORM, problems=(*BUNDLE, "in-flight")),
    "approvals.inbox": _listing(
        "approvals:decide", "Tasks", query={"state": TEXT, "after": TEXT}, problems=("officer-excluded",)
    ),
    "approvals.look": Operation(
        "approvals:decide", {200: "Task"}, problems=("not-found", "officer-excluded", "answer-gone")
    ),
    "approvals.speak": Operation(
        "approvals:decide",
        {200: "Task"},
        VerdictSchema,
        seen=True,
        problems=(*BODY, *CHANGE, *FILED, "officer-excluded", "answer-gone"),
        example={"verdict": "grant", "reason_code": "order_checked", "note": "order 4 of 2026"},
    ),
    "recalls.make": Operation(
        "records:recall",
        {200: "Recall", 201: "Recall"},
        "application/jose",
        problems=(*_STATED, "jti-reused"),
        example="eyJhbGciOiJFUzI1NiIsImtpZCI6IuKApiIsInR5cCI6ImlweC1yZWNhbGwrand0In0.e30.c2ln",
    ),
    "recalls.own_side": _listing(
        "exchange:request",
        "Recalls",
        query={
            "role": {"type": "string", "enum": ["holder", "addressee"]},
            "state": {"type": "string", "enum": ["all", "open"]},
        },
        problems=("not-allowed",),
    ),
    "recalls.signed": Operation(
        "",
        {200: ("application/jose",)},
        query={"part": {"type": "integer", "minimum": 0}},
        problems=("invalid-request", "not-found"),
    ),
    "recalls.look": Operation("exchange:request", {200: "Recall"}, problems=("not-found", "not-allowed")),
    "recalls.acknowledge": Operation(
        "exchange:request",
        {200: "Recall"},
        "application/jose",
        problems=(*_STATED, "not-found", "illegal-transition"),
        example="eyJhbGciOiJFUzI1NiIsImtpZCI6IuKApiIsInR5cCI6ImlweC1hY2tub3dsZWRnZW1lbnQrand0In0.e30.c2ln",
    ),
    "releases.releases": _listing("exchange:request", "Releases", problems=("not-allowed",)),
    "records.push": Operation(
        "records:push",
        {200: "Pushed", 201: "Pushed"},
        "application/sd-jwt",
        problems=(*BODY, "not-found", "invalid-signature", "older-revision", "contradictory-revision"),
    ),
    "records.names": Operation(
        "records:push",
        {200: "Names"},
        NamesSchema,
        problems=(*BODY, "not-found"),
        example={"record_type": "trademark", "numbers": ["202400017"]},
    ),
    "record_types.record_types": Operation(None, {200: "RecordTypes"}),
    "record_types.record_type": Operation(None, {200: "RecordType"}, problems=("not-found",)),
    "callers.whoami": Operation("", {200: "Caller"}),
    "audit.exchanges": _listing("audit:read", "Page", query=ExchangeFilterSchema, problems=_AUDIT),
    "audit.acts": _listing("audit:read", "Page", query=ActFilterSchema, problems=_AUDIT),
    "audit.decisions": _listing("audit:read", "Page", query=ExchangeFilterSchema, problems=_AUDIT),
    "audit.export_decisions": Operation("audit:read", {200: _LINES}, query=_FILE, problems=_AUDIT),
    "audit.signed_in": _listing("audit:read", "Page", query=SignInFilterSchema, problems=_AUDIT),
    "audit.export_sign_ins": Operation("audit:read", {200: _LINES}, query=_FILE, problems=_AUDIT),
    "audit.recalls": _listing("audit:read", "Page", query=RecallFilterSchema, problems=_AUDIT),
    "audit.recall": Operation("audit:read", {200: "Recall"}, problems=("not-found", *_AUDIT)),
    "audit.export_recalls": Operation("audit:read", {200: _LINES}, query=_FILE, problems=_AUDIT),
    "audit.flags": _listing("audit:read", "Page", query=dict.fromkeys(FILTERS, TEXT), problems=_AUDIT),
    "audit.flag": Operation("audit:read", {200: "Anything"}, problems=("not-found", *_AUDIT)),
    "audit.mark_flag": Operation(
        "audit:read",
        {200: "Anything"},
        FlagSchema,
        seen=True,
        problems=("not-found", "precondition-required", "stale-version", "illegal-transition", *BODY, *_AUDIT),
    ),
    "audit.subject": Operation(
        "audit:read", {200: "Items"}, SubjectSchema, problems=(*BODY, *_AUDIT), example={"identifier": "XA-1980-0042"}
    ),
    "audit.reports": Operation(
        "audit:read", {200: "Anything"}, query={"since": TEXT, "until": TEXT}, problems=("invalid-field", *_AUDIT)
    ),
    "audit.log": Operation("audit:read", {200: "Anything"}, problems=_AUDIT),
    "audit.consistency": Operation(
        "audit:read",
        {200: "Anything"},
        query={"old": _SIZE, "new": _SIZE, "shard": _SIZE},
        problems=("not-found", *_AUDIT),
    ),
    "audit.entries": Operation(
        "audit:read",
        {200: "Anything"},
        query={"first": _SIZE, "last": _SIZE, "shard": _SIZE},
        problems=("not-found", *_AUDIT),
    ),
    "audit.export_exchanges": Operation("audit:read", {200: _LINES}, query=_FILE, problems=_AUDIT),
    "audit.export_acts": Operation("audit:read", {200: _LINES}, query=_FILE, problems=_AUDIT),
    "audit.exchange": Operation("audit:read", {200: "Anything"}, problems=("not-found", "answer-gone", *_AUDIT)),
    "audit.bundle": Operation("audit:read", {200: _ZIP}, query=_FORM, problems=(*BUNDLE, *_AUDIT)),
    "audit.searches": Operation("audit:read", {200: "Items"}, problems=_AUDIT),
    "audit.save": Operation(
        "audit:read",
        {201: "Anything"},
        SavedSchema,
        problems=(*BODY, *_AUDIT, "already-exists"),
        example={"name": "denied at the border", "kind": "exchanges", "query": {"outcome": "denied"}},
    ),
    "audit.forget": Operation("audit:read", {204: ()}, problems=("not-found", *_AUDIT)),
    "policies.listed": _listing("policies:read", "Items", query={**_PLACE, "after": TEXT}),
    "policies.exported": Operation(
        "policies:read", {200: ("application/json", "application/zip")}, query=_PLACE, problems=("invalid-request",)
    ),
    "policies.tested": Operation("policies:read", {200: "Anything"}, problems=("not-found", "not-allowed")),
    "policies.history": Operation(
        "policies:read",
        {200: "Items"},
        query={"after": _NUMBER},
        is_paged=True,
        problems=("invalid-request", "not-allowed"),
    ),
    "policies.shown": Operation("policies:read", {200: "Policy"}, problems=("not-found", "not-allowed")),
    "policies.drawn": Operation(
        "policies:read",
        {200: "Anything"},
        query={"language": {"type": "string", "enum": ["en", "zh"]}},
        problems=("invalid-request", "not-found", "not-allowed"),
    ),
    "policies.emergencies": _listing("policies:read", "Items", query={"after": _NUMBER}),
    "policies.imported": Operation(
        "policies:edit", {201: "Items"}, policy.ImportSchema, problems=(*BODY, *CHANGE, *FILED, "already-exists")
    ),
    "policies.linted": Operation(
        "policies:read",
        {200: "Findings"},
        policy.LintSchema,
        problems=BODY,
        example={"tier": "holder", "owner": "ipo-xa", "cedar": '@id("x") forbid (principal, action, resource);'},
    ),
    "policies.explain_question": Operation(
        "policies:read", {200: "Anything"}, policy.QuestionSchema, problems=(*BODY, *CHANGE, "policy-unavailable")
    ),
    "policies.roll_back": Operation(
        "policies:approve",
        {201: "Anything"},
        policy.RollBackSchema,
        problems=(*BODY, *CHANGE, *FILED, "base-moved"),
        example={"activation": 12, "in_force": 13, "reason": "too wide"},
    ),
    "policies.deny": Operation(
        "policies:edit", {201: "Anything"}, policy.EmergencySchema, problems=(*BODY, *CHANGE, *FILED, "already-exists")
    ),
    "policies.review_emergency": Operation(
        "policies:approve",
        {200: "Anything"},
        policy.EmergencyReviewSchema,
        problems=(*BODY, *CHANGE, *FILED, "own-change"),
    ),
    "policies.list_changes": _listing(
        "policies:read",
        "Items",
        query={**_PLACE, "state": TEXT, "after": _NUMBER},
        problems=("invalid-field",),
    ),
    "policies.open_change": Operation(
        "policies:edit",
        {201: "Change"},
        policy.OpenSchema,
        problems=(*BODY, *CHANGE, *FILED, "already-exists"),
        example={"tier": "holder", "owner": "ipo-xa", "title": "No owner at the border"},
    ),
    "policies.show_change": Operation("policies:read", {200: "Change"}, problems=("not-found",)),
    "policies.save_change": Operation(
        "policies:edit", {200: "Change"}, policy.SaveSchema, seen=True, problems=(*BODY, *CHANGE, *FILED)
    ),
    "policies.shadow": Operation("policies:read", {200: "Anything"}, problems=("not-found", "illegal-transition")),
    "policies.run_evidence": replace(_STEP, answers={200: "Change", 202: "Anything"}),
    "policies.evidence_progress": Operation("policies:read", {200: "Anything"}, problems=("not-found",)),
    "policies.ask_review": _STEP,
    "policies.withdraw": _STEP,
    "policies.rebase": Operation(
        "policies:edit",
        {200: "Change"},
        policy.RebaseSchema,
        seen=True,
        problems=(*BODY, *CHANGE, *FILED, "base-moved", "evidence-changed"),
        example={"keep": "ours"},
    ),
    "policies.activate": _STEP,
    "policies.unschedule": _STEP,
    "policies.schedule": Operation(
        "policies:edit",
        {200: "Change"},
        policy.ScheduleSchema,
        seen=True,
        problems=(*BODY, *CHANGE, *FILED, "base-moved", "evidence-changed"),
        example={"activate_at": "2027-01-01T00:00:00Z"},
    ),
    "policies.review": Operation(
        "policies:approve",
        {200: "Change"},
        policy.ReviewSchema,
        seen=True,
        problems=(*BODY, *CHANGE, *FILED, "own-change", "base-moved", "evidence-changed"),
        example={"verdict": "approve", "evidence_sha256": "5f" * 32, "ticks": []},
    ),
}
