"""From a request to the question that the policies are asked. Every fact comes from a register, none from the request."""

from dataclasses import dataclass

from sqlalchemy import select

from gateway.agencies.models import Agency as AgencyRow
from gateway.agencies.models import Client as ClientRow
from gateway.agencies.models import Source as SourceRow
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.requests import SignedRequest
from gateway.oauth.guard import Caller
from policies.engine import Agency, Client, Delegation, Question

ASSURANCE = 2
"""Level of proof of a client that signed its request and holds its token's key."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who is involved in a request, as the register knew them when it was filed."""

    client: Client
    asking: Agency
    supplier: Agency | None
    holder: Agency
    source: str
    source_sha256: str
    is_source_open: bool


class Questions:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def parties(self, request: SignedRequest, caller: Caller) -> Parties:
        """Look up everybody a request names.

        Raises:
            InvalidInputError: the holder is no agency here, or holds no records of this type.
        """
        codes = {caller.agency, request.holder} | ({caller.supplier} if caller.supplier else set())
        with self._database.read() as session:
            agencies = {row.code: row for row in session.scalars(select(AgencyRow).where(AgencyRow.code.in_(codes)))}
            client = session.get_one(ClientRow, caller.client_id)
            source = session.scalar(
                select(SourceRow).where(SourceRow.holder == request.holder, SourceRow.record_type == request.record_type)
            )
        if request.holder not in agencies:
            raise InvalidInputError([Fault("/holder", "unknown_agency", "no agency of this code is registered here")])
        if source is None:
            raise InvalidInputError(
                [Fault("/record", "not_offered", f"{request.holder} offers no records of type {request.record_type}")]
            )
        holder = agencies[request.holder]
        return Parties(
            client=Client(client.id, frozenset(), ASSURANCE, client.suspended_at is not None),
            asking=_agency(agencies[caller.agency]),
            supplier=_agency(agencies[caller.supplier]) if caller.supplier else None,
            holder=_agency(holder),
            source=source.name,
            source_sha256=source.sha256,
            is_source_open=source.suspended_at is None and holder.suspended_at is None,
        )

    def ask(self, request: SignedRequest, caller: Caller, parties: Parties) -> Question:
        """Build the question without the record and without what only the record can tell."""
        return Question(
            client=parties.client,
            asking=parties.asking,
            supplier=parties.supplier,
            holder=parties.holder,
            source=parties.source,
            record_type=request.record_type,
            record=None,
            groups=request.groups,
            purpose=request.purpose,
            legal_basis=request.legal_basis,
            mode="single",
            now=self._clock(),
            approvals=frozenset(),
            case_reference=None,
            representing=None,
            delegation=Delegation(parties.supplier.code, active=True, covers_purpose=True) if parties.supplier else None,
        )


def _agency(row: AgencyRow) -> Agency:
    return Agency(row.code, row.kind, frozenset(row.jurisdictions), row.suspended_at is not None)
