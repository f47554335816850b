"""Records that holders push: checked like a request, kept encrypted, the newest version of each."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from connectors.kinds.push import Pushed
from connectors.signed_mapping import fields_of, read_unverified
from gateway.agencies.models import Source
from gateway.agencies.sources import parsed
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError, StoreUnavailableError
from gateway.evidence.errors import ForeignSealError
from gateway.evidence.keys import HolderKeys
from gateway.evidence.seals import Seals
from gateway.intake.errors import ContradictoryRevisionError, OlderRevisionError, PushedSignatureError
from gateway.intake.models import PushedRecord
from gateway.keywrap import KeyWrap
from gateway.records.catalogue import CATALOGUE
from gateway.records.record_ids import (
    RecordId,
    RecordIdError,
    local_to_number,
    number_to_local,
    open_local,
    parse_record_id,
    record_id,
    seal_local,
)
from gateway.records.signed_record import envelope_faults
from ipx.errors import EvidenceError
from ipx.jws import dump_json
from ipx.sdjwt import Presentation

AHEAD = timedelta(minutes=5)
"""How far the holder's clock may run ahead of ours in `as_of`."""
TRIES = 8
"""Writers of one source that come at the same time take the next number one after another."""

Validate = Callable[[str, Mapping[str, Any]], Sequence[tuple[str, str, str]]]


@dataclass(frozen=True, slots=True)
class Taken:
    record: str
    source: str
    as_of: datetime
    sha256: str
    is_new: bool
    """False where the very same token was taken before."""


