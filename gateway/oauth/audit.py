"""Audit entries of this room, written in the transaction of the act: who did what to which key, client or token."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from gateway.audit.models import AuditEntry
from ipx.ids import uuid7

_INSERT = insert(AuditEntry)


def record(connection: Connection, at: datetime, actor: str, act: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Write one entry.

    Args:
        actor: a client id, a person, `system`, or `unproven` where nobody proved who asked.
        act: from the closed list of this room: `token.issued token.refused token.revoked call.refused
            server_key.published server_key.activated server_key.retiring server_key.retired client_key.added
            client_key.revoked delegation.offered delegation.confirmed delegation.revoked`.
        detail: ids and codes only; never a token, an assertion or a proof.
    """
    connection.execute(
        _INSERT, {"id": uuid7(), "at": at, "actor": actor, "act": act, "subject": subject, "detail": dict(detail)}
    )
