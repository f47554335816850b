"""The row of a change request: who may see it, whether it is what was seen, and that each change of it is written."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.audit.models import AuditEntry
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.errors import UnknownError
from gateway.governance.editors import Editor
from gateway.governance.errors import BaseMovedError, ChangedMeanwhileError, NotInStateError
from gateway.governance.models import ChangeRequest
from gateway.governance.proposals import Change, read_change
from gateway.governance.service import Policies


def visible(session: Session, editor: Editor, change_id: int, *, is_held: bool = False) -> ChangeRequest:
    """Give the row of a change request to whose business it is; `is_held`: until the transaction ends.

    Raises:
        UnknownError: there is none, as far as this editor may know.
    """
    row = session.get(ChangeRequest, change_id, with_for_update=is_held)
    if row is None or not editor.covers(row.tier, row.owner):
        raise UnknownError(f"no change request {change_id}")
    return row


def require_version(session: Session, row: ChangeRequest, version: int) -> None:
    """Pass who saw the present version.

    Raises:
        ChangedMeanwhileError: somebody did something since; says who did what to which policies.
    """
    if row.version == version:
        return
    entries = session.scalars(
        select(AuditEntry).where(AuditEntry.subject == f"change:{row.id}").order_by(AuditEntry.at, AuditEntry.id)
    )
    acts = [
        " ".join((entry.actor, entry.act.rpartition("_")[2], *entry.detail.get("policies", ())))
        for entry in entries
        if entry.detail.get("version", 0) > version
    ]
    since = f"; since then: {', '.join(acts)}" if acts else ""
    raise ChangedMeanwhileError(f"change {row.id} is at version {row.version}, not {version}{since}")


def require_seen(session: Session, row: ChangeRequest, version: int, states: Sequence[str]) -> None:
    """Pass who saw the present version, of a change request that is in one of some states.

    Raises:
        ChangedMeanwhileError: as `require_version`.
        NotInStateError: it is in another state.
    """
    require_version(session, row, version)
    if row.state not in states:
        raise NotInStateError(f"change {row.id} is {row.state}")


def require_base(policies: Policies, session: Session, row: ChangeRequest) -> None:
    """Pass a change request that is about what is in force now.

    Raises:
        BaseMovedError: something else came into force since.
    """
    newest = policies.newest_of(session, row.tier, row.owner)
    if (newest.id if newest else 0) != row.base:
        raise BaseMovedError(f"change {row.id} is about activation {row.base}, in force is {newest and newest.id}")


def back_to_draft(row: ChangeRequest, note: str) -> None:
    """Take evidence, widenings and schedule from a change request: they were about what it was before."""
    row.state, row.note = "draft", note
    row.evidence_sha256, row.evidence_run, row.asked_at, row.widened = None, None, None, []
    row.shadow_from = row.activate_at = row.scheduled_by = None


def written(
    policies: Policies,
    audit: AuditTrail,
    clock: Clock,
    session: Session,
    row: ChangeRequest,
    actor: str,
    act: str,
    detail: Mapping[str, Any],
) -> Change:
    """Count a change of the request, write it with its audit entry, and give it as it is now."""
    row.version += 1
    row.changed_at = clock()
    session.flush()
    change = read_change(session, policies, row)
    told = {"tier": row.tier, "owner": row.owner, "state": row.state, "version": row.version}
    audit.record(session, actor, act, f"change:{row.id}", {**told, **detail})
    return change
