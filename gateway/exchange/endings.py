"""What a receipt states of each way an exchange can end; a silent refusal says the same whether there is a record."""

from collections.abc import Sequence
from typing import Any

from gateway.evidence.receipts import Ending
from gateway.exchange.outcomes import (
    Denied,
    Failed,
    Outcome,
    Pending,
    Released,
    ReleasedRecords,
    Withdrawn,
    Withheld,
)


def stated(outcome: Outcome, common: Ending) -> Ending:  # noqa: PLR0911  (one answer an outcome)
    """Give what the receipt of an outcome states.

    Args:
        outcome: how the exchange ends.
        common: what every receipt states.
    """
    match outcome:
        case Released():
            return common._replace(
                sealed_by=outcome.sealed_by,
                presentation=outcome.presentation,
                disclosed=outcome.disclosed,
                obligations=outcome.obligations,
                withheld=_withheld(outcome.withheld),
                more={"approvals": list(outcome.approvals)} if outcome.approvals else {},
            )
        case ReleasedRecords():
            rows: list[Any] = [
                {"withheld": [{"group": item.group, "reason": item.reason} for item in record.withheld]}
                for record in outcome.records
            ]
            return common._replace(
                sealed_by=outcome.sealed_by,
                presentation=outcome.presentation,
                obligations=outcome.obligations,
                withheld=_withheld(outcome.withheld),
                more={"records": rows, "page": outcome.page()},
            )
        case Denied(is_silent=True):
            return common._replace(timing_ms=None, reason=outcome.reason)
        case Denied():
            return common._replace(reason=outcome.reason, withheld=_withheld(outcome.withheld))
        case Failed():
            return common._replace(stage=outcome.stage, reason=outcome.reason)
        case Pending():
            return common._replace(
                reason=outcome.reason,
                withheld=_withheld(outcome.withheld),
                more=outcome.promise(),
            )
        case Withdrawn():
            return common


def _withheld(items: Sequence[Withheld]) -> list[tuple[str, str, str | None]]:
    return [(item.group, item.reason, item.policy) for item in items]
