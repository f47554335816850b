"""Policies and their changes as JSON."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from gateway.governance.activations import Version
from gateway.governance.collecting import Progress
from gateway.governance.models import Emergency
from gateway.governance.proposals import Change
from policies.engine import PolicyRef, PolicyText


def plain(value: Any) -> Any:  # noqa: PLR0911  (one line a kind of value)
    """Write values as JSON: sets as sorted lists, references and instants as text."""
    match value:
        case PolicyRef():
            return str(value)
        case datetime():
            return instant(value)
        case frozenset() | set():
            return sorted(map(plain, value))
        case tuple() | list():
            return [plain(one) for one in value]
        case Mapping():
            return {str(name): plain(one) for name, one in value.items()}
        case _ if is_dataclass(value):
            return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
        case _:
            return value


def instant(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def policy_document(text: PolicyText, version: str | None = None) -> dict[str, Any]:
    ref = text.ref
    return {
        "tier": ref.tier,
        "owner": ref.owner,
        "policy": ref.policy_id,
        "revision": ref.revision,
        "version": version,
    }


def summary_document(change: Change) -> dict[str, Any]:
    """A change request in a list."""
    return {
        "id": change.id,
        "tier": change.tier,
        "owner": change.owner,
        "title": change.title,
        "state": change.state,
        "version": change.version,
        "author": change.author,
        "policies": [edit.name for edit in change.edits],
        "tests": [edit.name for edit in change.test_edits],
        "widened": list(change.widened),
        "approvals": len(change.approvals),
        "reviewers_needed": change.reviewers_needed,
        "is_base_moved": change.is_base_moved,
        "changed_at": instant(change.changed_at),
    }


def change_document(change: Change) -> dict[str, Any]:
    """A change request with all that is known about it."""
    return {
        **summary_document(change),
        "reason": change.reason,
        "ticket": change.ticket,
        "contributors": list(change.contributors),
        "base": change.base,
        "edits": plain(change.edits),
        "test_edits": plain(change.test_edits),
        "evidence": {one.kind: plain(one) for one in change.evidence},
        "evidence_sha256": change.evidence_sha256,
        "reviews": plain(change.reviews),
        "asked_at": instant(change.asked_at),
        "shadow_from": instant(change.shadow_from),
        "activate_at": instant(change.activate_at),
        "activation": change.activation_id,
        "note": change.note,
        "created_at": instant(change.created_at),
    }


def progress_document(found: Progress) -> dict[str, Any]:
    """How far a collection of evidence is."""
    return {
        **plain(found),
        "started_at": instant(found.started_at),
        "ended_at": instant(found.ended_at),
    }


def version_document(version: Version) -> dict[str, Any]:
    document: dict[str, Any] = plain(version)
    return document


def emergency_document(row: Emergency) -> dict[str, Any]:
    names = ("id", "tier", "owner", "policy_id", "actor", "reason", "reviewed_by", "verdict")
    times = ("began_at", "until", "review_due", "reviewed_at", "overdue_at", "ended_at")
    return {name: getattr(row, name) for name in names} | {name: instant(getattr(row, name)) for name in times}
