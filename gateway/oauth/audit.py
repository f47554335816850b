"""Audit entries of this room, written in the transaction of the act: who did what to which key, client or token.

Administrative acts (keys, delegations) go to the audit trail, which gives each a leaf of the log. What happens with
every request (tokens issued, refused, revoked; calls refused) is a row here, without a leaf.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, insert
from sqlalchemy.orm import Session

from gateway.audit.models import AuditEntry
from gateway.clock import Clock
from gateway.db.prepared import Prepared
from ipx.ids import uuid7

_COLUMNS = ("id", "at", "actor", "act", "subject", "detail")
_INSERT = Prepared(insert(AuditEntry).values({name: bindparam(name) for name in _COLUMNS}))


class Acts(Protocol):
    """Where administrative acts are written; `gateway.audit.service.AuditTrail` is one."""

    def record(self, session: Session, actor: str, act: str, subject: str, detail: Mapping[str, Any]) -> object:
        """Write an act in the caller's transaction; called last in it."""


class RowsOnly:
    """Acts as rows without leaves: for a gateway that has no log yet, and for tests of this room."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def record(self, session: Session, actor: str, act: str, subject: str, detail: Mapping[str, Any]) -> None:
        record(session.connection(), self._clock(), actor, act, subject=subject, detail=detail)


def record(
    connection: Connection, at: datetime, actor: str, act: str, *, subject: str, detail: Mapping[str, Any]
) -> None:
    """Write one row.

    Args:
        connection: the writing transaction of what happened.
        at: when.
        actor: a client id, or `unproven` where nobody proved who asked.
        act: `token.issued`, `token.refused`, `token.revoked` or `call.refused`.
        subject: the client that it is about; empty where none is known.
        detail: ids and codes only; never a token, an assertion or a proof.
    """
    _INSERT.run(
        connection, {"id": uuid7(), "at": at, "actor": actor, "act": act, "subject": subject, "detail": dict(detail)}
    )
