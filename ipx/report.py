"""What a verification found, in plain sentences for somebody who was not there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ipx.documents import Receipt, Request
from ipx.jws import Json, dump_json

TimeSource = Literal["time-stamp", "witnesses"]


@dataclass(frozen=True, slots=True)
class Report:
    """One exchange whose evidence holds. There is no report of evidence that does not: that is an error."""

    request: Request
    receipt: Receipt
    records: tuple[Mapping[str, Json], ...]
    """The record, or those of a query, as disclosed; none where nothing was released."""
    disclosed: int
    withheld: int
    """Digests that nobody opened: fields withheld and decoys, which look alike."""
    erased: int
    """Fields that were disclosed and whose content was destroyed since."""
    log_index: int
    log_size: int
    cosignatures: int
    filed_at: datetime
    """When the gateway acknowledged the request, by its own clock (for a decision that took days, long before it)."""
    trusted_at: datetime | None
    """When somebody else than the gateway has seen the entry; None where nobody has."""
    time_source: TimeSource | None
    trust_version: int

    @property
    def exchange(self) -> str:
        return self.receipt.exchange

    @property
    def outcome(self) -> str:
        return self.receipt.outcome

    @property
    def sealed_by(self) -> str | None:
        """`holder`: the office vouches for it. `gateway`: the gateway sealed what it fetched. None: no record."""
        return self.receipt.sealed_by

    @property
    def claims(self) -> Mapping[str, Json] | None:
        """The one record as disclosed; None where there is none, or where there are several."""
        return self.records[0] if self.request.query is None and self.records else None

    def sentences(self) -> list[str]:
        """Say what was checked and what follows from it, one thought a sentence."""
        return [
            self._asked(),
            self._answered(),
            *self._sealed(),
            self._fields(),
            *self._groups(),
            self._logged(),
            self._timed(),
            f"Every key was in force when it signed, by version {self.trust_version} of the trust list.",
        ]

    def _asked(self) -> str:
        request = self.request
        case = f", case {_shown(request.case_ref)}" if request.case_ref else ""
        return (
            f"{_shown(request.issuer)} asked {_shown(request.holder)} for {self._wanted()} on "
            f"{_moment(request.issued_at)}, for the purpose {_shown(request.purpose)} on the legal basis "
            f'"{_shown(request.legal_basis)}"{case}; the request is signed by {_shown(request.issuer)}.'
        )

    def _wanted(self) -> str:
        query = self.request.query
        if query is None:
            return _shown(self.request.record)
        chosen = f" that match {_shown(query.document['where'])}" if query.where else ""
        return f"records of type {_shown(query.record_type)}{chosen}"

    def _answered(self) -> str:
        receipt = self.receipt
        stage = f" at the stage {_shown(receipt.stage)}" if receipt.stage else ""
        filed = int(self.filed_at.timestamp())
        waited = f" The request was filed on {_moment(filed)}." if filed != receipt.issued_at else ""
        said = _OUTCOMES[receipt.outcome].format(stage=stage)
        return (
            f"{_shown(receipt.issuer)} answered on {_moment(receipt.issued_at)}: {said}. Its signed receipt "
            f"{_shown(receipt.exchange)} names exactly this request.{waited}"
        )

    def _sealed(self) -> list[str]:
        holder = _shown(self.receipt.holder)
        match self.sealed_by:
            case "holder":
                return [f"The record is signed by {holder} itself: the office vouches for what is shown."]
            case "gateway":
                what = "this proves what the gateway fetched then, not that the office vouches for it"
                return [f"The record is sealed by the gateway with a key it keeps for {holder}: {what}."]
            case _:
                return []

    def _fields(self) -> str:
        if not self.records:
            return "No field of any record was handed over."
        several = ""
        if self.request.query is not None:
            page = self.receipt.page or {}
            whole = "there are no more" if page.get("complete") is True else "there are more on the next page"
            several = f"{_count(len(self.records), 'record', 'records')} were handed over; {whole}. "
        erased = f" {_count(self.erased, 'field was', 'fields were')} erased since." if self.erased else ""
        return several + (
            f"{_count(self.disclosed, 'field is', 'fields are')} disclosed, unchanged and exactly those that the "
            f"receipt names; {self.withheld} stay hidden, decoys included, so that an absent field looks like a "
            "withheld one."
            f"{erased}"
        )

    def _groups(self) -> list[str]:
        groups = [f"{_shown(item['group'])} ({_shown(item['reason'])})" for item in self.receipt.withheld]
        said = [f"Withheld, with the reason: {', '.join(groups)}."] if groups else []
        if self.receipt.obligations:
            duties = (f"{_shown(name)} = {_shown(value)}" for name, value in self.receipt.obligations.items())
            said.append(f"The release obliges {_shown(self.request.issuer)}: {', '.join(duties)}.")
        return said

    def _logged(self) -> str:
        return (
            f"The exchange is entry {self.log_index} of the log {_shown(self.receipt.log)}: the signed checkpoint over "
            f"{self.log_size} entries contains it, and a log without it would contradict that checkpoint."
        )

    def _timed(self) -> str:
        if self.trusted_at is None:
            return (
                "There is no trusted time: neither a time-stamp authority nor a quorum of witnesses confirms when this "
                "happened, so the times above are those of the signers' own clocks."
            )
        by = (
            "a time-stamp authority"
            if self.time_source == "time-stamp"
            else f"{_count(self.cosignatures, 'independent witness', 'independent witnesses')}"
        )
        return f"The exchange existed by {_moment(int(self.trusted_at.timestamp()))}, confirmed by {by}."


_OUTCOMES: Mapping[str, str] = {
    "released": "released",
    "denied": "denied{stage}, nothing was released",
    "pending": "pending, nothing is decided yet",
    "failed": "failed{stage}, nothing was released",
    "withdrawn": "withdrawn by the requester, nothing was released",
}


def _shown(value: Json) -> str:
    """Show a text of others so that it cannot act on a terminal or reverse the order of what is read."""
    shown = value if isinstance(value, str) else dump_json(value).decode()
    return shown if shown.isprintable() else shown.encode("unicode_escape").decode("ascii")


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
