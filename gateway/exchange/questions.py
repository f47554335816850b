"""From a request to the question that policies are asked: every fact comes from a register, none from the request."""

import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Row, bindparam, select

from connectors.deadline import Deadline
from gateway.agencies.models import Agency as AgencyRow
from gateway.agencies.models import Client as ClientRow
from gateway.agencies.models import Source as SourceRow
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.facts import NOTIFY_OWNER, CaseRegister, Representations
from gateway.exchange.holders import SourceRef, Unavailable
from gateway.exchange.requests import SignedRequest
from gateway.exchange.sealing import SealedRecord
from gateway.oauth.guard import Caller
from policies.documents import documents
from policies.engine import Agency, Client, Delegation, Question, Record, Representation
from policies.schema import Catalogue

ASSURANCE = 2
"""Level of proof of a client that signed its request and holds the key of its token."""

SOMEBODY = Representation("somebody", frozenset({"some right"}), verified=True)
"""Stands in while the record is not known: the question before the fetch must not fail for want of a fact."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who is involved in a request, as the register knew them when it was filed."""

    client: Client
    asking: Agency
    supplier: Agency | None
    holder: Agency
    source: SourceRef
    is_open: bool
    """Neither the source nor its holder is suspended."""


class Questions:
    def __init__(
        self,
        database: Database,
        cases: CaseRegister,
        representations: Representations,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._cases = cases
        self._representations = representations
        self._catalogue = catalogue
        self._clock = clock

    def parties(self, request: SignedRequest, caller: Caller) -> Parties:
        """Look up everybody a request names.

        Raises:
            InvalidInputError: the holder is no agency here, or holds no records of this type.
            AccessRefusedError: the request is outside the purpose that the caller's token is bound to.
        """
        found = self.named(request, caller.agency, caller.supplier)
        caller.require_purpose(
            purpose=request.purpose,
            legal_basis=request.legal_basis,
            case_ref=request.case_ref,
            record_type=request.record_type,
        )
        return found

    def named(self, request: SignedRequest, agency: str, supplier: str | None) -> Parties:
        """Look up everybody a request names that was let in before; its client asks for `agency`.

        Raises:
            InvalidInputError: as `parties`.
        """
        codes = {code for code in (agency, request.holder, supplier) if code}
        with self._database.read_connection() as connection:
            agencies = {row.code: row for row in connection.execute(_AGENCIES, {"codes": sorted(codes)})}
            client = connection.execute(_CLIENT, {"id": request.client_id}).one()
            source = connection.execute(
                _SOURCE, {"holder": request.holder, "record_type": request.record_type}
            ).one_or_none()
        if request.holder not in agencies:
            raise InvalidInputError([Fault("/holder", "unknown_agency", "no agency of this code is registered here")])
        if source is None:
            raise InvalidInputError(
                [Fault("/record", "not_offered", f"{request.holder} offers no records of type {request.record_type}")]
            )
        asking = agencies[agency]
        if request.purpose not in asking.purposes:
            known = ", ".join(sorted(asking.purposes)) or "none"
            raise InvalidInputError(
                [Fault("/purpose", "purpose_not_registered", f"registered for {asking.code}: {known}")]
            )
        holder = agencies[request.holder]
        return Parties(
            client=Client(client.id, frozenset(), ASSURANCE, client.suspended_at is not None),
            asking=_agency(asking),
            supplier=_agency(agencies[supplier]) if supplier else None,
            holder=_agency(holder),
            source=SourceRef(source.name, source.sha256, holder.code, source.record_type, holder.jurisdictions[0]),
            is_open=source.suspended_at is None and holder.suspended_at is None,
        )

    def ask(self, request: SignedRequest, parties: Parties, deadline: Deadline) -> Question | Unavailable:
        """Build the question without the record.

        Returns:
            `Unavailable` where the case that the request cites could not be looked up.
        """
        case = None
        if request.case_ref is not None:
            found = self._cases.look_up(request.case_ref, parties.asking.code, parties.asking.jurisdictions, deadline)
            if isinstance(found, Unavailable):
                return found
            case = found
        return Question(
            client=parties.client,
            asking=parties.asking,
            supplier=parties.supplier,
            holder=parties.holder,
            source=parties.source.name,
            record_type=request.record_type,
            record=None,
            groups=request.groups,
            purpose=request.purpose,
            legal_basis=request.legal_basis,
            mode="single",
            # Cedar reads instants to the millisecond.
            now=self._clock() - timedelta(microseconds=self._clock().microsecond % 1000),
            approvals=frozenset(),
            case_reference=case,
            representing=SOMEBODY if request.purpose == NOTIFY_OWNER else None,
            delegation=Delegation(parties.supplier.code, active=True, covers_purpose=True)
            if parties.supplier
            else None,
        )

    def about(self, question: Question, sealed: SealedRecord, deadline: Deadline) -> Question | Unavailable:
        """Complete the question with the record, and with what only the record's rights can tell."""
        representing = None
        if question.purpose == NOTIFY_OWNER:
            rights = sealed.facts["right_keys"]
            found = self._representations.of(
                rights if isinstance(rights, frozenset) else (), question.asking.code, deadline
            )
            if isinstance(found, Unavailable):
                return found
            representing = found
        return replace(question, record=Record(sealed.digest, sealed.facts, sealed.closed), representing=representing)

    def snapshot(self, question: Question) -> bytes:
        """Write down what was asked, exactly, for replay.

        A receipt shows the hash of it; the nonce keeps anybody from guessing what it is the hash of, and so whether
        there was a record.
        """
        entities, context = documents(self._catalogue, question)
        nonce = secrets.token_hex(16)
        return json.dumps({"nonce": nonce, "entities": entities, "context": context}).encode()


def _agency(row: Row[str, str, list[str], list[str], datetime | None]) -> Agency:
    return Agency(row.code, row.kind, frozenset(row.jurisdictions), row.suspended_at is not None)


# Built once: a statement made anew for each call costs more than its execution.
_AGENCIES = select(
    AgencyRow.code, AgencyRow.kind, AgencyRow.jurisdictions, AgencyRow.purposes, AgencyRow.suspended_at
).where(AgencyRow.code.in_(bindparam("codes", expanding=True)))
_CLIENT = select(ClientRow.id, ClientRow.suspended_at).where(ClientRow.id == bindparam("id"))
_SOURCE = select(SourceRow.name, SourceRow.sha256, SourceRow.record_type, SourceRow.suspended_at).where(
    SourceRow.holder == bindparam("holder"), SourceRow.record_type == bindparam("record_type")
)
