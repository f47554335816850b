"""Approvals as values: who decides, on what, what was said, and what may be said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from gateway.errors import Fault, InvalidInputError
from gateway.exchange.models import ApprovalTask, Exchange
from gateway.exchange.outcomes import Withheld

State = Literal["open", "granted", "refused", "expired", "void", "withdrawn"]
STATES: Final[tuple[State, ...]] = get_args(State)
PAGE_TASKS: Final = 200
"""The largest page."""
NOTE_CHARACTERS: Final = 2000
REASON_CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "grant": ("order_checked", "consent_checked", "law_requires", "interest_outweighs", "other"),
    "refuse": ("no_order", "no_consent", "not_necessary", "interest_outweighs", "other"),
}
"""What an officer may give as the reason; words in their own language go into the note."""


@dataclass(frozen=True, slots=True)
class Officer:
    """Who decides: `person:otto`, `client:ipo-xa.registry` or `operator:root`, and whose officer that is."""

    actor: str
    agency: str


@dataclass(frozen=True, slots=True)
class Task:
    """One approval that is wanted of a holder."""

    id: str
    exchange_id: str
    approval: str
    state: State
    version: int
    """Counts its changes: say which one was seen when deciding."""
    holder: str
    requester: str
    client_id: str
    supplier: str | None
    """The agency whose client asked in the requester's name, where there is one."""
    record_type: str
    purpose: str
    groups: tuple[str, ...]
    """What would be released at most; fewer once an officer took some out."""
    quorum: int
    granted_by: tuple[str, ...]
    opened_at: datetime
    expires_at: datetime
    exchange_state: str
    """Of the exchange: `pending` while it waits, then its outcome."""


@dataclass(frozen=True, slots=True)
class Verdict:
    actor: str
    verdict: str
    groups: tuple[str, ...]
    reason_code: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A task with all that an officer decides by."""

    task: Task
    record: str
    legal_basis: str
    case_ref: str | None
    groups_asked: tuple[str, ...]
    """Empty: all that policies grant."""
    request: str
    """As the client signed it."""
    reason: str
    """Why it was not released at once."""
    withheld: tuple[Withheld, ...]
    approvals: tuple[tuple[str, ...], ...]
    """Sets of approvals each of which would release something."""
    beside: tuple[Task, ...]
    """The other approvals that the same exchange waits for."""
    why: Mapping[str, Any]
    """The decision explained: `policies` with those that applied and the lines that failed, `overridden` permits."""
    verdicts: tuple[Verdict, ...]
    is_current: bool
    """False once policies changed: granting would find it void."""


def task_of(row: ApprovalTask, exchange: Exchange, granted_by: Sequence[str]) -> Task:
    """Read a task from its row and its exchange's."""
    return Task(
        id=row.id,
        exchange_id=row.exchange_id,
        approval=row.approval,
        state=next(state for state in STATES if state == row.state),
        version=row.version,
        holder=row.holder,
        requester=exchange.requester,
        client_id=exchange.client_id,
        supplier=(exchange.acts_as or {}).get("supplier"),
        record_type=exchange.record_type,
        purpose=exchange.purpose,
        groups=tuple(row.groups),
        quorum=row.quorum,
        granted_by=tuple(granted_by),
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        exchange_state=exchange.state,
    )


def checked(
    row: ApprovalTask, verdict: Literal["grant", "refuse"], reason_code: str, groups: Sequence[str] | None, note: str
) -> list[str]:
    """Check what an officer says; gives the groups that are left."""
    faults = []
    if reason_code not in REASON_CODES[verdict]:
        faults.append(Fault("/reason_code", "unknown", f"one of {', '.join(REASON_CODES[verdict])}"))
    if len(note) > NOTE_CHARACTERS:
        faults.append(Fault("/note", "too_long", f"at most {NOTE_CHARACTERS} characters"))
    kept = row.groups if groups is None else sorted(set(groups))
    if not kept or not set(kept) <= set(row.groups):
        faults.append(Fault("/groups", "not_offered", f"one or more of {', '.join(row.groups)}"))
    if faults:
        raise InvalidInputError(faults)
    return kept


def note_name(task_id: str, actor: str) -> str:
    """Name the encrypted note of an officer among the objects of its exchange."""
    return f"approval-note:{task_id}:{actor}"
