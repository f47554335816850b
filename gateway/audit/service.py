"""The audit trail: an act and what proves it, written in the transaction of the act or not at all."""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import event
from sqlalchemy.orm import Session

from gateway.audit.models import AuditEntry
from gateway.clock import Clock
from gateway.evidence.leaf import Leaf
from gateway.evidence.log import EvidenceLog
from ipx.commitment import SALT_BYTES, act_commitment, entry
from ipx.ids import uuid7


class AuditTrail:
    def __init__(self, log: EvidenceLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def record(
        self,
        session: Session,
        actor: str,
        act: str,
        subject: str,
        detail: Mapping[str, Any],
        *,
        leaf: bool = True,
        logged_as: Literal["act", "erased"] = "act",
    ) -> AuditEntry:
        """Write an act with its leaf, both in the caller's transaction.

        Call it last: from here to the commit no other process can append to the log. The leaf is published soon after
        the commit, without the caller waiting.

        Args:
            session: a writing transaction; what it holds so far is flushed.
            actor: who acted: a person, a client, an operator at a shell, `gateway` itself.
            act: a word from the closed list, such as `client.suspended`.
            subject: what was acted on.
            detail: JSON without floating-point numbers, so that it is written alike whenever it is read back.
            leaf: False where the act is audited but not proved in the log (each token issued).
            logged_as: what the public log shows of it: that there was an act, or that something was erased.

        Returns:
            The entry; `log_index` says where its leaf stands.

        Raises:
            LogUnavailableError, LogForkedError: no leaf can be logged, so the act must not happen.
        """
        row = AuditEntry(id=uuid7(), at=self._clock(), actor=actor, act=act, subject=subject, detail=dict(detail))
        data = entry_bytes(row)
        if leaf:
            session.flush()
            row.salt = secrets.token_bytes(SALT_BYTES)
            logged = entry(act_commitment(row.salt, data), logged_as, int(row.at.timestamp()))
            row.log_index = self._log.append_within(session.connection(), Leaf(f"act:{row.id}", logged)).index
            event.listen(session, "after_commit", self._publish, once=True)
        session.add(row)
        session.flush()
        return row

    def _publish(self, _session: Session) -> None:
        self._log.publish_soon()


def entry_bytes(entry: AuditEntry) -> bytes:
    """Write an audit entry as the bytes its leaf commits to; the same for the row as read back from the database.

    Compact UTF-8 JSON, members sorted: `{"act":…,"actor":…,"at":"2026-11-25T08:00:00.000000Z","detail":{…},"id":…,
    "subject":…}`.

    Raises:
        ValueError: a floating-point number in the detail: two databases may give it back in two spellings.
    """
    if _holds_float(entry.detail):
        raise ValueError("an audit entry's detail holds a floating-point number")
    members = {
        "act": entry.act,
        "actor": entry.actor,
        "at": _instant(entry.at),
        "detail": entry.detail,
        "id": entry.id,
        "subject": entry.subject,
    }
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _holds_float(value: Any) -> bool:
    match value:
        case float():
            return True
        case Mapping():
            return any(map(_holds_float, value.values()))
        case list() | tuple():
            return any(map(_holds_float, value))
        case _:
            return False
