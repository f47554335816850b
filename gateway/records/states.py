"""States raise the class of whole groups: sealed, unpublished, deferred. The holder says facts, the state follows.

Policies read the states as facts. A state that covers only some groups cannot be a fact of the record, so `raised` says
which groups act as which class; what acts as sealed goes to nobody without the approval that lifts a seal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from gateway.records.record import Record

CLASSES = ("public", "official", "confidential", "sealed")
"""From open to closed."""


@dataclass(frozen=True, slots=True)
class Raised:
    classification: str
    state: str
    """`sealed`, `unpublished` or `deferred`: the reason given for withholding."""


def is_sealed(record: Record) -> bool:
    """The whole record is sealed."""
    return record.envelope.status == "sealed"


def is_unpublished(record: Record) -> bool:
    """Not published at the time the holder gave it: only a new revision of the holder publishes it."""
    published = record.record_type.facts.published
    return published is not None and record.fields.get(published, "9999-12-31") > _as_of(record)


def is_deferred(record: Record) -> bool:
    """Registered, publication deferred. An old deferment of a design long published does not count."""
    rule, fields = record.record_type.facts.deferment, record.fields
    if rule is None:
        return False
    status = fields.get(rule.status)
    return status == rule.deferred or (status != rule.published and fields.get(rule.until, "") > _as_of(record))


def raised(record: Record, *, on: date) -> Mapping[str, Raised]:
    """The groups that act as another class than their own, with the state that does it.

    Args:
        record: as the holder gave it.
        on: today; an order binds from its first day and until a new revision lifts it, not until its last day.
    """
    found: dict[str, Raised] = {}
    known = record.record_type
    holds = {"unpublished": is_unpublished(record), "deferred": is_deferred(record)}
    for state in known.states:
        if holds[state.fact]:
            for group in state.groups:
                _raise(found, group, known.groups[group].classification, Raised(state.acts_as, state.fact))
    sealed = known.groups if is_sealed(record) else record.envelope.sealed_groups | set(_under_order(record, on))
    for group in sealed:
        if group in known.groups:
            _raise(found, group, known.groups[group].classification, Raised("sealed", "sealed"))
    return found


def hides_existence(record: Record, *, on: date) -> bool:
    """Whether an order wants even the existence of the record hidden: the answer then equals "no such record"."""
    return any(order.get("hide_existence", False) for order in _orders(record, on))


def _raise(found: dict[str, Raised], group: str, own: str, to: Raised) -> None:
    now = found[group].classification if group in found else own
    if CLASSES.index(to.classification) > CLASSES.index(now):
        found[group] = to


def _under_order(record: Record, on: date) -> Iterator[str]:
    for order in _orders(record, on):
        yield from order.get("groups", ())


def _orders(record: Record, on: date) -> Iterator[Mapping[str, Any]]:
    field = record.record_type.facts.sealing_orders
    for order in record.fields.get(field or "", ()):
        if order["from"] <= on.isoformat():
            yield order


def _as_of(record: Record) -> str:
    return record.envelope.as_of.astimezone(UTC).date().isoformat()
