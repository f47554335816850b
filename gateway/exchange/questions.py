"""From a request to the question that policies are asked: every fact comes from a register, none from the request."""

import json
import secrets
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Row, bindparam, select

from connectors.deadline import Deadline
from gateway.agencies.models import Agency as AgencyRow
from gateway.agencies.models import Client as ClientRow
from gateway.agencies.models import Source as SourceRow
from gateway.agencies.register import RegisterView
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.facts import NOTIFY_OWNER, CaseRegister, Representations
from gateway.exchange.holders import SourceRef, Unavailable
from gateway.exchange.overdue import OverdueAcknowledgements
from gateway.exchange.requests import SignedRequest
from gateway.exchange.sealing import SealedRecord
from gateway.oauth.guard import Caller
from gateway.web.documents import json_bytes
from policies.documents import context as context_of
from policies.documents import entities as entities_of
from policies.engine import Agency, Client, Delegation, Question, Representation
from policies.schema import Catalogue

ASSURANCE = 2
"""Level of proof of a client that signed its request and holds the key of its token."""

ENTITIES_MAX = 2048
"""How many sets of entities stay written out in memory."""

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
        overdue: OverdueAcknowledgements,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._cases = cases
        self._representations = representations
        self.overdue = overdue
        self._catalogue = catalogue
        self._clock = clock
        self._written: dict[Hashable, str] = {}

    def parties(self, request: SignedRequest, caller: Caller) -> Parties:
        """Look up everybody a request names.

        Raises:
            InvalidInputError: the holder is no agency here, or holds no records of this type.
            AccessRefusedError: the request is outside the purpose that the caller's token is bound to.
        """
        found = self.named(request, caller.agency, caller.supplier, caller.register)
        caller.require_purpose(
            purpose=request.purpose,
            legal_basis=request.legal_basis,
            case_ref=request.case_ref,
            record_type=request.record_type,
        )
        return found

    def named(
        self, request: SignedRequest, agency: str, supplier: str | None, register: RegisterView | None = None
    ) -> Parties:
        """Look up everybody a request names; its client asks for `agency`.

        Args:
            request: of a caller that was let in, now or before.
            agency: on whose behalf it was made.
            supplier: whose client made it, where that is another agency.
            register: as the call sees it; looked at anew where none is given.

        Raises:
            InvalidInputError: as `parties`.
        """
        asked = (request.client_id, agency, supplier, request.holder, request.record_type)
        read = partial(self._read, *asked)
        parties = read() if register is None else register.of(("parties", *asked), read)
        if parties is None:
            raise InvalidInputError([Fault("/holder", "unknown_agency", "no agency of this code is registered here")])
        purposes, found = parties
        if found is None:
            raise InvalidInputError(
                [Fault("/record", "not_offered", f"{request.holder} offers no records of type {request.record_type}")]
            )
        if request.purpose not in purposes:
            known = ", ".join(sorted(purposes)) or "none"
            raise InvalidInputError([Fault("/purpose", "purpose_not_registered", f"registered for {agency}: {known}")])
        return found

    def _read(
        self, client_id: str, agency: str, supplier: str | None, holder: str, record_type: str
    ) -> tuple[list[str], Parties | None] | None:
        """Read the purposes registered for the asking agency, and the parties; None where there is no such holder."""
        codes = {code for code in (agency, holder, supplier) if code}
        with self._database.read_connection() as connection:
            agencies = {row.code: row for row in connection.execute(_AGENCIES, {"codes": sorted(codes)})}
            client = connection.execute(_CLIENT, {"id": client_id}).one()
            source = connection.execute(_SOURCE, {"holder": holder, "record_type": record_type}).one_or_none()
        if holder not in agencies:
            return None
        asking, held_by = agencies[agency], agencies[holder]
        if source is None:
            return asking.purposes, None
        return asking.purposes, Parties(
            client=Client(client.id, frozenset(), ASSURANCE, client.suspended_at is not None),
            asking=_agency(asking),
            supplier=_agency(agencies[supplier]) if supplier else None,
            holder=_agency(held_by),
            source=SourceRef(source.name, source.sha256, held_by.code, source.record_type, held_by.jurisdictions[0]),
            is_open=source.suspended_at is None and held_by.suspended_at is None,
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
            mode="single" if request.query is None else "bulk",
            now=self.moment(),
            approvals=frozenset(),
            case_reference=case,
            representing=SOMEBODY if request.purpose == NOTIFY_OWNER else None,
            delegation=Delegation(parties.supplier.code, active=True, covers_purpose=True)
            if parties.supplier
            else None,
            overdue_acknowledgements=self.overdue.of(parties.asking.code),
        )

    def moment(self) -> datetime:
        """Give the present instant as Cedar reads it, to the millisecond."""
        now = self._clock()
        return now - timedelta(microseconds=now.microsecond % 1000)

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
        return question.about(sealed.known, representing)

    def snapshot(self, question: Question) -> bytes:
        """Write down what was asked, exactly, for replay.

        A receipt shows the hash of it; the nonce keeps anybody from guessing what it is the hash of, and so whether
        there was a record.
        """
        nonce = secrets.token_hex(16)
        context = _as_text(context_of(self._catalogue, question))
        return f'{{"nonce": "{nonce}", "entities": {self._entities(question)}, "context": {context}}}'.encode()

    def _entities(self, question: Question) -> str:
        """Write the entities as a JSON string; many questions in turn are about the same ones."""
        record = question.record
        facts = None if record is None else (record.digest, tuple(record.facts.values()), tuple(record.facts))
        about = (question.client, question.asking, question.supplier, question.holder, question.source, facts)
        known = self._written.get(about)
        if known is None:
            known = _as_text(entities_of(self._catalogue, question))
            if len(self._written) >= ENTITIES_MAX:
                self._written = {}
            self._written[about] = known
        return known


def _as_text(value: Any) -> str:
    """Write JSON as a JSON string: what the engine is given is kept character for character."""
    try:
        written = json_bytes(value).decode()
    except TypeError:  # half of a surrogate pair, a number of more than 64 bits: a source's text may hold them
        written = json.dumps(value)
    return json_bytes(written).decode()


class Registered:
    """The registered agencies, as policies know them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self) -> dict[str, Agency]:
        """Give all of them by code."""
        columns = (AgencyRow.code, AgencyRow.kind, AgencyRow.jurisdictions, AgencyRow.purposes, AgencyRow.suspended_at)
        with self._database.read_connection() as connection:
            return {row.code: _agency(row) for row in connection.execute(select(*columns))}

    def purposes(self) -> dict[str, list[str]]:
        """Give the purposes that each is registered for, by code."""
        with self._database.read_connection() as connection:
            return {row.code: row.purposes for row in connection.execute(select(AgencyRow.code, AgencyRow.purposes))}


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