class PushedRecords:
    """Takes records in, and is the `Inbox` out of which sources of kind `push` are read."""

    def __init__(
        self,
        database: Database,
        wrap: KeyWrap,
        seals: Seals,
        keys: HolderKeys,
        validate: Validate,
        clock: Clock,
        *,
        digest_key: bytes,
    ) -> None:
        self._database = database
        self._wrap = wrap
        self._seals = seals
        self._keys = keys
        self._validate = validate
        self._clock = clock
        self._digest_key = digest_key

    def take(self, agency: str, token: str) -> Taken:
        """Check a record and keep it.

        Args:
            agency: who pushes, as its access token proves; it must be the holder that signed.
            token: `<JWT>~<disclosure>~…~` with every disclosure.

        Raises:
            InvalidInputError: every fault of its claims and fields at once.
            PushedSignatureError: its signature does not hold.
            OlderRevisionError, ContradictoryRevisionError: a later, or another, version is here.
        """
        record = self._name(agency, token)
        source = self._source(record)
        try:
            presentation = self._seals.verify(agency, str(record), token)
        except ForeignSealError as error:
            raise PushedSignatureError(str(error)) from error
        key_field = parsed(source.text).key
        faults, as_of = self._faults(record, presentation, key_field)
        if faults or as_of is None:
            raise InvalidInputError(faults)
        key = str(presentation.claims[key_field])
        is_new = self._keep(source.name, key, token, presentation, as_of)
        digest = hashlib.sha256(token.encode()).hexdigest()
        return Taken(str(record), source.name, as_of, digest, is_new)

    def names(self, agency: str, record_type: str, numbers: Sequence[str]) -> dict[str, str]:
        """Give the names under which a holder must sign records: for all but published registers only we can make them.

        Raises:
            InvalidInputError: no such record type, or a number that no name can hold.
        """
        known = CATALOGUE.types.get(record_type)
        if known is None:
            raise InvalidInputError([Fault("/record_type", "unknown_record_type", "is not in the catalogue")])
        made: dict[str, str] = {}
        for place, number in enumerate(numbers):
            try:
                local = (
                    number_to_local(number)
                    if known.is_published_register
                    else seal_local(self._keys.id_key(agency), number)
                )
                made[number] = str(record_id(agency, record_type, local))
            except RecordIdError as error:
                raise InvalidInputError([Fault(f"/numbers/{place}", "bad_number", str(error))]) from error
        return made

    def find(self, source: str, key: str) -> Pushed | None:
        with self._database.read() as session:
            row = session.get(PushedRecord, (source, self._digest(source, key)))
        return None if row is None else self._opened(row)

    def after(self, source: str, number: int, limit: int) -> Sequence[Pushed]:
        query = (
            select(PushedRecord)
            .where(PushedRecord.source == source, PushedRecord.number > number)
            .order_by(PushedRecord.number)
            .limit(limit)
        )
        with self._database.read() as session:
            return [self._opened(row) for row in session.scalars(query)]

    def newest(self, source: str) -> datetime | None:
        with self._database.read() as session:
            newest: datetime | None = session.scalar(
                select(func.max(PushedRecord.as_of)).where(PushedRecord.source == source)
            )
            return newest

    def _name(self, agency: str, token: str) -> RecordId:
        try:
            record = parse_record_id(str(read_unverified(token).claims.get("sub")))
        except (EvidenceError, RecordIdError) as error:
            fault = Fault("", "malformed", f"no SD-JWT about a record: {error}")
            raise InvalidInputError([fault], slug="invalid-request") from error
        if record.agency != agency:
            raise InvalidInputError([Fault("/sub", "not_of_holder", "names another holder than the caller")])
        return record

    def _source(self, record: RecordId) -> Source:
        wanted = select(Source).where(Source.holder == record.agency, Source.record_type == record.record_type)
        with self._database.read() as session:
            source = session.scalar(wanted)
        if source is None or parsed(source.text).kind != "push":
            detail = "no source of kind push is registered for this record type"
            raise InvalidInputError([Fault("/sub", "no_push_source", detail)])
        return source

    def _faults(
        self, record: RecordId, presentation: Presentation, key_field: str
    ) -> tuple[list[Fault], datetime | None]:
        claims = presentation.claims
        as_of, faults = envelope_faults(claims, record)
        if as_of is not None and as_of > self._clock() + AHEAD:
            faults.append(Fault("/as_of", "future_date", "lies in the future"))
        fields = fields_of(claims)
        faults += [
            Fault(f"/{name}", "not_hidden", "must stand behind a disclosure of its own")
            for name in sorted(fields)
            if (name,) not in presentation.disclosures
        ]
        faults += [
            Fault(f"/{name}", reason, detail or "cannot be taken")
            for name, reason, detail in self._validate(record.record_type, fields)
        ]
        if fields.get(key_field) != self._key(record):
            faults.append(Fault(f"/{key_field}", "key_mismatch", "is not the record that /sub names"))
        return faults, as_of

    def _key(self, record: RecordId) -> str | None:
        if CATALOGUE.types[record.record_type].is_published_register:
            return local_to_number(record.local)
        return open_local(self._keys.id_key(record.agency), record.local)

    def _keep(self, source: str, key: str, token: str, presentation: Presentation, as_of: datetime) -> bool:
        """Store, unless it is here already; true if it was stored."""
        place = self._digest(source, key)
        row = PushedRecord(
            source=source,
            key_digest=place,
            as_of=as_of,
            received_at=self._clock(),
            sha256=hashlib.sha256(token.encode()).digest(),
            content=_content(presentation.claims),
            sealed=self._wrap.wrap(dump_json([key, token]), _context(source, place)),
        )
        for _ in range(TRIES):
            try:
                with self._database.write() as session:
                    return self._put(session, row)
            except IntegrityError:
                continue  # another writer took the number
        raise StoreUnavailableError("too many writers of one source")

    def _put(self, session: Session, row: PushedRecord) -> bool:
        known = session.get(PushedRecord, (row.source, row.key_digest), with_for_update=True)
        if known is not None:
            if known.sha256 == row.sha256:
                return False
            if row.as_of < known.as_of:
                raise OlderRevisionError("as_of is before that of the version that is here")
            if row.as_of == known.as_of and row.content != known.content:
                raise ContradictoryRevisionError("same as_of, other content")
        last = session.scalar(select(func.max(PushedRecord.number)).where(PushedRecord.source == row.source))
        values = {column.key: getattr(row, column.key) for column in PushedRecord.__mapper__.column_attrs}
        session.merge(PushedRecord(**{**values, "number": (last or 0) + 1}))
        session.flush()
        return True

    def _digest(self, source: str, key: str) -> bytes:
        return hmac.digest(self._digest_key, f"{source}\0{key}".encode("utf-8", "surrogatepass"), "sha256")

    def _opened(self, row: PushedRecord) -> Pushed:
        key, token = json.loads(self._wrap.unwrap(row.sealed, _context(row.source, row.key_digest)))
        return Pushed(key, row.number, token, row.as_of)


def _content(claims: Mapping[str, Any]) -> bytes:
    """What a record says, without when and by which key it was signed."""
    said = {name: value for name, value in claims.items() if name not in ("iat", "recorded_at", "nbf", "exp")}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


def _context(source: str, place: bytes) -> str:
    return f"pushed-record:{source}:{place.hex()}"
