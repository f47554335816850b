"""A recall as it is told: to the holder with everybody who has the record, to an addressee with its own part."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from gateway.exchange.models import Recall
from ipx.encoding import b64url_bytes
from ipx.jws import parse_object

Role = Literal["holder", "addressee"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Addressed:
    """One agency that was told."""

    agency: str
    state: str
    exchanges: tuple[str, ...]
    """By which it was given the record."""
    due_at: datetime | None
    delivered_at: datetime | None
    acknowledged_at: datetime | None
    action: str | None
    acknowledgement: str | None
    """As signed."""
    is_overdue: bool

    @property
    def reason(self) -> str | None:
        """Why it refuses, or what else it said."""
        return None if self.acknowledgement is None else _text(self.acknowledgement, "reason")

    def document(self) -> dict[str, Any]:
        return {
            "agency": self.agency,
            "state": self.state,
            "overdue": self.is_overdue,
            "exchanges": list(self.exchanges),
            "due_at": _instant(self.due_at),
            "delivered_at": _instant(self.delivered_at),
            "acknowledged_at": _instant(self.acknowledged_at),
            "action": self.action,
            "reason": self.reason,
            "acknowledgement": self.acknowledgement,
        }


@dataclass(frozen=True, slots=True)
class RecallTold:
    id: str
    kind: str
    holder: str
    client: str
    record_type: str
    record: str
    reason: str
    order: str | None
    made_at: datetime
    due_at: datetime | None
    log_index: int
    statement: str
    """As the holder signed it."""
    addressees: Sequence[Addressed]
    """Those whom the reader may see."""

    @property
    def acknowledged(self) -> int:
        return sum(one.state == "acknowledged" for one in self.addressees)

    @property
    def is_overdue(self) -> bool:
        return any(one.is_overdue for one in self.addressees)

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "event": f"record.{self.kind}",
            "kind": self.kind,
            "holder": self.holder,
            "client": self.client,
            "record_type": self.record_type,
            "record": self.record,
            "reason": self.reason,
            "order": self.order,
            "made_at": _instant(self.made_at),
            "due_at": _instant(self.due_at),
            "log_index": self.log_index,
            "statement": self.statement,
            "acknowledged": self.acknowledged,
            "addressed": len(self.addressees),
            "overdue": self.is_overdue,
            "addressees": [one.document() for one in self.addressees],
        }


def told_of(row: Recall, statement: bytes, addressees: Sequence[Addressed]) -> RecallTold:
    """Put together what is kept of a recall and what its statement says."""
    signed = statement.decode("ascii")
    return RecallTold(
        id=row.id,
        kind=row.kind,
        holder=row.holder,
        client=row.client_id,
        record_type=row.record_type,
        record=_text(signed, "record") or "",
        reason=_text(signed, "reason") or "",
        order=_text(signed, "order"),
        made_at=row.made_at,
        due_at=row.due_at,
        log_index=row.log_index,
        statement=signed,
        addressees=addressees,
    )


def _text(token: str, name: str) -> str | None:
    """Read a member of a token that was verified when it was taken."""
    value = parse_object(b64url_bytes(token.split(".")[1])).get(name)
    return value if isinstance(value, str) else None


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
