"""What this room needs of the audit trail, which stands above it."""

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy.orm import Session


class ActTrail(Protocol):
    """Writes an audit entry and its leaf in the caller's transaction (`gateway.audit.service.AuditTrail`)."""

    def record(self, session: Session, actor: str, act: str, subject: str, detail: Mapping[str, Any]) -> object: ...
