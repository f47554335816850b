"""What a holder signs to call a record back, and what an addressee signs to answer: from bytes to checked values.

Both are kept as they came: the holder may have to show them in court. They are read as requests are: strictly, all
faults at once, by a live key of the very client that sends them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from gateway.clock import Clock
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.errors import OthersRecordError, RequestSignatureError, RequestTooLargeError, StaleRequestError
from gateway.exchange.requests import AHEAD, LIFETIME, KeysOfClient
from gateway.exchange.schemas import UUID7, StrictInteger, faults_of
from gateway.oauth.clients import ClientRegister
from gateway.oauth.guard import Caller
from gateway.records.record_ids import RecordId, RecordIdError, parse_record_id
from ipx import jws
from ipx.errors import FormatError, SignatureError

Kind = Literal["corrected", "sealed", "unsealed", "recalled", "erased"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
WITHDRAWING: Final = frozenset({"sealed", "recalled", "erased"})
"""Kinds after which an answer that held the record is given out no more."""
ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "corrected": ("replaced", "deleted", "not_held", "refused"),
    "sealed": ("restricted", "deleted", "not_held", "refused"),
    "unsealed": (),
    "recalled": ("deleted", "not_held", "refused"),
    "erased": ("deleted", "not_held", "refused"),
}
"""What an addressee may say of its copies, by the kind of recall."""
REFUSED: Final = "refused"
STATEMENT_BYTES: Final = 16_384
RECALL_TYP: Final = "ipx-recall+jwt"
ACKNOWLEDGEMENT_TYP: Final = "ipx-acknowledgement+jwt"
_TEXT: Final = validate.Regexp(r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*\Z", error="must be text on one line")


def _text(longest: int, *, required: bool = True) -> fields.String:
    return fields.String(required=required, validate=[validate.Length(1, longest), _TEXT])


class _SignedSchema(Schema):
    class Meta:
        unknown = RAISE

    iss = _text(127)
    aud = _text(255)
    jti = fields.String(
        required=True, validate=validate.Regexp(UUID7.pattern + r"\Z", error="must be a UUID version 7")
    )
    iat = StrictInteger(required=True)
    exp = StrictInteger(required=True)


class RecallSchema(_SignedSchema):
    """Payload of an `ipx-recall+jwt`."""

    record = _text(255)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    reason = _text(255)
    order = _text(255, required=False)


class AcknowledgementSchema(_SignedSchema):
    """Payload of an `ipx-acknowledgement+jwt`."""

    recall = fields.String(
        required=True, validate=validate.Regexp(UUID7.pattern + r"\Z", error="must be the id of a recall")
    )
    action = fields.String(
        required=True, validate=validate.OneOf(sorted({action for known in ACTIONS.values() for action in known}))
    )
    reason = _text(255, required=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """What both statements have."""

    raw: str
    sha256: bytes
    client_id: str
    agency: str
    jti: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RecallStatement:
    signed: Signed
    record: RecordId
    kind: Kind
    reason: str
    order: str | None
    """Of the court or authority that has a record sealed."""

    @property
    def record_sha256(self) -> bytes:
        return hashlib.sha256(str(self.record).encode()).digest()

    @property
    def query_sha256(self) -> bytes:
        """Of the name that an exchange has which asks for several records of the same holder and type."""
        several = RecordId(self.record.agency, self.record.record_type, "*")
        return hashlib.sha256(str(several).encode()).digest()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    signed: Signed
    recall_id: str
    action: str
    reason: str | None


class RecallStatements:
    """Reads and checks both statements; knows nothing of what was said before."""

    def __init__(self, clients: ClientRegister, clock: Clock, origin: str) -> None:
        self._clients = clients
        self._clock = clock
        self._origin = origin

    def recall(self, body: bytes, caller: Caller) -> RecallStatement:
        """Read what a holder says of a record of its own.

        Raises:
            RequestTooLargeError, InvalidInputError, RequestSignatureError: as their names say.
            OthersRecordError: the record is not the caller's own.
        """
        signed, members = self._read(body, caller, RECALL_TYP, RecallSchema())
        try:
            record = parse_record_id(members["record"])
        except RecordIdError as error:
            fault = Fault("/record", "invalid", "must be urn:ipx:<agency>:<record type>:<local part>")
            raise InvalidInputError([fault]) from error
        if record.agency != caller.agency:
            raise OthersRecordError(f"{caller.client_id} calls back a record of {record.agency}")
        order = members.get("order")
        if members["kind"] == "sealed" and order is None:
            raise InvalidInputError([Fault("/order", "missing", "name the order by which the record is sealed")])
        return RecallStatement(signed, record, members["kind"], members["reason"], order)

    def acknowledgement(self, body: bytes, caller: Caller) -> Acknowledgement:
        """Read what an addressee says of its copies.

        Raises:
            RequestTooLargeError, InvalidInputError, RequestSignatureError: as their names say.
        """
        signed, members = self._read(body, caller, ACKNOWLEDGEMENT_TYP, AcknowledgementSchema())
        reason = members.get("reason")
        if members["action"] == REFUSED and reason is None:
            raise InvalidInputError([Fault("/reason", "missing", "say why the copies are kept as they are")])
        return Acknowledgement(signed, members["recall"], members["action"], reason)

    def require_fresh(self, signed: Signed) -> None:
        """Refuse a statement that comes too late or too early; the same bytes again are not judged by it.

        Raises:
            StaleRequestError: `exp` is past, or `iat` is more than five seconds ahead.
        """
        now = self._clock()
        if now >= signed.expires_at:
            raise StaleRequestError("exp is past")
        if signed.issued_at > now + AHEAD:
            raise StaleRequestError("iat is in the future")

    def _read(self, body: bytes, caller: Caller, typ: str, schema: Schema) -> tuple[Signed, dict[str, Any]]:
        if caller.supplier is not None:
            raise OthersRecordError(f"{caller.client_id} acts for another agency")
        if len(body) > STATEMENT_BYTES:
            raise RequestTooLargeError(f"{len(body)} bytes")
        try:
            raw = body.decode("ascii")
            keys = KeysOfClient(self._clients, self._clock, caller)
            verified = jws.verify(raw, keys, roles=frozenset({"requester"}), typ=typ)
        except (UnicodeDecodeError, FormatError) as error:
            raise InvalidInputError([Fault("", "malformed", str(error))], slug="invalid-request") from error
        except SignatureError as error:
            raise RequestSignatureError(str(error)) from error
        try:
            members: dict[str, Any] = schema.load(verified.payload)
        except ValidationError as error:
            raise InvalidInputError(faults_of(error)) from error
        faults = []
        if members["aud"] != self._origin:
            faults.append(Fault("/aud", "not_for_us", f"must be {self._origin}"))
        if not 0 < members["exp"] - members["iat"] <= LIFETIME.total_seconds():
            faults.append(Fault("/exp", "lifetime", f"must be 1 to {LIFETIME.seconds} seconds after iat"))
        if not all(0 <= members[name] < 1 << 40 for name in ("iat", "exp")):
            faults.append(Fault("/iat", "not_a_time", "must be seconds since 1970"))
        if faults:
            raise InvalidInputError(faults)
        signed = Signed(
            raw=raw,
            sha256=hashlib.sha256(body).digest(),
            client_id=caller.client_id,
            agency=caller.agency,
            jti=members["jti"],
            issued_at=_instant(members["iat"]),
            expires_at=_instant(members["exp"]),
        )
        return signed, members


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
